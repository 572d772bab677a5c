"""Greedy search of DAGs over orders: every variable is moved to its best position.

Follows Andrews et al. (2023), "Fast scalable and accurate discovery of DAGs using the best order
score search and grow-shrink trees": the score of an order is that of the DAG in which each
variable takes the parents that growing and shrinking finds among all variables before it. We do
not prune the end by backward equivalence search, and a growing run is repeated only where a
variable that comes or goes would have changed it.

All others may be parents here, not only chosen candidates: parents that pay only jointly with
others are found, which looking at each variable alone misses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.data import scale_columns
from aetia.discovery.grow_shrink import GrowShrink
from aetia.discovery.table import DiscoveryTable
from aetia.graphs import Constraints
from aetia.likelihoods import BGe, LocalScores
from aetia.likelihoods.bge import BGeScore

__all__ = [
    "GreedyDags",
    "allowed_orders",
    "best_positions",
    "favour",
    "gaussian_score",
    "greedy_dags",
]

_TOLERANCE = 1e-7
_N_DISTURBED = 3
"""Best orders that are disturbed, each in two ways."""
_DISPLACED = 0.12
"""Share of the variables that are put anywhere."""


class GreedyDags(NamedTuple):
    """DAGs at which no variable has a better position, the best first."""

    orders: Int64[Tensor, "r d"]
    graphs: Bool[Tensor, "r d d"]
    log_scores: Float[Tensor, " r"]
    n_sweeps: int
    """How often all variables were tried."""
    finished: bool
    """Whether the search ended because nothing was better."""


def gaussian_score(scores: LocalScores, table: DiscoveryTable) -> BGeScore:
    """Find the BGe score that the search uses, whatever the likelihood.

    Args:
        scores: The likelihood bound to the data.
        table: The checked table.

    Returns:
        The likelihood itself where it is BGe, otherwise BGe of the standardised columns.
    """
    if isinstance(scores, BGeScore):
        return scores
    return BGe().on(scale_columns(table.data, "standardise").values, table.intervened)


def favour(graphs: Bool[Tensor, "r d d"]) -> Float[Tensor, "d d"]:
    """Weigh edges by the best graph that has them.

    Args:
        graphs: DAGs, the best first.

    Returns:
        1 for edges of the first graph, less for those of later ones only, 0 for all others.
    """
    weights = 1.0 - torch.arange(len(graphs), dtype=torch.float64) / len(graphs)
    return (graphs * weights[:, None, None]).amax(0)


def greedy_dags(
    scores: BGeScore,
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
    generator: torch.Generator,
    *,
    n_restarts: int | None = None,
    n_rounds: int | None = None,
    max_parents: int | None = None,
    max_sweeps: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> GreedyDags:
    """Search from random orders, then again from the best orders with some variables displaced.

    Args:
        scores: BGe bound to the data.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge.
        generator: Source of randomness.
        n_restarts: Random orders to begin with; None takes 8 up to 60 columns, 4 up to 120, 1
            above.
        n_rounds: How often the best orders are disturbed; None takes 3, 2 and 0.
        max_parents: Largest number of parents; None sets no limit.
        max_sweeps: Each variable is tried at most this often after each beginning; None takes 20
            up to 120 columns, 4 up to 200 and 2 above, where a sweep takes seconds.
        stop: Ends the search early when it returns True, for example when time is over.

    Returns:
        Every DAG that the search ended at.
    """
    d = len(count_terms)
    effort = 0 if d <= 60 else 1 if d <= 120 else 2
    n_restarts = (8, 4, 1)[effort] if n_restarts is None else n_restarts
    n_rounds = (3, 2, 0)[effort] if n_rounds is None else n_rounds
    sweeps = (20 if d <= 120 else 4 if d <= 200 else 2) if max_sweeps is None else max_sweeps

    def search(priority: Tensor) -> GreedyDags:
        return best_positions(
            scores,
            allowed_orders(priority, constraints.required),
            count_terms,
            constraints,
            max_parents=max_parents,
            max_sweeps=sweeps,
            stop=stop,
        )

    found = search(torch.rand(n_restarts, d, generator=generator, dtype=torch.float64))
    for _ in range(n_rounds):
        if stop() or d < 3:
            break
        best = found.orders[:_N_DISTURBED].repeat(2, 1)
        priority = best.argsort(-1).double() / d
        anew = torch.rand(2, *priority.shape, generator=generator, dtype=torch.float64)
        found = _merged(found, search(torch.where(anew[0] < _DISPLACED, anew[1], priority)))
    return found


def _merged(first: GreedyDags, second: GreedyDags) -> GreedyDags:
    """Put the results of two searches together, each DAG once."""
    graphs = torch.cat([first.graphs, second.graphs])
    log_scores = torch.cat([first.log_scores, second.log_scores])
    best = log_scores.argsort(descending=True, stable=True)
    seen: set[bytes] = set()
    keep = []
    for i in best.tolist():
        code = graphs[i].numpy().tobytes()
        if code not in seen:
            seen.add(code)
            keep.append(i)
    orders = torch.cat([first.orders, second.orders])
    return GreedyDags(
        orders[keep],
        graphs[keep],
        log_scores[keep],
        first.n_sweeps + second.n_sweeps,
        first.finished and second.finished,
    )


def allowed_orders(
    priority: Float[Tensor, "r d"], required: Bool[Tensor, "d d"]
) -> Int64[Tensor, "r d"]:
    """Sort variables by priority as far as the required edges allow.

    Args:
        priority: Smallest first.
        required: Edges of a DAG.

    Returns:
        Orders in which causes of required edges come before their effects.
    """
    if not required.any():
        return priority.argsort(dim=-1, stable=True)
    r, d = priority.shape
    orders = torch.empty(r, d, dtype=torch.int64)
    missing = required.sum(0).expand(r, d)
    for p in range(d):
        orders[:, p] = priority.masked_fill(missing != 0, torch.inf).argmin(1)
        missing = missing - required.long()[orders[:, p]]
        missing = missing.scatter(1, orders[:, p, None], -1)
    return orders


def best_positions(
    scores: BGeScore,
    orders: Int64[Tensor, "r d"],
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
    *,
    max_parents: int | None = None,
    max_sweeps: int = 20,
    stop: Callable[[], bool] = lambda: False,
) -> GreedyDags:
    """Move variables to their best positions until none has a better one.

    A sweep takes the variables in the order that it begins with, so that nothing is random and
    relabelling the variables relabels the result.

    Args:
        scores: BGe bound to the data.
        orders: Beginnings that the required edges allow.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge.
        max_parents: Largest number of parents; None sets no limit.
        max_sweeps: Each variable is tried at most this often; 0 only chooses the parents.
        stop: Ends the search early when it returns True.

    Returns:
        One DAG for each beginning, the best first.
    """
    d = len(count_terms)
    most = d - 1 if max_parents is None else min(max_parents, d - 1)
    search = _Search(GrowShrink(scores, count_terms, constraints, most), constraints, orders)
    n_sweeps, finished = 0, False
    while n_sweeps < max_sweeps and not finished and not stop():
        finished = not search.sweep(stop)
        n_sweeps += 1
    total = search.log_score.sum(1)
    best = total.argsort(descending=True, stable=True)
    graphs = search.parents.mT.contiguous()
    return GreedyDags(search.orders[best], graphs[best], total[best], n_sweeps, finished)


class _Search:
    """Orders of all beginnings side by side, with what growing and shrinking found in them."""

    def __init__(self, choose: GrowShrink, constraints: Constraints, orders: Tensor) -> None:
        r, d = orders.shape
        self.choose, self.constraints = choose, constraints
        self.orders = orders.clone()
        self.moving = torch.ones(r, dtype=torch.bool)
        position = orders.argsort(-1)
        before = position[:, None, :] < position[:, :, None]  # [r, u, x]: x is before u
        found = choose(torch.arange(d).repeat(r), before.reshape(r * d, d))
        self.parents = found.parents.view(r, d, d)
        self.grown = found.grown.view(r, d, d)
        self.lead = found.lead.view(r, d, d)
        self.log_score = found.log_score.view(r, d)

    def sweep(self, stop: Callable[[], bool]) -> bool:
        """Try every variable of every order that still changed in the sweep before."""
        rows = self.moving.nonzero().flatten()
        turns = self.orders[rows]
        moved = torch.zeros(len(rows), dtype=torch.bool)
        for t in range(turns.shape[1]):
            if stop():
                return True
            moved |= self._move(rows, turns[:, t])
        self.moving[rows] = moved
        return bool(moved.any())

    def _move(self, rows: Tensor, v: Tensor) -> Tensor:
        """Put one variable of each order at its best position; tells which orders changed."""
        r, d = len(rows), self.choose.d
        row = torch.arange(r)
        orders = self.orders[rows]
        now = (orders == v[:, None]).long().argmax(1)
        others = orders[orders != v[:, None]].view(r, d - 1)
        place = torch.empty_like(orders)  # positions with v taken out
        place.scatter_(1, others, torch.arange(d - 1).expand(r, -1))
        place[row, v] = d
        after = place >= now[:, None]
        after[row, v] = False
        ahead = ~after
        ahead[row, v] = False
        # Whose run does v change by coming, or by going?
        comes = ahead & (self.lead[rows, :, v] > 0)
        goes = after & self.grown[rows, :, v]
        at, u = (comes | goes).nonzero(as_tuple=True)
        before_u = place[at] < place[at, u][:, None]
        before_u[torch.arange(len(at)), v[at]] = comes[at, u]
        before_v = place[:, None, :] < torch.arange(d)[:, None]
        found = self.choose(
            torch.cat([v.repeat_interleave(d), u]),
            torch.cat([before_v.reshape(r * d, d), before_u]),
        )
        own = found.log_score[: r * d].view(r, d)
        change = torch.zeros(r, d, dtype=torch.float64)  # by v coming (ahead) or going (after)
        change[at, u] = found.log_score[r * d :] - self.log_score[rows[at], u]
        change = change.gather(1, others)
        # Before its place now v comes to those between, after it v goes from those between.
        later = torch.arange(d - 1) >= now[:, None]
        zero = torch.zeros(r, 1, dtype=torch.float64)
        going = torch.cat([zero, change.masked_fill(~later, 0.0).cumsum(1)], dim=1)
        coming = change.masked_fill(later, 0.0).flip(1).cumsum(1).flip(1)
        total = own + going + torch.cat([coming, zero], dim=1)
        total = total.masked_fill(~self._possible(place, v), -torch.inf)
        best, new = total.max(1)
        moved = best > total[row, now] + _TOLERANCE
        for i in moved.nonzero().flatten().tolist():
            self._accept(int(rows[i]), int(v[i]), int(now[i]), int(new[i]), others[i])
        if moved.any():
            rows_m, row_m = rows[moved], row[moved]
            at_own = row_m * d + new[moved]
            for mine, theirs in zip(self._results(), found, strict=True):
                mine[rows_m, v[moved]] = theirs[at_own]
            p = place[at, u]
            first, last = torch.minimum(now, new), torch.maximum(now, new)
            hit = moved[at] & (p >= first[at]) & (p < last[at])
            hit &= torch.where(new[at] < now[at], comes[at, u], goes[at, u])
            for mine, theirs in zip(self._results(), found, strict=True):
                mine[rows[at[hit]], u[hit]] = theirs[r * d :][hit]
        return moved

    def _results(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.parents, self.grown, self.lead, self.log_score

    def _accept(self, row: int, v: int, now: int, new: int, others: Tensor) -> None:
        order = self.orders[row]
        order[:new], order[new], order[new + 1 :] = others[:new], v, others[new:]

    def _possible(self, place: Tensor, v: Tensor) -> Tensor:
        """Tell which positions are after all required parents and before all required children."""
        required, d = self.constraints.required, self.choose.d
        parents, children = required.mT[v], required[v]
        first = place.masked_fill(~parents, -1).amax(1) + 1
        last = place.masked_fill(~children, d - 1).amin(1)
        slots = torch.arange(d)
        return (slots >= first[:, None]) & (slots <= last[:, None])
