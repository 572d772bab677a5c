r"""Draws of the linear Gaussian mechanisms of each chain, given its graph and its completed table.

Column c given its parent columns P has, with :math:`e = n + \alpha_w - D` and l parents,

.. math::
    \omega_c \sim \mathrm{InvGamma}\bigl(\tfrac{e + l}{2}, \tfrac{R_{cc} - R_{cP} R_{PP}^{-1}
    R_{Pc}}{2}\bigr), \quad b_c \sim N(R_{PP}^{-1} R_{Pc}, \omega_c R_{PP}^{-1}), \quad
    a_c \sim N\bigl(\tfrac{n}{n + \alpha_\mu} (\bar x_c - b_c^\top \bar x_P),
    \tfrac{\omega_c}{n + \alpha_\mu}\bigr).

The last is the usual draw of the mean vector written for one mechanism at a time, so that it stays
true when the rows that explain a variable differ from variable to variable.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.discovery.missing.small_factors import cholesky_factor, solve_lower, solve_upper

__all__ = ["DrawnMechanisms", "column_graphs", "draw_mechanisms"]


class DrawnMechanisms(NamedTuple):
    """Linear equations of every column: ``structure^T x = intercept + noise``."""

    structure: Float[Tensor, "c w w"]
    """Identity minus weights; column k holds the equation of column k."""
    intercept: Float[Tensor, "c w"]
    variance: Float[Tensor, "c w"]
    """Noise variances."""


def column_graphs(graphs: Bool[Tensor, "c d d"], blocks: tuple[int, ...]) -> Bool[Tensor, "c w w"]:
    """Expand graphs over variables to graphs over columns.

    Args:
        graphs: One graph for each chain.
        blocks: Number of columns of each variable.

    Returns:
        All columns of a parent are parents; columns of one block follow each other.
    """
    if max(blocks) == 1:
        return graphs
    node = torch.repeat_interleave(torch.arange(len(blocks)), torch.tensor(blocks))
    inside = torch.triu(node.unsqueeze(0) == node.unsqueeze(1), diagonal=1)
    return graphs[:, node][:, :, node] | inside


def draw_mechanisms(
    parents: Bool[Tensor, "c w w"],
    scale: Float[Tensor, "c g w w"],
    mean: Float[Tensor, "c g w"],
    n_rows: Float[Tensor, " w"],
    group: Int64[Tensor, " w"],
    *,
    alpha_mu: float,
    alpha_w: float,
    generator: torch.Generator,
) -> DrawnMechanisms:
    """Draw weights, noise variances and intercepts from their conjugate posterior.

    Args:
        parents: Column graphs; ``parents[c, p, k]`` for p -> k.
        scale: Posterior scale matrices R, one for each group of columns with the same rows.
        mean: Column means over the same rows.
        n_rows: Rows that explain each column.
        group: Group of each column.
        alpha_mu: Rows that the prior mean is worth.
        alpha_w: Degrees of freedom of the Wishart prior.
        generator: Source of randomness.

    Returns:
        One draw for each chain.
    """
    n_chains, width, _ = parents.shape
    counts = parents.sum(-2)
    most = int(counts.max())
    # Pad every parent set to the largest: padding columns are independent of everything.
    index = parents.mT.byte().argsort(dim=-1, descending=True, stable=True)[..., :most]
    real = torch.arange(most) < counts.unsqueeze(-1)
    columns = torch.arange(width)
    flat = scale.reshape(n_chains, -1)
    first = (group * width * width).unsqueeze(-1)  # where the matrix of each column begins
    own = flat[:, first[:, 0] + columns * (width + 1)]
    pairs = first.unsqueeze(-1) + index.unsqueeze(-1) * width + index.unsqueeze(-2)
    inner = flat.gather(1, pairs.flatten(1)).view(n_chains, width, most, most)
    inner = torch.where(real.unsqueeze(-1) & real.unsqueeze(-2), inner, torch.eye(most).double())
    with_column = first + index * width + columns.unsqueeze(-1)
    cross = flat.gather(1, with_column.flatten(1)).view(n_chains, width, most) * real
    factor = cholesky_factor(inner.permute(2, 3, 0, 1).contiguous())
    half = solve_lower(factor, cross.permute(2, 0, 1).contiguous())
    residual = own - half.square().sum(0)
    shape = 0.5 * (n_rows + alpha_w - width + counts)
    gamma = torch._standard_gamma(shape, generator)  # pyright: ignore[reportPrivateImportUsage]
    variance = 0.5 * residual / gamma
    noise = torch.randn(half.shape, dtype=half.dtype, generator=generator)
    drawn = solve_upper(factor, half + noise * variance.sqrt()).permute(1, 2, 0) * real
    weights = torch.zeros(n_chains, width, width, dtype=torch.float64)  # [c, k, p]
    weights.scatter_(2, index, drawn)
    structure = torch.eye(width, dtype=torch.float64) - weights.mT
    centre = torch.einsum("ckp,cpk->ck", mean[:, group], structure) * (n_rows / (n_rows + alpha_mu))
    error = torch.randn(centre.shape, dtype=centre.dtype, generator=generator)
    intercept = centre + error * (variance / (n_rows + alpha_mu)).sqrt()
    return DrawnMechanisms(structure, intercept, variance)
