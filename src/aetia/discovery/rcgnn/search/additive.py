r"""Greedy search for the graph of an additive process, from which gates are initialised.

Each candidate i enters target j by a curve, a straight line plus Gaussian bumps at quantiles,

.. math::
    s_t^j = \sum_{(i, \tau) \in \mathrm{pa}_j} g_{ij\tau}(s_{t-\tau}^i) + m_e^j + \sigma^j u_t^j,

and graphs are scored as in ``moves`` (CAM, Bühlmann, Peters and Ernest, 2014, by moves that
may also delete and reverse). Regressions on every variable at once, which is what gradients see,
are nearly symmetric within a step; scores of graphs are not.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.recordings.regimes import means_by_regime
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints
from aetia.discovery.rcgnn.search.moves import search_from
from aetia.discovery.rcgnn.search.regressions import Regressions

__all__ = ["N_FEATURES", "AdditiveGraphs", "candidate_steps", "curve_features", "search_additive"]

_QUANTILES = (0.1, 0.35, 0.65, 0.9)
N_FEATURES = 1 + len(_QUANTILES)
"""Coefficients of a curve; an edge has the penalty of so many."""
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
        The candidates, p = d (1 + L), and the block of each step.
    """
    time = states.shape[-2]
    past = [slice(n_lags - lag, time - lag) for lag in range(n_lags + 1)]
    counted = torch.stack([live[:, at] for at in past]).all(0)
    side = torch.cat([states[..., at, :] for at in past], -1)
    block, _ = counted.nonzero(as_tuple=True)
    return side[..., counted, :], block


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
    initial: Bool[Tensor, "d p"] | None = None,
) -> AdditiveGraphs:
    """Search a graph in each draw of the states.

    Args:
        states: Draws of the clean states; their differences are what the readings leave open.
        live: Rows that exist.
        regime: Code of the regime of each block.
        constraints: What is known.
        information: Share of each variable that the readings determine; it scales n.
        penalty: Penalty weight lambda of an edge; 1 is the Bayesian information criterion.
        initial: Graph to climb from as well as from none, target by candidate.

    Returns:
        A graph for each draw, acyclic within the step.
    """
    d = states.shape[-1]
    n_lags = constraints.forbidden.shape[-1] // d - 1
    candidates, block = candidate_steps(states.double(), live, n_lags)
    n = (len(block) * information.double()).clamp_min(20.0)
    curves = _curves(candidates, regime[block], d)
    graphs = search_from(initial, curves, n.expand(len(states), -1), constraints, penalty=penalty)
    by_lag = (0, 2, 3, 1)
    return AdditiveGraphs(
        graphs.parents.unflatten(-1, (-1, d)).permute(by_lag),
        graphs.evidence.unflatten(-1, (-1, d)).permute(by_lag),
    )


def _curves(candidates: Float[Tensor, "s k p"], regime: Int[Tensor, " k"], d: int) -> Regressions:
    """Regress on curves of the candidates, about the means of each regime."""
    grams = []
    for draw in candidates:
        features = curve_features(draw)
        targets = draw[:, :d] / draw[:, :d].std(0)
        columns = torch.cat([features.flatten(1), targets], 1)
        steps, n_regimes = columns.new_ones(len(columns), 1), int(regime.max()) + 1
        columns = columns - means_by_regime(columns, steps, regime, n_regimes).mean[regime]
        grams.append(columns.mT @ columns / len(columns))
    gram, q = torch.stack(grams), candidates.shape[-1] * N_FEATURES
    return Regressions(
        gram[:, :q, :q] + _RIDGE * torch.eye(q).to(gram),
        gram[:, :q, q:],
        gram[:, q:, q:].diagonal(dim1=-2, dim2=-1),
        N_FEATURES,
    )
