"""Which state space the readings speak for: noiseless or noisy sensors, with or without drift."""

from __future__ import annotations

import math

import torch

from aetia.discovery.rcgnn.linear.expectation_maximisation import (
    FittedStates,
    clean_moments,
    em_step,
    fit_states,
)
from aetia.discovery.rcgnn.linear.state_space import smooth
from aetia.discovery.rcgnn.readings import Readings

__all__ = ["choose_states"]

_NOISELESS = 1e-3


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
    log-likelihood by more than the information criterion asks.

    Args:
        readings: Standardised readings.
        n_lags: Longest lag.
        drift: Whether sensors drift; None decides by the likelihood.
        outlier_score: As for :func:`fit_states`.

    Returns:
        The chosen fit.
    """
    fitted = fit_states(readings, n_lags=n_lags, drift=drift is True, outlier_score=outlier_score)
    n_cells = int(fitted.observed.sum())
    clean = _without_noise(fitted, readings)
    allowance = 0.5 * fitted.model.d * math.log(n_cells)
    if _likelihood(clean) > _likelihood(fitted) - allowance:
        fitted = clean
    if drift is None:
        drifting = fit_states(
            readings,
            n_lags=n_lags,
            drift=True,
            outlier_score=outlier_score,
            start=fitted.model,
            n_cycles=5,
            n_own_cycles=0,
        )
        # Outliers may differ: compare on the readings that both use.
        if (
            _likelihood(drifting) / int(drifting.observed.sum())
            > (_likelihood(fitted) + 0.5 * math.log(n_cells)) / n_cells
        ):
            return drifting
    return fitted


def _likelihood(fitted: FittedStates) -> float:
    return fitted.smoothed.log_likelihood


def _without_noise(fitted: FittedStates, readings: Readings) -> FittedStates:
    model = fitted.model._replace(
        sensor_variance=torch.full_like(fitted.model.sensor_variance, _NOISELESS)
    )
    x = readings.values - fitted.level[readings.regime].unsqueeze(1)
    x = torch.where(fitted.observed, x, 0.0)
    for _ in range(8):
        model, _ = em_step(
            x, fitted.observed, readings.live, fitted.patterns, model, keep_sensors=True
        )
    smoothed = smooth(x, fitted.patterns, model)
    return fitted._replace(
        model=model,
        smoothed=smoothed,
        moments=clean_moments(smoothed, fitted.patterns, readings.live, model),
    )
