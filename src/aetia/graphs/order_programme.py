r"""Exact sums over all orders of the variables, and independent exact draws of orders and DAGs.

With :math:`F_j(U)` the sum of the scores of all parent sets of j inside U, the sum over all orders
that place the set U first obeys (Koivisto & Sood, 2004)

.. math:: f(U) = \sum_{j \in U} f(U \setminus j)\, F_j(U \setminus j), \qquad f(\emptyset) = 1,

which is :math:`2^d` values. Walking it backwards draws orders with probability proportional to
the sum over their DAGs, and walking the stages of :math:`F_j` backwards draws parent sets, exactly
and independently (He, Tian & Wu, 2016). A DAG is met once for each of its L(G) topological orders:
the draws need the weight 1 / L(G).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.graphs.subset_sums import draw_subsets, subset_log_sums

__all__ = ["MAX_COLUMNS", "OrderProgramme", "draw_dags", "draw_orders", "order_programme"]

MAX_COLUMNS = 25
"""Largest number of variables: 2^25 sums are 268 MB."""

_CHUNK = 1 << 15


class OrderProgramme(NamedTuple):
    """The sums over orders, and what they were made of; all in log space."""

    tables: Float[Tensor, "d sets"]
    """Scores with priors of the subsets of each variable's candidates."""
    candidates: Int64[Tensor, "d k"]
    """Possible parents of each variable."""
    sums: Float[Tensor, "d sets"]
    """Sums of the scores over the subsets of every candidate set."""
    prefixes: Float[Tensor, " two_to_the_d"]
    """Sum over the orders that place a set first, by its bits."""

    @property
    def log_total(self) -> float:
        """Log of the sum over all orders and their DAGs: each DAG counted L(G) times."""
        return float(self.prefixes[-1])


def order_programme(
    tables: Float[Tensor, "d sets"], candidates: Int64[Tensor, "d k"]
) -> OrderProgramme:
    """Sum over all orders.

    Args:
        tables: Log local scores with structure prior, in float64; -inf for impossible sets.
        candidates: Possible parents of each variable; bit b of a set is ``candidates[j, b]``.

    Returns:
        The sums; ``log_total`` is minus infinity when no DAG is possible.
    """
    d = len(candidates)
    sums = subset_log_sums(tables)
    prefixes = torch.full((1 << d,), -torch.inf, dtype=torch.float64)
    prefixes[0] = 0.0
    select = _CandidateBits(candidates)
    by_size = _sets_by_size(d)
    for sets in by_size[1:]:
        for chunk in sets.split(_CHUNK):
            prefixes[chunk] = _last_terms(prefixes, sums, select, chunk).logsumexp(0)
    return OrderProgramme(tables, candidates, sums, prefixes)


def _sets_by_size(d: int) -> tuple[Int64[Tensor, " c"], ...]:
    """List the subsets of d elements by their size."""
    sizes = torch.zeros(1, dtype=torch.int8)
    for _ in range(d):
        sizes = torch.cat([sizes, sizes + 1])
    order = sizes.argsort(stable=True)
    return order.split(sizes.long().bincount().tolist())


def _last_terms(
    prefixes: Tensor, sums: Tensor, select: _CandidateBits, sets: Int64[Tensor, " c"]
) -> Float[Tensor, "d c"]:
    """Split the sum of each set by its last element; -inf for elements that are not in it."""
    d = len(sums)
    bits = (1 << torch.arange(d)).unsqueeze(-1)
    before = sets & ~bits
    terms = prefixes[before] + sums.flatten()[select(before)]
    return terms.masked_fill_(before == sets, -torch.inf)


class _CandidateBits:
    """The candidates of each variable inside a set of variables, by two half tables."""

    def __init__(self, candidates: Int64[Tensor, "d k"]) -> None:
        d, k = candidates.shape
        self.half = (d + 1) // 2
        self.low = _half_table(candidates, 0, self.half)
        self.high = _half_table(candidates, self.half, d)
        self.row = torch.arange(d).unsqueeze(-1) << k

    def __call__(self, sets: Int64[Tensor, "d c"]) -> Int64[Tensor, "d c"]:
        """Look up where in the flattened tables the candidates of j inside ``sets[j]`` lie."""
        low = self.low.gather(1, sets & ((1 << self.half) - 1))
        return low.bitwise_or_(self.high.gather(1, sets >> self.half)).add_(self.row)


def _half_table(candidates: Tensor, start: int, stop: int) -> Int64[Tensor, "d half"]:
    places = 1 << torch.arange(candidates.shape[-1])
    table = torch.zeros(len(candidates), 1, dtype=torch.int64)
    for i in range(start, stop):
        bit = ((candidates == i) * places).sum(-1, keepdim=True)
        table = torch.cat([table, table | bit], dim=-1)
    return table


def draw_orders(
    programme: OrderProgramme, n: int, generator: torch.Generator
) -> tuple[Int64[Tensor, "n d"], Int64[Tensor, "n d"]]:
    """Draw orders, each with probability proportional to the sum over its DAGs.

    Args:
        programme: The sums over orders.
        n: Number of draws.
        generator: Source of randomness.

    Returns:
        Orders, first element first, and for each variable (not place) the bits of the candidates
        that come before it.
    """
    d = len(programme.candidates)
    select = _CandidateBits(programme.candidates)
    left = torch.full((n,), (1 << d) - 1, dtype=torch.int64)
    orders = torch.empty(n, d, dtype=torch.int64)
    rows = torch.arange(n)
    for place in range(d - 1, -1, -1):
        terms = _last_terms(programme.prefixes, programme.sums, select, left)
        chances = (terms - terms.amax(0)).exp_().cumsum(0)
        coins = torch.rand(n, dtype=torch.float64, generator=generator)
        last = (chances <= coins * chances[-1]).sum(0)
        orders[:, place] = last
        left = left ^ (1 << last)
    earlier = torch.zeros(n, d, dtype=torch.int64)
    seen = torch.zeros(n, dtype=torch.int64)
    for place in range(d):
        earlier[rows, orders[:, place]] = seen
        seen = seen | (1 << orders[:, place])
    allowed = select(earlier.mT).mT - select.row.mT
    return orders, allowed


def draw_dags(
    programme: OrderProgramme, n: int, generator: torch.Generator
) -> Bool[Tensor, "n d d"]:
    """Draw DAGs with probability proportional to score times number of topological orders.

    Args:
        programme: The sums over orders.
        n: Number of draws.
        generator: Source of randomness.

    Returns:
        Independent draws; weights 1 / L(G) make them draws of the posterior over DAGs.
    """
    d, k = programme.candidates.shape
    _, allowed = draw_orders(programme, n, generator)
    graphs = torch.zeros(n, d, d, dtype=torch.bool)
    for j in range(d):
        parents = draw_subsets(programme.tables[j], allowed[:, j], generator)
        chosen = (parents.unsqueeze(-1) >> torch.arange(k)) & 1
        graphs[:, programme.candidates[j], j] = chosen.bool()
    return graphs
