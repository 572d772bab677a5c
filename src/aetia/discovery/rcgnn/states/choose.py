"""Which state space fits the readings: noiseless or noisy sensors, with or without drift."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.states.em import fit_states, settle_states
from aetia.discovery.rcgnn.states.fitted import FittedStates
from aetia.discovery.rcgnn.states.heavy_tails import with_heavy_tails
from aetia.discovery.rcgnn.states.levels import states_of_more

__all__ = ["choose_states", "extend_states", "some_blocks"]

_NOISELESS = 1e-6
"""Noise variance of a sensor that reads its state as good as exactly."""
_ENOUGH_STEPS = 3000
"""Steps from which, or from 60 for each sensor, the noise of the sensors is known well enough."""
_MANY_OUTLIERS = 0.005
"""Share of flagged outliers from which the noise of the other readings is not taken for normal."""


def choose_states(
    readings: Readings,
    *,
    n_lags: int,
    drift: bool | None,
    outlier_score: float | None,
) -> FittedStates:
    """Fit, and compare with the simpler and the richer model by their likelihood.

    EM leaves noise variances above zero for long when sensors are perfect, so that model is fitted
    on its own. A drift is one more parameter and doubles the state; it is taken up if it raises the
    log-likelihood by more than the information criterion asks. Where many readings are outliers the
    noise of the others has heavy tails.

    Args:
        readings: Standardised readings.
        n_lags: Longest lag.
        drift: Whether sensors drift; None decides by the likelihood.
        outlier_score: Readings this many standard deviations from what all others say are flagged
            as outliers and left out; None keeps all.

    Returns:
        The chosen fit.
    """
    rows = some_blocks(readings)
    part = readings if rows is None else readings.select(rows)
    fitted = fit_states(part, n_lags=n_lags, drift=drift is True, outlier_score=outlier_score)
    n_cells = int(fitted.observed.sum())
    # The noiseless model lacks one variance for each sensor, worth half a log of the cells each.
    noiseless = fitted.model._replace(
        sensor_variance=torch.full_like(fitted.model.sensor_variance, _NOISELESS)
    )
    clean = settle_states(part, noiseless, outlier_score=outlier_score, n_steps=8)
    allowance = 0.5 * fitted.model.d * math.log(n_cells)
    if _per_cell(clean) > _per_cell(fitted) - allowance / n_cells:
        fitted = clean
    if drift is None:

        def drifting(initial: FittedStates, n_cycles: int) -> FittedStates:
            return fit_states(
                part,
                n_lags=n_lags,
                drift=True,
                outlier_score=outlier_score,
                initial=initial.model,
                n_cycles=n_cycles,
                n_own_cycles=0,
            )

        # A few cycles show whether a drift is worth its parameter; only then is it fitted well.
        first = drifting(fitted, 3)
        if _per_cell(first) > _per_cell(fitted) + 0.5 * math.log(n_cells) / n_cells:
            fitted = drifting(first, 5)
    if rows is not None:
        fitted = settle_states(readings, fitted.model, outlier_score=outlier_score, n_steps=2)
    if fitted.n_outliers > _MANY_OUTLIERS * int(fitted.observed.sum()):
        return with_heavy_tails(fitted, readings)
    return fitted


def extend_states(
    fitted: FittedStates, readings: Readings, *, outlier_score: float | None
) -> FittedStates:
    """Smooth further readings under a state space that was chosen on some of them.

    Args:
        fitted: States fitted to a part of the blocks.
        readings: All of them, in every regime of the part.
        outlier_score: Readings this many standard deviations from what all others say are flagged
            as outliers and left out; None keeps all.

    Returns:
        The same parameters and information, with the states of all readings.
    """
    whole = states_of_more(fitted, readings, outlier_score=outlier_score)
    if math.isfinite(fitted.degrees_of_freedom):
        whole = with_heavy_tails(whole, readings, n_steps=2, learn=False)
    moments = whole.moments._replace(information=fitted.moments.information)
    return whole._replace(moments=moments)


def _per_cell(fitted: FittedStates) -> float:
    """Average the log-likelihood over readings: fits may flag different outliers."""
    return fitted.smoothed.log_likelihood / int(fitted.observed.sum())


def some_blocks(readings: Readings) -> Int[Tensor, " k"] | None:
    """Choose blocks from all over long recordings, enough to estimate the noise of the sensors.

    Args:
        readings: Standardised readings.

    Returns:
        Numbers of the blocks; None if all are needed.
    """
    d, n_steps = readings.values.shape[-1], int(readings.live.sum())
    every = n_steps // max(_ENOUGH_STEPS, 60 * d)
    if every < 2:
        return None
    regimes = range(int(readings.regime.max()) + 1)
    return torch.cat([(readings.regime == e).nonzero().flatten()[::every] for e in regimes])
