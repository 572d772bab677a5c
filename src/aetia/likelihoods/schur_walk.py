r"""Determinants and residuals of all subsets of columns at constant cost a subset.

Every Gaussian score depends on a parent set only through the determinant of one principal minor
of a fixed positive definite matrix and the Schur complement of the response in it. Deciding for
one block of columns after another whether it is taken doubles the number of subsets: taking it
multiplies the determinant by that of the block and replaces the rest of the matrix by its Schur
complement. All :math:`2^k` subsets of k single columns cost about :math:`6 \cdot 2^k`
multiplications together, where a factorisation of each would cost :math:`k^3` times as many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["SchurWalk", "scatter_subsets", "schur_walk", "subset_determinants"]

_COLLINEAR = 1e-10
"""A pivot below this share of the column's square is rounding: the column adds nothing."""


class SchurWalk(NamedTuple):
    """One entry for each subset that was visited."""

    subsets: Int64[Tensor, " m"]
    """Bit b is set where block b is taken; ascending when no subset was left out."""
    sizes: Int64[Tensor, " m"]
    """Number of blocks taken."""
    log_det: Float[Tensor, "*batch m"]
    """Log determinant of the subset's columns."""
    rest: Float[Tensor, "*batch m r r"]
    """Schur complement of the columns behind the blocks, given the subset's columns."""


def schur_walk(
    matrix: Float[Tensor, "*batch p p"],
    blocks: Sequence[int],
    max_blocks: int | None = None,
) -> SchurWalk:
    """Visit every union of at most ``max_blocks`` blocks of columns.

    Args:
        matrix: Symmetric and positive definite; first the columns of the blocks, then the r
            columns whose Schur complement is wanted.
        blocks: Number of columns of each block.
        max_blocks: Larger subsets are left out; None visits all.

    Returns:
        Determinants and Schur complements. A column that is a linear combination of columns
        taken before it (up to rounding) counts as if it were not there.
    """
    batch = matrix.shape[:-2]
    minors = matrix.unsqueeze(-3)
    log_det = matrix.new_zeros(*batch, 1)
    subsets = torch.zeros(1, dtype=torch.int64, device=matrix.device)
    sizes = torch.zeros(1, dtype=torch.int64, device=matrix.device)
    squares = matrix.diagonal(dim1=-2, dim2=-1)
    at = 0
    for b, width in enumerate(blocks):
        taken, taken_det = minors, log_det
        if max_blocks is not None:
            room = (sizes < max_blocks).nonzero().flatten()
            if len(room) < len(sizes):
                taken, taken_det = minors[..., room, :, :], log_det[..., room]
        else:
            room = torch.arange(len(sizes), device=matrix.device)
        for k in range(width):
            taken, log_pivot = _pivot(taken, _COLLINEAR * squares[..., at + k].unsqueeze(-1))
            taken_det = taken_det + log_pivot
        minors = torch.cat([minors[..., width:, width:], taken], dim=-3)
        log_det = torch.cat([log_det, taken_det], dim=-1)
        subsets = torch.cat([subsets, subsets[room] | (1 << b)])
        sizes = torch.cat([sizes, sizes[room] + 1])
        at += width
    return SchurWalk(subsets, sizes, log_det, minors)


def _pivot(
    minors: Float[Tensor, "*batch m q q"], least: Float[Tensor, "*batch #m"]
) -> tuple[Float[Tensor, "*batch m t t"], Float[Tensor, "*batch m"]]:
    """Eliminate the first column of each minor; log of the pivot, 0 where there is none."""
    pivot = minors[..., 0, 0]
    usable = pivot > least
    safe = torch.where(usable, pivot, torch.ones_like(pivot))
    column = minors[..., 1:, 0]
    share = torch.where(usable.unsqueeze(-1), column / safe.unsqueeze(-1), 0.0)
    rest = torch.addcmul(minors[..., 1:, 1:], share.unsqueeze(-1), column.unsqueeze(-2), value=-1.0)
    return rest, safe.log()


def scatter_subsets(
    values: Float[Tensor, "*batch m"], subsets: Int64[Tensor, " m"], n_blocks: int
) -> Float[Tensor, "*batch sets"]:
    """Lay the values of visited subsets out by their bits.

    Args:
        values: One for each visited subset.
        subsets: Their bits.
        n_blocks: Number of blocks k.

    Returns:
        ``2^k`` values, minus infinity for subsets that were not visited.
    """
    if len(subsets) == 1 << n_blocks:
        return values  # the walk visits them in the order of their bits
    out = values.new_full((*values.shape[:-1], 1 << n_blocks), -torch.inf)
    out[..., subsets] = values
    return out


def subset_determinants(
    matrix: Float[Tensor, "*batch p p"],
    blocks: Sequence[int] | None = None,
    max_blocks: int | None = None,
) -> Float[Tensor, "*batch sets"]:
    """Compute the log determinants of all unions of blocks of columns.

    Args:
        matrix: Symmetric and positive definite.
        blocks: Number of columns of each block, their sum is the size of the matrix; None takes
            every column as a block.
        max_blocks: Unions of more blocks are minus infinity.

    Returns:
        The log determinant at the index whose bit b is set where block b is taken; 0 for none.
    """
    blocks = [1] * matrix.shape[-1] if blocks is None else blocks
    walk = schur_walk(matrix, blocks, max_blocks)
    return scatter_subsets(walk.log_det, walk.subsets, len(blocks))
