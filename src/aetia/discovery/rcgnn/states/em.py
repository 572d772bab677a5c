r"""Maximum likelihood of the state space by expectation maximisation, accelerated.

The moments of the clean states come out free of sensor noise (errors in variables), drift and
gaps: no interpolation, which would look into the future and manufacture edges. A plain EM step for
the sensor variances is slow where they are weakly identified, so steps are extrapolated
(:mod:`~aetia.discovery.rcgnn.states.squarem`) and kept when the likelihood rises.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.states.fitted import FittedStates
from aetia.discovery.rcgnn.states.levels import LevelledReadings
from aetia.discovery.rcgnn.states.moments import clean_moments, drift_innovations, squared_errors
from aetia.discovery.rcgnn.states.squarem import SMALLEST_VARIANCE, extrapolated
from aetia.discovery.rcgnn.states.state_space import Patterns, Smoothed, StateSpace, smooth

__all__ = ["em_step", "fit_states", "settle_states"]

_ENOUGH = 0.5
"""Rise of the log-likelihood in a cycle below which there are no further ones."""


def fit_states(
    readings: Readings,
    *,
    n_lags: int,
    drift: bool,
    outlier_score: float | None,
    initial: StateSpace | None = None,
    n_cycles: int = 12,
    n_own_cycles: int = 4,
) -> FittedStates:
    """Fit the state space.

    Args:
        readings: Standardised readings.
        n_lags: Longest lag.
        drift: Whether sensors drift.
        outlier_score: Readings this many standard deviations from what all others say are flagged
            as outliers and left out; None keeps all.
        initial: Initial parameters; None takes them from the covariances of the readings.
        n_cycles: Accelerated steps with one noise variance for all sensors, which is well
            identified.
        n_own_cycles: Further ones with a variance for each sensor.

    Returns:
        Parameters, states and their moments.
    """
    levelled = LevelledReadings(readings)
    model = _initial(levelled, n_lags) if initial is None else initial
    if drift and model.drift_variance is None:
        # Above zero, or EM could never leave it: its steps are multiplicative in the variance.
        model = model._replace(drift_variance=torch.full_like(model.sensor_variance, 0.01))
    for _ in range(4 if initial is None else 0):
        model = em_step(levelled.x, levelled.live, levelled.patterns, model, common=True)[0]
    # One noise variance for all sensors first: it is well identified, and from there each sensor's
    # own is found in a few cycles. Outliers are flagged anew in some cycles, as the model that
    # predicts readings gets better; likelihoods before and after that are not comparable.
    for common, cycles, checked in ((True, n_cycles, (2, 5, 8)), (False, n_own_cycles, (0,))):
        before = -math.inf
        for cycle in range(cycles):
            if outlier_score is not None and cycle in checked:
                levelled.flag_outliers(model, outlier_score)
                before = -math.inf
            model, smoothed = _cycle(levelled, model, common=common)
            levelled.move_level(smoothed, model)
            if cycle > max(checked[0], 1) and smoothed.log_likelihood < before + _ENOUGH:
                break
            before = smoothed.log_likelihood
    return levelled.fitted(model)


def settle_states(
    readings: Readings,
    model: StateSpace,
    *,
    outlier_score: float | None,
    n_steps: int,
) -> FittedStates:
    """Adapt a state space to readings without touching the noise and drift of its sensors.

    Args:
        readings: Standardised readings.
        model: Initial parameters.
        outlier_score: Readings this many standard deviations from what all others say are flagged
            as outliers and left out; None keeps all.
        n_steps: EM steps.

    Returns:
        Parameters, states and their moments.
    """
    levelled = LevelledReadings(readings)
    for step in range(n_steps):
        if outlier_score is not None and step == n_steps // 2:
            levelled.flag_outliers(model, outlier_score)
        seen = levelled.x, levelled.live, levelled.patterns
        new, smoothed = em_step(*seen, model, keep_sensors=True)
        levelled.move_level(smoothed, model)
        model = new
    return levelled.fitted(model)


def _cycle(
    levelled: LevelledReadings, model: StateSpace, *, common: bool
) -> tuple[StateSpace, Smoothed]:
    """Make two EM steps and extrapolate them; also return what the given model smoothed."""
    seen = levelled.x, levelled.live, levelled.patterns
    first, smoothed = em_step(*seen, model, common=common)
    second, at_first = em_step(*seen, first, common=common)
    guess = extrapolated(model, first, second)
    if guess is None:
        return second, smoothed
    third, at_guess = em_step(*seen, guess, common=common)
    return (third if at_guess.log_likelihood >= at_first.log_likelihood else second), smoothed


def em_step(
    x: Float[Tensor, "n time d"],
    live: Bool[Tensor, "n time"],
    patterns: Patterns,
    model: StateSpace,
    *,
    common: bool = False,
    keep_sensors: bool = False,
) -> tuple[StateSpace, Smoothed]:
    """Update all parameters once (Shumway and Stoffer, 1982).

    Args:
        x: Centred readings.
        live: Rows that exist.
        patterns: Which of them count, and how much.
        model: Current parameters.
        common: Whether all sensors have the same noise variance.
        keep_sensors: Whether noise and drift of the sensors stay as they are.

    Returns:
        New parameters, and what was smoothed with the current ones.
    """
    smoothed = smooth(x, patterns, model)
    d, n_lags = model.d, model.n_lags
    clean = clean_moments(smoothed, patterns, live, model)
    mean = clean.mean()
    now, past, both = mean[:d, :d], mean[d:, d:], mean[:d, d:]
    slopes = torch.linalg.solve(past, both.mT).mT
    innovation = now - slopes @ both.mT
    innovation = 0.5 * (innovation + innovation.mT) + 1e-8 * torch.eye(d).to(x)
    new = model._replace(
        coefficients=slopes.unflatten(1, (n_lags, d)).transpose(0, 1).contiguous(),
        innovation=innovation,
    )
    if keep_sensors:
        return new, smoothed
    precision = patterns.cells()
    gaps = torch.where(precision > 0, squared_errors(x, smoothed, patterns, model), 0.0)
    squares, counts = (precision * gaps).sum((0, 1)), (precision > 0).sum((0, 1))
    own = squares / counts.clamp_min(1)
    pooled = (squares.sum() / counts.sum()).expand(d)
    new = new._replace(sensor_variance=(pooled if common else own).clamp_min(SMALLEST_VARIANCE))
    if model.drift_variance is not None:
        squares = drift_innovations(smoothed, patterns, live, model)
        new = new._replace(drift_variance=squares.mean().expand(d).clamp_min(1e-6))
    return new, smoothed


def _initial(levelled: LevelledReadings, n_lags: int) -> StateSpace:
    """Take pairwise-complete covariances within a step, and an autocorrelation of one half."""
    x, seen = levelled.x.flatten(0, 1), levelled.observed.flatten(0, 1).to(levelled.x)
    covariance = x.mT @ x / (seen.mT @ seen).clamp_min(1)
    values, vectors = torch.linalg.eigh(covariance)
    d = x.shape[1]
    coefficients = x.new_zeros(n_lags, d, d)
    coefficients[0] = 0.5 * torch.eye(d).to(x)
    return StateSpace(
        coefficients,
        0.6 * vectors @ torch.diag(values.clamp_min(0.05)) @ vectors.mT,
        x.new_full((d,), 0.1),
    )
