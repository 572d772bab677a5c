r"""One exact draw of an order and of a graph for each of many chains, each with its own tables.

With :math:`F_j(U)` the sum of :math:`\exp s_j(S)` over the parent sets S within U, the weight of
all orders of U is :math:`f(U) = \sum_{j \in U} f(U \setminus j) F_j(U \setminus j)`. Walking back
from the full set draws an order, and parents follow given the order. A graph G then has probability
proportional to :math:`\exp s(G)` times the number L(G) of orders that agree with it; the caller
corrects for L(G), which :func:`log_order_counts` computes by the same walk.

Chains are the *last* axis of every tensor, so that one set is one contiguous row of numbers.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.discovery.missing.subset_lattice import squeeze_bit, subset_lattice

__all__ = ["allowed_log_sums", "draw_graphs", "log_order_counts", "parents_to_graphs"]

_WIDEST = 1300.0
"""Nats between the best parent set and the poorest sum that float64 can hold in linear space."""


def allowed_log_sums(
    tables: Float[Tensor, "d half c"], least: Int64[Tensor, " d"]
) -> Float[Tensor, "d half c"]:
    """Sum each table over the subsets of every set, in log space.

    Plain additions of scaled numbers are several times faster than additions in log space, and
    exact to rounding as long as the scores of a table span less than the range of float64.

    Args:
        tables: Log weight of every parent set.
        least: Index of the smallest parent set that knowledge allows, of each variable.

    Returns:
        Log sums; minus infinity where no subset is allowed.
    """
    d, half, c = tables.shape
    best = tables.amax(1, keepdim=True)
    poorest = tables[torch.arange(d), least].unsqueeze(1)
    if bool((best - poorest).max() < _WIDEST):
        sums = (tables - (best - 0.5 * _WIDEST)).exp_()
        for bit in range(half.bit_length() - 1):
            halves = sums.view(d, -1, 2, (1 << bit) * c)
            halves[:, :, 1] += halves[:, :, 0]
        return sums.log_().add_(best - 0.5 * _WIDEST)
    sums = tables.clone()
    for bit in range(half.bit_length() - 1):
        halves = sums.view(d, -1, 2, (1 << bit) * c)
        halves[:, :, 1] = torch.logaddexp(halves[:, :, 0], halves[:, :, 1])
    return sums


def draw_graphs(
    tables: Float[Tensor, "d half c"],
    least: Int64[Tensor, " d"],
    generator: torch.Generator,
) -> Int64[Tensor, "d c"]:
    """Draw one graph for each chain with probability proportional to exp(score) L(G).

    Args:
        tables: Log weight of every parent set of every variable, prior included.
        least: Index of the smallest parent set that knowledge allows, of each variable.
        generator: Source of randomness.

    Returns:
        Parents of each variable as bits.
    """
    sums = allowed_log_sums(tables, least)
    order = _draw_orders(sums, _order_sums(sums), generator)
    return _draw_parents(tables, order, generator)


def _order_sums(sums: Float[Tensor, "d half c"]) -> Float[Tensor, "subsets c"]:
    """Log weight of all orders of every subset, subsets sorted by size."""
    d, half, c = sums.shape
    lattice = subset_lattice(d)
    flat = sums.view(d * half, c)
    level = sums.new_zeros(1, c)
    levels = [level]
    for without, rows in zip(lattice.without, lattice.table_row, strict=True):
        size, n = without.shape
        terms = level.index_select(0, without.view(-1)) + flat.index_select(0, rows.view(-1))
        terms = terms.view(size, n, c)
        largest = terms.amax(0).clamp_min(-1e300)  # keeps -inf - -inf from becoming NaN
        level = (terms - largest).exp_().sum(0).log_().add_(largest)
        levels.append(level)
    return torch.cat(levels)


def _draw_orders(
    sums: Float[Tensor, "d half c"],
    order_sums: Float[Tensor, "subsets c"],
    generator: torch.Generator,
) -> Int64[Tensor, "d c"]:
    """Draw an order for each chain, the last variable first; row k is the variable at place k."""
    d, half, c = sums.shape
    lattice = subset_lattice(d)
    chains, nodes = torch.arange(c), torch.arange(d).unsqueeze(-1)
    bits = 1 << nodes
    left = torch.full((c,), (1 << d) - 1)
    order = torch.empty(d, c, dtype=torch.int64)
    noise = torch.empty(d, d, c, dtype=sums.dtype).exponential_(generator=generator).log_()
    for place in range(d - 1, -1, -1):
        inside = (left & bits) != 0
        rest = torch.where(inside, left & ~bits, 0)
        rows = nodes * half + squeeze_bit(rest, nodes)
        weight = order_sums.take(lattice.position[rest] * c + chains)
        weight = weight + sums.take(rows * c + chains)
        last = torch.where(inside, weight - noise[place], -torch.inf).argmax(0)
        order[place] = last
        left = left & ~(1 << last)
    return order


def _draw_parents(
    tables: Float[Tensor, "d half c"], order: Int64[Tensor, "d c"], generator: torch.Generator
) -> Int64[Tensor, "d c"]:
    """Draw the parents of each variable among those before it: 2^d sets in all."""
    d, half, c = tables.shape
    chains = torch.arange(c)
    uniform = torch.rand(d, c, dtype=tables.dtype, generator=generator)
    before = torch.zeros(1, c, dtype=torch.int64)  # all subsets of the variables so far
    parents = torch.empty(d, c, dtype=torch.int64)
    for place in range(d):
        node = order[place]
        index = squeeze_bit(before, node)
        weight = tables.take((node * half + index) * c + chains)
        cumulated = (weight - weight.amax(0)).exp_().cumsum(0)
        chosen = (cumulated <= uniform[place] * cumulated[-1]).sum(0).clamp_max(len(before) - 1)
        parents[node, chains] = before[chosen, chains]
        if place + 1 < d:
            before = torch.cat([before, before | (1 << node)])
    return parents


def log_order_counts(parents: Int64[Tensor, "d c"]) -> Float[Tensor, " c"]:
    """Count the orders that agree with each graph.

    Args:
        parents: Parents of each variable as bits.

    Returns:
        Log of the number of linear extensions; counts up to 12! are exact.
    """
    d, c = parents.shape
    lattice = subset_lattice(d)
    level = torch.ones(1, c, dtype=torch.float64)
    for without, last, others in zip(lattice.without, lattice.last, lattice.others, strict=True):
        size, n = without.shape
        open_ones = parents.index_select(0, last.view(-1)) & others.view(-1, 1)
        terms = level.index_select(0, without.view(-1)).masked_fill_(open_ones != 0, 0.0)
        level = terms.view(size, n, c).sum(0)
    return level[0].log()


def parents_to_graphs(parents: Int64[Tensor, "d c"]) -> Bool[Tensor, "c d d"]:
    """Write parent sets as adjacency matrices.

    Args:
        parents: Parents of each variable as bits.

    Returns:
        ``graphs[c, i, j]`` for i -> j.
    """
    nodes = torch.arange(len(parents))
    return ((parents.mT.unsqueeze(1) >> nodes.view(1, -1, 1)) & 1).bool()
