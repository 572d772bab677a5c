"""Where the subsets of d variables lie in tables over subsets, computed once for each d."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Int64
from torch import Tensor

__all__ = ["MAX_DENSE", "SubsetLattice", "expand_bit", "squeeze_bit", "subset_lattice"]

MAX_DENSE = 12
"""Up to this many variables every sweep visits all subsets of them."""


@dataclass(frozen=True, eq=False)
class SubsetLattice:
    """Index arithmetic of subsets U and of the members j that can be the last of U.

    A table of variable j over the other variables is indexed by the bits of a set with the bit of
    j taken out, so it has ``2^(d-1)`` entries.

    Attributes:
        d: Number of variables.
        position: Place of each subset when subsets are sorted by size.
        without: Place of U without j *within the subsets of one member less*; one table for each
            size of U.
        table_row: Place of U without j in the flattened tables ``[d, 2^(d-1)]``; one table for each
            size of U.
        last: The member j; one table for each size of U.
        others: Bits of all variables outside of U without j; one table for each size of U.
        without_node: ``[d, 2^(d-1)]`` bits of the set at each place of a table.
    """

    d: int
    position: Int64[Tensor, " subsets"]
    without: tuple[Int64[Tensor, "_ _"], ...]
    table_row: tuple[Int64[Tensor, "_ _"], ...]
    last: tuple[Int64[Tensor, "_ _"], ...]
    others: tuple[Int64[Tensor, "_ _"], ...]
    without_node: Int64[Tensor, "d half"]


def squeeze_bit(sets: Tensor, node: Tensor | int) -> Tensor:
    """Take the bit of a variable out, moving higher bits down.

    Args:
        sets: Bits of subsets that do not hold the variable.
        node: The variable, one for all or one for each set.

    Returns:
        Indices into the table of the variable.
    """
    node = torch.as_tensor(node)
    low = (torch.ones_like(node) << node) - 1
    return (sets & low) | ((sets >> (node + 1)) << node)


def expand_bit(index: Tensor, node: Tensor | int) -> Tensor:
    """Undo :func:`squeeze_bit`.

    Args:
        index: Indices into the table of the variable.
        node: The variable.

    Returns:
        Bits of subsets.
    """
    node = torch.as_tensor(node)
    low = (torch.ones_like(node) << node) - 1
    return (index & low) | ((index >> node) << (node + 1))


@lru_cache(maxsize=4)
def subset_lattice(d: int) -> SubsetLattice:
    """Tabulate the subsets of d variables.

    Args:
        d: Number of variables.

    Returns:
        Index tables; ``O(d 2^d)`` memory.
    """
    sets = torch.arange(1 << d)
    bits = (sets.unsqueeze(-1) >> torch.arange(d)) & 1
    sizes = bits.sum(-1)
    order = torch.argsort(sizes, stable=True)
    position = torch.empty_like(order)
    position[order] = sets
    offsets = torch.cumsum(torch.bincount(sizes, minlength=d + 1), 0)
    half = 1 << (d - 1)
    without, rows, last, others = [], [], [], []
    for size in range(1, d + 1):
        members = order[sizes[order] == size]
        j = bits[members].nonzero()[:, 1].view(-1, size).mT.contiguous()
        rest = members.unsqueeze(0) ^ (1 << j)
        below = int(offsets[size - 2]) if size > 1 else 0
        without.append(position[rest] - below)
        rows.append(j * half + squeeze_bit(rest, j))
        last.append(j)
        others.append(((1 << d) - 1) ^ rest)
    nodes = torch.arange(d).unsqueeze(-1)
    tables = expand_bit(torch.arange(half).expand(d, half), nodes)
    return SubsetLattice(
        d, position, tuple(without), tuple(rows), tuple(last), tuple(others), tables
    )
