"""Overlap: which treatments every unit could have received, out of fold."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from aetia.effects.causalbgm.fitted import Fitted
from aetia.results import Overlap

__all__ = ["dose_overlap", "overlap_of"]

_LEAST_PROBABILITY = 0.05
"""Units with a smaller one for an arm are not compared with it."""

_LEAST_DENSITY = 0.1
"""The same for doses: of their density among all units."""

_UNITS = 1000
"""At most so many units stand for all where densities are averaged."""


def overlap_of(fit: Fitted) -> Overlap:
    """Compare the treatment of every unit with the one expected from its covariates, out of fold.

    Args:
        fit: The ensemble.

    Returns:
        Expected treatments, weights, and a verdict.
    """
    location, spread = (a.mean(0) for a in fit.out_of_fold_treatment())
    t = fit.table.treatment
    if fit.table.is_binary:
        # Finite weights; units this far out are not compared whatever their weight.
        e = np.clip(location, 1e-3, 1 - 1e-3)
        weights = np.where(t == 1, t.mean() / e, (1 - t.mean()) / (1 - e))
        comparable = np.minimum(location, 1 - location) >= _LEAST_PROBABILITY
        arms = (str(fit.table.arms[0]), str(fit.table.arms[1]))
    else:
        weights, comparable = dose_overlap(t, location, spread)
        arms = None
    return Overlap(
        expected=location,
        received=t,
        weights=weights,
        comparable=comparable.astype(float),
        name=fit.table.treatment_name,
        arms=arms,
    )


def dose_overlap(
    t: Float[np.ndarray, " n"],
    location: Float[np.ndarray, " n"],
    spread: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Weigh every unit's dose, and find which doses it could have received.

    Doses are normal given covariates. Their distribution among all units is the mixture of the
    conditional distributions of at most 1,000 units, and the doses that are compared are theirs.

    Args:
        t: Doses.
        location: Expected doses.
        spread: Standard deviations given the covariates.

    Returns:
        Stabilised weights p(t) / p(t | v), and the share of doses t' with p(t' | v) of at least a
        tenth of p(t'), zero where the unit's own dose is not one of them.
    """
    some = np.linspace(0, len(t) - 1, min(len(t), _UNITS)).astype(int)

    def log_density(doses: np.ndarray, at: np.ndarray) -> np.ndarray:
        u = (doses[:, None] - location[at]) / spread[at]
        return -0.5 * u**2 - np.log(spread[at])

    among_all = logsumexp(log_density(t[some], some), axis=1) - np.log(len(some))
    weights, comparable = np.empty(len(t)), np.empty(len(t))
    for rows in np.array_split(np.arange(len(t)), -(-len(t) // _UNITS)):
        average = logsumexp(log_density(t[rows], some), axis=1) - np.log(len(some))
        own = -0.5 * ((t[rows] - location[rows]) / spread[rows]) ** 2 - np.log(spread[rows])
        weights[rows] = np.exp(np.clip(average - own, -50, 50))
        could = log_density(t[some], rows) >= among_all[:, None] + np.log(_LEAST_DENSITY)
        comparable[rows] = could.mean(0)
    return weights, np.where(weights <= 1 / _LEAST_DENSITY, comparable, 0.0)
