r"""Greedy search for the graph of an additive process, for many problems at once.

A candidate enters a target by B features (one for a straight line, more for a curve), and a graph
scores by the Gaussian likelihood with a variance of its own for every variable, less a penalty for
every edge:

.. math::
    \sum_j -\frac{n_j}{2} \log \hat\sigma_j^2(\mathrm{pa}_j)
    - \frac{\lambda B}{2} |\mathrm{pa}_j| \log n_j,

so it does not depend on the units of the variables (least squares over standardised variables
does, and finds wrong directions). Parents are other variables within the step, without cycles, and
all variables at the lags before. Moves add, delete or reverse an edge; each problem makes its best
one until none helps. From there, every edge within the step is reversed, held so while the rest
adapts, and let go; the best of these graphs is climbed from next, until none is better.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.search.constraints import LaggedConstraints
from aetia.discovery.rcgnn.search.regressions import Regressions
from aetia.graphs import is_acyclic, transitive_closure

__all__ = [
    "ScoredGraphs",
    "escape_structure",
    "log_prior",
    "reversed_edges",
    "search_from",
    "search_structure",
]


class ScoredGraphs(NamedTuple):
    """Graphs, one for each problem; candidates are (within the step, lag 1, lag 2, ...)."""

    parents: Bool[Tensor, "b d p"]
    evidence: Float[Tensor, "b d p"]
    """Score with the edge less score without it, the rest of the graph as it is; positive too for
    edges that would close a cycle."""
    score: Float[Tensor, " b"]


def search_structure(
    regressions: Regressions,
    n: Float[Tensor, "b d"],
    constraints: LaggedConstraints,
    *,
    penalty: float,
    initial: Bool[Tensor, "b d p"] | None = None,
    max_moves: int | None = None,
) -> ScoredGraphs:
    """Climb to a graph that no single move improves.

    Args:
        regressions: Second moments of every variable and its candidates.
        n: Effective number of steps, for each variable.
        constraints: What is known.
        penalty: Penalty weight lambda of an edge; 1 is the Bayesian information criterion.
        initial: Parents to begin with; None begins without edges.
        max_moves: Most moves of one search; None is 20 for each variable.

    Returns:
        Graphs, acyclic within the step, and the evidence for each edge.
    """
    climb = _Climb(regressions, n, constraints, penalty, initial)
    for _ in range(20 * climb.d if max_moves is None else max_moves):
        if not climb.move():
            break
    return ScoredGraphs(climb.parents, climb.evidence(), climb.score())


def search_from(
    initial: Bool[Tensor, "d p"] | None,
    regressions: Regressions,
    n: Float[Tensor, "b d"],
    constraints: LaggedConstraints,
    *,
    penalty: float,
) -> ScoredGraphs:
    """Climb from no edges and from a given graph; each problem keeps what scores better.

    Args:
        initial: Graph to climb from; None climbs from no edges only.
        regressions: Second moments of every variable and its candidates.
        n: Effective number of steps, for each variable.
        constraints: What is known; the graph obeys it.
        penalty: Penalty weight lambda of an edge; 1 is the Bayesian information criterion.

    Returns:
        Graphs, acyclic within the step.
    """
    found = search_structure(regressions, n, constraints, penalty=penalty)
    if initial is None:
        return found
    each = initial.expand(len(n), -1, -1)
    other = search_structure(regressions, n, constraints, penalty=penalty, initial=each)
    better = other.score > found.score
    pick = better[:, None, None]
    return ScoredGraphs(
        torch.where(pick, other.parents, found.parents),
        torch.where(pick, other.evidence, found.evidence),
        torch.where(better, other.score, found.score),
    )


def escape_structure(
    regressions: Regressions,
    n: Float[Tensor, " d"],
    constraints: LaggedConstraints,
    *,
    penalty: float,
    max_rounds: int = 10,
) -> ScoredGraphs:
    """Climb, and leave the optimum where single moves end by holding edges reversed for a while.

    Args:
        regressions: A batch of one.
        n: Effective number of steps, for each variable.
        constraints: What is known.
        penalty: Penalty weight lambda of an edge; 1 is the Bayesian information criterion.
        max_rounds: Times that all edges within the step are tried.

    Returns:
        One graph, in a batch of one.
    """
    best = search_structure(regressions, n[None], constraints, penalty=penalty)
    for _ in range(max_rounds):
        reversals = reversed_edges(best.parents[0], regressions, n, constraints, penalty=penalty)
        if reversals is None:
            break
        many = len(reversals)
        every = regressions.repeated(many), n.expand(many, -1), constraints
        freed = search_structure(*every, penalty=penalty, initial=reversals)
        at = int(freed.score.argmax())
        if float(freed.score[at]) <= float(best.score[0]) + 1e-6:
            break
        best = ScoredGraphs(*(value[at : at + 1] for value in freed))
    return best


def reversed_edges(
    parents: Bool[Tensor, "d p"],
    regressions: Regressions,
    n: Float[Tensor, " d"],
    constraints: LaggedConstraints,
    *,
    penalty: float,
) -> Bool[Tensor, "m d p"] | None:
    """Reverse every edge within the step, and let both of its ends find their parents anew.

    A wrong direction drags in edges that make up for it, within the step and before it, and no
    single move leads out of that.

    Args:
        parents: A graph.
        regressions: A batch of one.
        n: Effective number of steps, for each variable.
        constraints: What is known.
        penalty: Penalty weight lambda of an edge; 1 is the Bayesian information criterion.

    Returns:
        One graph for each edge that can be reversed: the edge is held in its new direction while a
        search adapts all other edges to it. None if no edge can be reversed.
    """
    d, p = parents.shape
    target, cause = parents[:, :d].nonzero(as_tuple=True)
    m = torch.arange(len(target))
    initial = parents.expand(len(m), -1, -1).clone()
    kept = parents & constraints.required.repeat(1, p // d)
    initial[m, target], initial[m, cause] = kept[target], kept[cause]
    initial[m, target, cause] = False
    initial[m, cause, target] = True
    forbidden = torch.zeros(len(m), d, p, dtype=torch.bool)
    forbidden[m, target, cause] = True
    is_known = constraints.forbidden.expand(len(m), -1, -1)[m, cause, target]
    lags = initial.unflatten(-1, (-1, d)).any(-2)
    keeps = (lags | ~constraints.required).flatten(1).all(-1)
    usable = keeps & ~is_known & is_acyclic(initial[:, :, :d].mT)
    if not bool(usable.any()):
        return None
    locked = constraints._replace(forbidden=constraints.forbidden | forbidden[usable])
    many = int(usable.sum())
    return search_structure(
        regressions.repeated(many),
        n.expand(many, -1),
        locked,
        penalty=penalty,
        initial=initial[usable],
    ).parents


def log_prior(
    parents: Bool[Tensor, "*b d p"],
    n: Float[Tensor, "*#b d"],
    constraints: LaggedConstraints,
    *,
    penalty: float,
) -> Float[Tensor, "*b"]:
    """Compute the log prior of graphs: edges cost, and what is believed counts for or against.

    Args:
        parents: Graphs.
        n: Effective number of steps, for each variable.
        constraints: What is known.
        penalty: Penalty weight of an edge, in BIC units: half of log n.

    Returns:
        What is added to the log-likelihood.
    """
    cost = 0.5 * penalty * (n.log() * parents.sum(-1)).sum(-1)
    caused = parents.unflatten(-1, (-1, parents.shape[-2])).any(-2)
    return torch.where(caused, constraints.log_odds, 0.0).sum((-2, -1)) - cost


class _Climb:
    """State of the search: parents, and what every possible change is worth."""

    def __init__(
        self,
        regressions: Regressions,
        n: Tensor,
        constraints: LaggedConstraints,
        penalty: float,
        initial: Tensor | None,
    ) -> None:
        gram, cross, self.total, self.size = regressions
        self.b, _, self.d = cross.shape
        self.p = gram.shape[-1] // self.size
        self.n, self.known = n, constraints
        # The last candidate is a dummy that pads lists of parents.
        self.gram = torch.nn.functional.pad(gram, (0, self.size, 0, self.size))
        self.cross = torch.nn.functional.pad(cross, (0, 0, 0, self.size))
        by_candidate = gram.unflatten(1, (self.p, self.size)).unflatten(3, (self.p, self.size))
        self.spread = by_candidate.diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2)
        self.penalty, self.edge_cost = penalty, 0.5 * penalty * self.size * n.log()
        if initial is None:
            self.parents = torch.zeros(self.b, self.d, self.p, dtype=torch.bool)
            self.parents[:, :, : self.d] |= constraints.required
        else:
            self.parents = initial.clone()
        self.reach = transitive_closure(self.parents[:, :, : self.d].mT)
        self.residual = gram.new_ones(self.b, self.d)
        # Log-likelihood that a candidate would add, or that is lost without a parent.
        self.change = gram.new_zeros(self.b, self.d, self.p)
        self.active = torch.arange(self.b)  # searches that have not ended
        every = torch.cartesian_prod(torch.arange(self.b), torch.arange(self.d)).view(-1, 2)
        self._refresh(every[:, 0], every[:, 1])

    def move(self) -> bool:
        """Make the best move of every search that has one; the others end."""
        # One best move for each search that still goes on, so that a batch ends with its slowest.
        add, delete, reverse = self._gains(self.active)
        gains = torch.stack([add, delete, reverse], 1).flatten(1)
        value, which = gains.max(-1)
        goes_on = value > 1e-9
        self.active, which = self.active[goes_on], which[goes_on]
        at = self.active
        if not len(at):
            return False
        kind = which // (self.d * self.p)
        target, candidate = which // self.p % self.d, which % self.p
        self.parents[at, target, candidate] = kind == 0
        is_reversal = kind == 2
        self.parents[at[is_reversal], candidate[is_reversal], target[is_reversal]] = True
        self._refresh(torch.cat([at, at[is_reversal]]), torch.cat([target, candidate[is_reversal]]))
        changed = at[candidate < self.d]
        if len(changed):
            self.reach[changed] = transitive_closure(self.parents[changed, :, : self.d].mT)
        return True

    def score(self) -> Float[Tensor, " b"]:
        """Score of the graphs."""
        fit = -0.5 * (self.n * self.residual.log()).sum(-1)
        penalty = self.penalty * self.size
        return fit + log_prior(self.parents, self.n, self.known, penalty=penalty)

    def evidence(self) -> Float[Tensor, "b d p"]:
        """Score with each edge less score without it."""
        value = self.change - self.edge_cost.unsqueeze(-1)
        return value.masked_fill(self.known.forbidden, -torch.inf)

    def _gains(self, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        d, known, parents = self.d, self.known, self.parents[at]
        forbidden = known.forbidden[at] if known.forbidden.ndim == 3 else known.forbidden
        lags = parents.unflatten(-1, (-1, d)).sum(-2)  # target, cause: at how many lags
        # Beliefs are about causes: they count for the first lag that a cause gets.
        first = torch.where(lags == 0, known.log_odds, 0.0).repeat(1, 1, self.p // d)
        last = torch.where(lags == 1, known.log_odds, 0.0).repeat(1, 1, self.p // d)
        worth = self.change[at] - self.edge_cost[at].unsqueeze(-1)
        add = (worth + first).masked_fill(parents | forbidden, -torch.inf)
        needed = ((lags == 1) & known.required).repeat(1, 1, self.p // d)
        delete = -(worth + last).masked_fill(~parents | needed, torch.inf)
        gained = add[:, :, :d].mT  # what the parent would gain from its child
        reach = self.reach[at]
        within = parents[:, :, :d].mT
        detour = (within.to(add) @ reach.to(add)) > 0  # a way besides the edge
        reverse = (delete[:, :, :d] + gained).masked_fill(detour.mT, -torch.inf)
        reverse = torch.cat([reverse, torch.full_like(delete[:, :, d:], -torch.inf)], -1)
        closes = torch.cat([reach, torch.zeros_like(parents[:, :, d:])], -1)
        return add.masked_fill(closes, -torch.inf), delete, reverse

    def _refresh(self, b: Int[Tensor, " k"], j: Int[Tensor, " k"]) -> None:
        """Compute what each candidate adds to some targets, or their parents are worth.

        Only targets whose parents changed are computed anew. Lists of parents have one length, the
        shorter ones padded by the dummy candidate: a batch is then one inverse and a few products.
        """
        mask, size, p = self.parents[b, j], self.size, self.p
        most = max(int(mask.sum(-1).max()), 1)
        index = torch.where(mask, torch.arange(p), p).sort(-1).values[:, :most]
        columns = (index.unsqueeze(-1) * size + torch.arange(size)).flatten(1)
        rows = self.gram[b.unsqueeze(-1), columns]
        block = rows.gather(2, columns.unsqueeze(1).expand(-1, most * size, -1))
        is_dummy = (index == p).repeat_interleave(size, -1).to(block)
        inverse = torch.linalg.inv(block + torch.diag_embed(is_dummy))
        rows = rows[:, :, : p * size]
        cross = self.cross[b, :, j]
        own = cross.gather(1, columns)
        weights = (inverse @ own.unsqueeze(-1)).squeeze(-1)
        residual = (self.total[b, j] - (own * weights).sum(-1)).clamp_min(1e-10)
        # What a candidate adds: the part of it that the parents do not explain.
        left = cross[:, : p * size] - (rows * weights.unsqueeze(-1)).sum(1)
        explained = (rows.unflatten(-1, (p, size)).unsqueeze(-1)) * (
            (inverse @ rows).unflatten(-1, (p, size)).unsqueeze(-2)
        )
        unit = torch.eye(size).to(rows)
        free = self.spread[b] - explained.sum(1) + 1e-10 * unit
        free = torch.where(mask[..., None, None], unit, free)
        share = _squared(left.unflatten(-1, (p, size)), free) / residual.unsqueeze(-1)
        n = self.n[b, j].unsqueeze(-1)
        gained = -0.5 * n * torch.log1p(-share.clamp(0.0, 1 - 1e-9))
        # What a parent is worth: the rise of the residual without it.
        at = torch.arange(most)
        by_parent = inverse.unflatten(1, (most, size)).unflatten(3, (most, size))
        worse = _squared(weights.unflatten(-1, (most, size)), by_parent[:, at, :, at].movedim(0, 1))
        lost = 0.5 * n * torch.log1p(worse / residual.unsqueeze(-1))
        lost = gained.new_zeros(len(b), p + 1).scatter(1, index, lost)[:, :p]
        self.residual[b, j] = residual
        self.change[b, j] = torch.where(mask, lost, gained)


def _squared(
    vectors: Float[Tensor, "k m size"], matrices: Float[Tensor, "k m size size"]
) -> Float[Tensor, "k m"]:
    """Compute v' M^-1 v."""
    if vectors.shape[-1] == 1:
        return (vectors.square() / matrices.squeeze(-1)).squeeze(-1)
    return (vectors * torch.linalg.solve(matrices, vectors)).sum(-1)
