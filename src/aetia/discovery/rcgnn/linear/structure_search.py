r"""Greedy search for the graph of a linear process, for many moment matrices at once.

The score of a graph is the Gaussian likelihood with a variance of its own for every variable, less
a penalty for every edge:

.. math::
    \sum_j -\frac{n_j}{2} \log \hat\sigma_j^2(\mathrm{pa}_j)
    - \frac{\lambda}{2} |\mathrm{pa}_j| \log n_j,

so it does not depend on the units of the variables (least squares over standardised variables
does, and finds wrong directions). Parents are other variables within the step, without cycles, and
all variables at the lags before. Moves add, delete or reverse an edge; each batch element makes its
best one until none helps. From there, every edge within the step is turned or removed, held so
while the rest adapts, and let go; the best of these graphs is the next start, until none is better.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.graphs import Constraints, is_acyclic, transitive_closure

__all__ = [
    "Found",
    "LaggedConstraints",
    "escape_structure",
    "lagged_constraints",
    "search_structure",
]


class LaggedConstraints(NamedTuple):
    """Knowledge over the candidate parents of each variable, at all lags."""

    forbidden: Bool[Tensor, "*#b d p"]
    """Target, candidate."""
    required: Bool[Tensor, "d d"]
    """Target, cause: at one lag at least."""
    log_odds: Float[Tensor, "d d"]
    """Target, cause: added once if the cause is a parent at any lag."""


class Found(NamedTuple):
    """Graphs, one for each moment matrix; candidates are (within the step, lag 1, lag 2, ...)."""

    parents: Bool[Tensor, "b d p"]
    evidence: Float[Tensor, "b d p"]
    """Score with the edge less score without it, the rest of the graph as it is."""
    score: Float[Tensor, " b"]


def lagged_constraints(constraints: Constraints, n_lags: int) -> LaggedConstraints:
    """Apply statements about causes at every lag; a variable's own past is always free.

    Args:
        constraints: Statements, cause in rows.
        n_lags: Longest lag.

    Returns:
        The same by target and candidate.
    """
    d = len(constraints.forbidden)
    eye = torch.eye(d, dtype=torch.bool)
    within = constraints.forbidden.mT | eye
    lagged = constraints.forbidden.mT & ~eye
    return LaggedConstraints(
        torch.cat([within, *[lagged] * n_lags], -1),
        constraints.required.mT,
        constraints.log_odds.mT,
    )


def search_structure(
    moments: Float[Tensor, "b p p"],
    n: Float[Tensor, "b d"],
    constraints: LaggedConstraints,
    *,
    penalty: float,
    start: Bool[Tensor, "b d p"] | None = None,
    max_moves: int | None = None,
) -> Found:
    """Climb to a graph that no single move improves.

    Args:
        moments: Second moments of (s_t, s_{t-1}, ...), p = d (L + 1).
        n: Effective number of steps, for each variable.
        constraints: What is known.
        penalty: Lambda; 1 is the Bayesian information criterion.
        start: Parents to start from; None starts without edges.
        max_moves: Of one search; None is 20 for each variable.

    Returns:
        Graphs, acyclic within the step, and the evidence for each edge.
    """
    climb = _Climb(moments, n, constraints, penalty, start)
    for _ in range(20 * climb.d if max_moves is None else max_moves):
        if not climb.move():
            break
    return Found(climb.parents, climb.evidence(), climb.score())


def escape_structure(
    moments: Float[Tensor, "p p"],
    n: Float[Tensor, " d"],
    constraints: LaggedConstraints,
    *,
    penalty: float,
    max_rounds: int = 10,
) -> Found:
    """Climb, and climb on from where single moves end, by turning or removing edges for a while.

    Args:
        moments: One matrix of second moments.
        n: Effective number of steps, for each variable.
        constraints: What is known.
        penalty: As for :func:`search_structure`.
        max_rounds: Times that all edges within the step are tried.

    Returns:
        One graph, in a batch of one.
    """
    best = search_structure(moments[None], n[None], constraints, penalty=penalty)
    for _ in range(max_rounds):
        held = _changed_edges(best.parents[0], constraints)
        if held is None:
            break
        many = len(held.starts)
        every = moments.expand(many, -1, -1), n.expand(many, -1)
        locked = constraints._replace(forbidden=constraints.forbidden | held.forbidden)
        adapted = search_structure(*every, locked, penalty=penalty, start=held.starts)
        freed = search_structure(*every, constraints, penalty=penalty, start=adapted.parents)
        at = int(freed.score.argmax())
        if float(freed.score[at]) <= float(best.score[0]) + 1e-6:
            break
        best = Found(*(value[at : at + 1] for value in freed))
    return best


class _Held(NamedTuple):
    starts: Bool[Tensor, "m d p"]
    forbidden: Bool[Tensor, "m d p"]


def _changed_edges(parents: Bool[Tensor, "d p"], constraints: LaggedConstraints) -> _Held | None:
    """Take every edge within the step out, and also turn it where that is allowed."""
    d, p = parents.shape
    target, cause = parents[:, :d].nonzero(as_tuple=True)
    if not len(target):
        return None
    m = torch.arange(len(target))
    removed = parents.expand(len(m), -1, -1).clone()
    removed[m, target, cause] = False
    forbidden = torch.zeros(len(m), d, p, dtype=torch.bool)
    forbidden[m, target, cause] = True
    turned = removed.clone()
    turned[m, cause, target] = True
    known = constraints.forbidden.expand(len(m), -1, -1)[m, cause, target]
    allowed = is_acyclic(turned[:, :, :d].mT) & ~known
    starts = torch.cat([removed, turned[allowed]])
    locked = torch.cat([forbidden, forbidden[allowed]])
    lags = starts.unflatten(-1, (-1, d)).any(-2)
    keeps = (lags | ~constraints.required).flatten(1).all(-1)
    return _Held(starts[keeps], locked[keeps]) if bool(keeps.any()) else None


class _Climb:
    """State of the search: parents, and the gain of every possible change."""

    def __init__(
        self,
        moments: Tensor,
        n: Tensor,
        constraints: LaggedConstraints,
        penalty: float,
        start: Tensor | None,
    ) -> None:
        b, p, _ = moments.shape
        self.b, self.p, self.d = b, p, n.shape[-1]
        self.n, self.known = n, constraints
        # The last candidate is a dummy that pads lists of parents.
        self.moments = torch.nn.functional.pad(moments, (0, 1, 0, 1))
        self.price = 0.5 * penalty * n.log()
        if start is None:
            self.parents = torch.zeros(b, self.d, p, dtype=torch.bool)
            self.parents[:, :, : self.d] |= constraints.required
        else:
            self.parents = start.clone()
        self.reach = transitive_closure(self.parents[:, :, : self.d].mT)
        self.covariance = moments.new_zeros(b, self.d, p)  # with the target, given its parents
        self.variance = moments.new_ones(b, self.d, p)  # of the candidate, given them
        self.residual = moments.new_ones(b, self.d)
        self.loss = moments.new_zeros(b, self.d, p)  # log-likelihood lost without a parent
        self.active = torch.arange(b)  # searches that have not ended
        every = torch.cartesian_prod(torch.arange(b), torch.arange(self.d)).view(-1, 2)
        self._refresh(every[:, 0], every[:, 1])

    def move(self) -> bool:
        """Make the best move of every search that has one; the others end."""
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
        turned = kind == 2
        self.parents[at[turned], candidate[turned], target[turned]] = True
        self._refresh(torch.cat([at, at[turned]]), torch.cat([target, candidate[turned]]))
        changed = at[candidate < self.d]
        if len(changed):
            self.reach[changed] = transitive_closure(self.parents[changed, :, : self.d].mT)
        return True

    def score(self) -> Float[Tensor, " b"]:
        """Score of the graphs."""
        fit = -0.5 * self.n * self.residual.log() - self.price * self.parents.sum(-1)
        caused = self.parents.unflatten(-1, (-1, self.d)).any(-2)
        return fit.sum(-1) + torch.where(caused, self.known.log_odds, 0.0).sum((-2, -1))

    def evidence(self) -> Float[Tensor, "b d p"]:
        """Score with each edge less score without it."""
        every = torch.arange(self.b)
        value = torch.where(self.parents, self.loss, self._gained(every))
        value = value - self.price.unsqueeze(-1)
        return value.masked_fill(self.known.forbidden, -torch.inf)

    def _gained(self, at: Tensor) -> Tensor:
        """Compute the log-likelihood that each candidate would add."""
        square = self.covariance[at].square()
        share = square / (self.variance[at] * self.residual[at].unsqueeze(-1))
        return -0.5 * self.n[at].unsqueeze(-1) * torch.log1p(-share.clamp(0.0, 1 - 1e-9))

    def _gains(self, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        d, known, parents = self.d, self.known, self.parents[at]
        forbidden = known.forbidden[at] if known.forbidden.ndim == 3 else known.forbidden
        lags = parents.unflatten(-1, (-1, d)).sum(-2)  # target, cause: at how many lags
        # Beliefs are about causes: they count for the first lag that a cause gets.
        first = torch.where(lags == 0, known.log_odds, 0.0).repeat(1, 1, self.p // d)
        last = torch.where(lags == 1, known.log_odds, 0.0).repeat(1, 1, self.p // d)
        price = self.price[at].unsqueeze(-1)
        add = self._gained(at) - price + first
        add = add.masked_fill(parents | forbidden, -torch.inf)
        needed = ((lags == 1) & known.required).repeat(1, 1, self.p // d)
        delete = (price - self.loss[at] - last).masked_fill(~parents | needed, -torch.inf)
        turned = add[:, :, :d].mT  # what the parent would gain from its child
        reach = self.reach[at]
        within = parents[:, :, :d].mT
        detour = (within.to(add) @ reach.to(add)) > 0  # a way besides the edge
        reverse = (delete[:, :, :d] + turned).masked_fill(detour.mT, -torch.inf)
        reverse = torch.cat([reverse, torch.full_like(delete[:, :, d:], -torch.inf)], -1)
        closes = torch.cat([reach, torch.zeros_like(parents[:, :, d:])], -1)
        return add.masked_fill(closes, -torch.inf), delete, reverse

    def _refresh(self, b: Int[Tensor, " k"], j: Int[Tensor, " k"]) -> None:
        """Condition all candidates on the parents of some targets."""
        mask, p = self.parents[b, j], self.p
        most = max(int(mask.sum(-1).max()), 1)
        index = torch.where(mask, torch.arange(p), p).sort(-1).values[:, :most]
        own = self.moments[b]
        rows = own.gather(1, index.unsqueeze(-1).expand(-1, -1, p + 1))
        block = rows.gather(2, index.unsqueeze(1).expand(-1, most, -1))
        is_dummy = (index == p).to(block)
        inverse = torch.linalg.inv(block + torch.diag_embed(is_dummy))
        rows = rows[:, :, :p]
        slopes = inverse @ rows
        k = torch.arange(len(b))
        variance = own[:, :p, :p].diagonal(dim1=-2, dim2=-1) - (rows * slopes).sum(1)
        variance = variance.clamp_min(1e-10)
        weights = slopes[k, :, j]
        self.variance[b, j] = variance
        self.covariance[b, j] = own[k, j, :p] - (rows * weights.unsqueeze(-1)).sum(1)
        residual = variance[k, j]
        self.residual[b, j] = residual
        worse = weights.square() / inverse.diagonal(dim1=-2, dim2=-1) / residual.unsqueeze(-1)
        lost = 0.5 * self.n[b, j].unsqueeze(-1) * torch.log1p(worse)
        full = torch.zeros(len(b), p + 1, dtype=lost.dtype)
        self.loss[b, j] = full.scatter(1, index, lost)[:, :p]
