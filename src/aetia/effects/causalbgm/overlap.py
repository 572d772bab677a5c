"""What the ensemble says of who could have received what."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from aetia.effects.causalbgm.fitted import Fitted
from aetia.results import Overlap

__all__ = ["overlap_of"]


def overlap_of(fit: Fitted) -> Overlap:
    """Compare the treatment of every unit with what its covariates let expect, out of fold.

    Args:
        fit: The ensemble.

    Returns:
        Expected treatments, weights, and a verdict.
    """
    location, spread = (a.mean(0) for a in fit.out_of_fold_treatment())
    t = fit.table.treatment
    if fit.table.is_binary:
        e = np.clip(location, 1e-3, 1 - 1e-3)
        weights = np.where(t == 1, t.mean() / e, (1 - t.mean()) / (1 - e))
        arms = (str(fit.table.arms[0]), str(fit.table.arms[1]))
    else:
        weights, arms = _stabilised_weights(t, location, spread), None
    return Overlap(
        expected=location,
        received=t,
        weights=weights,
        name=fit.table.treatment_name,
        arms=arms,
    )


def _stabilised_weights(
    t: Float[np.ndarray, " n"],
    location: Float[np.ndarray, " n"],
    spread: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """p(t) / p(t | v) under normal laws, p(t) being their average over at most 1,000 units."""
    some = np.linspace(0, len(t) - 1, min(len(t), 1000)).astype(int)
    own = -0.5 * ((t - location) / spread) ** 2 - np.log(spread)
    others = -0.5 * ((t[:, None] - location[some]) / spread[some]) ** 2 - np.log(spread[some])
    top = others.max(1, keepdims=True)
    average = top[:, 0] + np.log(np.exp(others - top).mean(1))
    return np.exp(np.clip(average - own, -50, 50))
