r"""Greedy search for the graph of an additive process: where the gates start.

Each candidate i enters target j by a curve, a straight line plus Gaussian bumps at quantiles,

.. math::
    s_t^j = \sum_{(i, \tau) \in \mathrm{pa}_j} g_{ij\tau}(s_{t-\tau}^i) + m_e^j + \sigma^j u_t^j,

and a graph scores :math:`-\tfrac{n_j}{2} \log \hat\sigma_j^2(\mathrm{pa}_j)` less
:math:`\tfrac{1}{2} \lambda B \log n_j` for each parent, which has B coefficients (CAM, Bühlmann,
Peters and Ernest, 2014, by moves that may also delete and reverse). Regressions on every variable
at once, which is what gradients see, are nearly symmetric within a step; scores of graphs are not.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.linear.structure_search import LaggedConstraints
from aetia.graphs import transitive_closure

__all__ = ["N_FEATURES", "AdditiveGraphs", "candidate_steps", "curve_features", "search_additive"]

_QUANTILES = (0.1, 0.35, 0.65, 0.9)
N_FEATURES = 1 + len(_QUANTILES)
"""Coefficients of a curve: what an edge is charged for."""
_RIDGE = 1e-3


class AdditiveGraphs(NamedTuple):
    """Graphs, one for each draw of the states: within the step, lag 1, ...; cause in rows."""

    edges: Bool[Tensor, "s m d d"]
    evidence: Float[Tensor, "s m d d"]
    """Score with the edge less score without it, the rest of the graph as it is; positive too for
    edges that would close a cycle."""


def candidate_steps(
    states: Float[Tensor, "*s n time d"], live: Bool[Tensor, "n time"], n_lags: int
) -> tuple[Float[Tensor, "*s k p"], Int[Tensor, " k"]]:
    """Lay (s_t, s_{t-1}, ..., s_{t-L}) side by side for every step that has its past.

    Args:
        states: Clean states, with any leading dimensions.
        live: Rows that exist.
        n_lags: Longest lag.

    Returns:
        The candidates, p = d (1 + L), and the window of each step.
    """
    time = states.shape[-2]
    past = [slice(n_lags - lag, time - lag) for lag in range(n_lags + 1)]
    counted = torch.stack([live[:, at] for at in past]).all(0)
    side = torch.cat([states[..., at, :] for at in past], -1)
    window, _ = counted.nonzero(as_tuple=True)
    return side[..., counted, :], window


def curve_features(candidates: Float[Tensor, "k p"]) -> Float[Tensor, "k p features"]:
    """Expand each candidate into a line and bumps.

    Args:
        candidates: One column each.

    Returns:
        Features, each with standard deviation 1.
    """
    level = torch.tensor(_QUANTILES).to(candidates)
    centres = torch.quantile(candidates, level, dim=0)
    width = (centres[1:] - centres[:-1]).mean(0).clamp_min(1e-6)
    bumps = (-0.5 * ((candidates.unsqueeze(-1) - centres.mT) / width.unsqueeze(-1)).square()).exp()
    features = torch.cat([candidates.unsqueeze(-1), bumps], -1)
    features = features - features.mean(0)
    return features / features.std(0).clamp_min(1e-6)


def search_additive(
    states: Float[Tensor, "s n time d"],
    live: Bool[Tensor, "n time"],
    regime: Int[Tensor, " n"],
    constraints: LaggedConstraints,
    *,
    information: Float[Tensor, " d"],
    penalty: float,
) -> AdditiveGraphs:
    """Search a graph in each draw of the states.

    Args:
        states: Draws of the clean states; their differences are what the readings leave open.
        live: Rows that exist.
        regime: Of each window.
        constraints: What is known.
        information: Share of each variable that the readings determine; it scales n.
        penalty: Lambda; 1 is the Bayesian information criterion.

    Returns:
        A graph for each draw, acyclic within the step.
    """
    d = states.shape[-1]
    n_lags = constraints.forbidden.shape[-1] // d - 1
    candidates, window = candidate_steps(states.double(), live, n_lags)
    of_regime = regime[window]
    grams = []
    for draw in candidates:
        features = curve_features(draw)
        targets = draw[:, :d] / draw[:, :d].std(0)
        columns = torch.cat([features.flatten(1), targets], 1)
        columns = columns - _means_by_regime(columns, of_regime)
        grams.append(columns.mT @ columns / len(columns))
    n = (len(window) * information.double()).clamp_min(20.0)
    climb = _Climb(torch.stack(grams), n, constraints, penalty)
    for _ in range(20 * d):
        if not climb.move():
            break
    by_lag = (0, 2, 3, 1)
    return AdditiveGraphs(
        climb.parents.unflatten(-1, (-1, d)).permute(by_lag),
        climb.evidence().unflatten(-1, (-1, d)).permute(by_lag),
    )


def _means_by_regime(columns: Tensor, regime: Tensor) -> Tensor:
    k = int(regime.max()) + 1
    sums = columns.new_zeros(k, columns.shape[1]).index_add(0, regime, columns)
    counts = torch.bincount(regime, minlength=k).clamp_min(1).to(columns)
    return (sums / counts.unsqueeze(-1))[regime]


class _Climb:
    """State of the search: parents of all draws, and the gain of every possible change."""

    def __init__(
        self,
        gram: Tensor,
        n: Tensor,
        constraints: LaggedConstraints,
        penalty: float,
    ) -> None:
        self.known, self.n, self.size = constraints, n, N_FEATURES
        self.d = len(n)
        self.p = constraints.forbidden.shape[-1]
        self.b = len(gram)
        k = self.p * N_FEATURES
        ridge = torch.cat([torch.full((k,), _RIDGE), torch.zeros(self.d)]).to(gram)
        # The last block is a dummy that pads lists of parents.
        self.gram = torch.nn.functional.pad(
            gram[:, :k, :k] + torch.diag(ridge[:k]), (0, N_FEATURES, 0, N_FEATURES)
        )
        by_block = self.gram[:, :k, :k].unflatten(1, (self.p, self.size))
        by_block = by_block.unflatten(3, (self.p, self.size))
        self.spread = by_block.diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2).contiguous()
        self.cross = torch.nn.functional.pad(gram[:, :k, k:], (0, 0, 0, N_FEATURES))
        self.total = gram[:, k:, k:].diagonal(dim1=-2, dim2=-1)
        self.price = 0.5 * penalty * N_FEATURES * n.log()
        self.parents = torch.zeros(self.b, self.d, self.p, dtype=torch.bool, device=n.device)
        self.parents[:, :, : self.d] |= constraints.required
        self.reach = transitive_closure(self.within())
        self.change = gram.new_zeros(self.b, self.d, self.p)
        every = torch.cartesian_prod(torch.arange(self.b), torch.arange(self.d)).view(-1, 2)
        self._refresh(every[:, 0].to(n.device), every[:, 1].to(n.device))

    def within(self) -> Bool[Tensor, "b d d"]:
        """Edges within the step, cause in rows."""
        return self.parents[:, :, : self.d].mT

    def evidence(self) -> Float[Tensor, "b d p"]:
        """Log-likelihood of each edge less its price."""
        value = self.change - self.price.unsqueeze(-1)
        return value.masked_fill(self.known.forbidden, -torch.inf)

    def move(self) -> bool:
        """Make the best move of every draw that has one."""
        d, known = self.d, self.known
        lags = self.parents.unflatten(-1, (-1, d)).sum(-2)
        # Beliefs are about causes: they count for the first lag that a cause gets.
        first = torch.where(lags == 0, known.log_odds, 0.0).repeat(1, 1, self.p // d)
        last = torch.where(lags == 1, known.log_odds, 0.0).repeat(1, 1, self.p // d)
        add = (self.evidence() + first).masked_fill(self.parents, -torch.inf)
        needed = ((lags == 1) & known.required).repeat(1, 1, self.p // d)
        delete = -(self.evidence() + last).masked_fill(~self.parents | needed, torch.inf)
        detour = (self.within().double() @ self.reach.double()) > 0
        turned = (delete[:, :, :d] + add[:, :, :d].mT).masked_fill(detour.mT, -torch.inf)
        reverse = torch.full_like(add, -torch.inf)
        reverse[:, :, :d] = turned
        add[:, :, :d] = add[:, :, :d].masked_fill(self.reach, -torch.inf)
        value, which = torch.stack([add, delete, reverse], 1).flatten(1).max(-1)
        at = (value > 1e-9).nonzero().flatten()
        if not len(at):
            return False
        which = which[at]
        kind, target, candidate = which // (d * self.p), which // self.p % d, which % self.p
        self.parents[at, target, candidate] = kind == 0
        turn = kind == 2
        self.parents[at[turn], candidate[turn], target[turn]] = True
        self._refresh(torch.cat([at, at[turn]]), torch.cat([target, candidate[turn]]))
        changed = at[candidate < d]
        if len(changed):
            self.reach[changed] = transitive_closure(self.within()[changed])
        return True

    def _refresh(self, b: Int[Tensor, " k"], j: Int[Tensor, " k"]) -> None:
        """Compute what each candidate adds to some targets, or their parents are worth."""
        mask, size, p = self.parents[b, j], self.size, self.p
        most = max(int(mask.sum(-1).max()), 1)
        numbers = torch.arange(p, device=mask.device)
        index = torch.where(mask, numbers, p).sort(-1).values[:, :most]
        inside = torch.arange(size, device=mask.device)
        columns = (index.unsqueeze(-1) * size + inside).flatten(1)
        rows = self.gram[b.unsqueeze(-1), columns]
        block = rows.gather(2, columns.unsqueeze(1).expand(-1, most * size, -1))
        is_dummy = (index == p).repeat_interleave(size, -1).to(block)
        inverse = torch.linalg.inv(block + torch.diag_embed(is_dummy))
        rows = rows[:, :, : p * size]
        slopes = inverse @ rows
        cross = self.cross[b, :, j][:, : p * size]
        own = self.cross[b, :, j].gather(1, columns)
        weights = (inverse @ own.unsqueeze(-1)).squeeze(-1)
        residual = (self.total[b, j] - (own * weights).sum(-1)).clamp_min(1e-9)
        # What a candidate adds: the part of it that its parents do not explain.
        left = cross - (rows * weights.unsqueeze(-1)).sum(1)
        both = torch.einsum(
            "kmpi,kmpj->kpij", rows.unflatten(-1, (p, size)), slopes.unflatten(-1, (p, size))
        )
        free = self.spread[b] - both + 1e-6 * torch.eye(size).to(both)
        left = left.unflatten(-1, (p, size)).unsqueeze(-1)
        safe = torch.where(mask[..., None, None], torch.eye(size).to(free), free)
        explained = (left * torch.linalg.solve(safe, left)).sum((-2, -1))
        n = self.n[j].unsqueeze(-1)
        share = (explained / residual.unsqueeze(-1)).clamp(0.0, 1 - 1e-6)
        gained = -0.5 * n * torch.log1p(-share)
        # What a parent is worth: the rise of the residual without it.
        at = torch.arange(most, device=b.device)
        own_blocks = inverse.unflatten(1, (most, size)).unflatten(3, (most, size))[:, at, :, at]
        own_blocks = own_blocks.movedim(0, 1)
        w = weights.unflatten(-1, (most, size)).unsqueeze(-1)
        worse = (w * torch.linalg.solve(own_blocks, w)).sum((-2, -1)) / residual.unsqueeze(-1)
        lost = 0.5 * n * torch.log1p(worse)
        full = gained.new_zeros(len(b), p + 1).scatter(1, index, lost)[:, :p]
        self.change[b, j] = torch.where(mask, full, gained)
