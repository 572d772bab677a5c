r"""Which mechanisms differ between regimes: few, by assumption (sparse mechanism shift).

The weights of regime e are those that all regimes share plus a delta, :math:`W_e = W + D_e`, where
the group of all weights into a variable is zero unless the regime changes its mechanism
(Schölkopf et al., 2021). Groups are added while the information criterion improves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["SparseShifts", "sparse_shifts"]


class SparseShifts(NamedTuple):
    """Weights that regimes share, and differences between regimes; cause in rows."""

    shared: Float[np.ndarray, "m d d"]
    """By lag, 0 first: the weights of all regimes whose mechanism did not change."""
    deltas: Float[np.ndarray, "k m d d"]
    """Added to the shared weights: regime, lag (0 first), cause, effect."""
    noise_variance: Float[np.ndarray, "k d"]
    """Variance of what is left of every variable in every regime."""
    changed: Bool[np.ndarray, "k d"]
    """Whose weights differ."""


def sparse_shifts(
    moments: Float[np.ndarray, "k p p"],
    steps: Float[np.ndarray, " k"],
    parents: Bool[np.ndarray, "d p"],
    *,
    penalty: float,
) -> SparseShifts:
    """Find the regimes in which a variable has weights of its own.

    Args:
        moments: Mean second moments of (s_t, s_{t-1}, ...) in each regime, about its level.
        steps: Effective steps of each regime.
        parents: Target by candidate.
        penalty: Penalty weight of each weight that differs in a regime, in BIC units.

    Returns:
        The deltas, zero where nothing changed.
    """
    n_regimes, (d, p) = len(moments), parents.shape
    common = np.zeros((d, p))
    deltas, changed = np.zeros((n_regimes, d, p)), np.zeros((n_regimes, d), dtype=bool)
    variance = np.ones((n_regimes, d))
    for j in range(d):
        at = np.flatnonzero(parents[j])
        blocks = moments[:, at[:, None], at]
        cross, own = moments[:, at, j], moments[:, j, j]
        apart: list[int] = []
        best = _fit(blocks, cross, own, steps, apart)
        while len(apart) < n_regimes - 1 and len(at):
            trials = {
                e: _fit(blocks, cross, own, steps, [*apart, e])
                for e in range(n_regimes)
                if e not in apart
            }
            e = max(trials, key=lambda k: trials[k][0])
            allowance = 0.5 * penalty * len(at) * np.log(steps.sum())
            if trials[e][0] - best[0] <= allowance:
                break
            apart, best = [*apart, e], trials[e]
        _, slopes, left = best
        # What most regimes share is the mechanism; the others differ from it.
        shared = slopes[next(e for e in range(n_regimes) if e not in apart)]
        common[j, at] = shared
        for e in apart:
            deltas[e, j, at] = slopes[e] - shared
            changed[e, j] = True
        variance[:, j] = left
    by_lag = deltas.reshape(n_regimes, d, p // d, d).transpose(0, 2, 3, 1)
    weights = common.reshape(d, p // d, d).transpose(1, 2, 0)
    return SparseShifts(weights, by_lag, variance, changed)


def _fit(
    blocks: np.ndarray, cross: np.ndarray, own: np.ndarray, steps: np.ndarray, apart: list[int]
) -> tuple[float, np.ndarray, np.ndarray]:
    """Fit shared weights, and own ones where set apart; noise is always a regime's own."""
    together = [e for e in range(len(steps)) if e not in apart]
    slopes = np.zeros(cross.shape)
    left = np.maximum(own, 1e-10)
    for group in [together, *[[e] for e in apart]]:
        for _ in range(3):  # weighted by the noise of each regime, which depends on the slopes
            weight = steps[group] / left[group]
            system = np.einsum("e,eab->ab", weight, blocks[group])
            target = np.einsum("e,ea->a", weight, cross[group])
            slope = np.linalg.solve(system, target) if len(target) else target
            for e in group:
                slopes[e] = slope
                gap = own[e] - 2 * slope @ cross[e] + slope @ blocks[e] @ slope
                left[e] = max(gap, 1e-10)
    return float(-0.5 * (steps * np.log(left)).sum()), slopes, left
