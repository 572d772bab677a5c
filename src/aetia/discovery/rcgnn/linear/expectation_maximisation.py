r"""Maximum likelihood of the state space by expectation maximisation, accelerated.

The moments of the clean states come out free of sensor noise (errors in variables), drift and
gaps: no interpolation, which would look into the future and manufacture edges. A plain EM step for
the sensor variances is slow where they are weakly identified, so steps are extrapolated (SQUAREM,
Varadhan and Roland, 2008, scheme S3) and kept when the likelihood rises.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.linear.outliers import find_outliers
from aetia.discovery.rcgnn.linear.state_space import (
    Patterns,
    Smoothed,
    StateSpace,
    patterns_of,
    smooth,
)
from aetia.discovery.rcgnn.readings import Readings

__all__ = [
    "CleanMoments",
    "FittedStates",
    "clean_moments",
    "em_step",
    "fit_states",
    "settle_states",
    "smoothed_again",
    "squared_errors",
    "states_of_more",
    "states_of_windows",
]

_SMALLEST_VARIANCE = 1e-3
"""Of sensor noise, where readings have variance 1: below it nothing is gained."""
_ENOUGH = 0.5
"""Rise of the log-likelihood in a cycle below which there are no further ones."""


class CleanMoments(NamedTuple):
    """Second moments of the states, window by window."""

    moments: Float[Tensor, "n p p"]
    """Sums over time of E[z z'], z = (s_t, s_{t-1}, ...)."""
    steps: Float[Tensor, " n"]
    """How many steps were summed."""
    information: Float[Tensor, " d"]
    """Share of the innovations of each sensor that the readings determine."""


class FittedStates(NamedTuple):
    """A fitted state space with its states."""

    model: StateSpace
    level: Float[Tensor, "k d"]
    """Mean of each sensor in each regime."""
    x: Float[Tensor, "n time d"]
    """Readings about it; outliers in complete recordings are replaced by their prediction."""
    observed: Bool[Tensor, "n time d"]
    """Without the readings that were taken for outliers."""
    patterns: Patterns
    smoothed: Smoothed
    moments: CleanMoments
    outliers: Bool[Tensor, "n time d"]
    """Readings that were set aside."""
    freedom: float = math.inf
    """Degrees of freedom of the noise of the sensors; infinite for normal noise."""

    @property
    def noise_variance(self) -> Float[Tensor, " d"]:
        """Variance of the noise of each sensor."""
        heavier = self.freedom / (self.freedom - 2) if math.isfinite(self.freedom) else 1.0
        return self.model.sensor_variance * heavier

    @property
    def n_outliers(self) -> int:
        """Number of readings that were set aside."""
        return int(self.outliers.sum())


def fit_states(
    readings: Readings,
    *,
    n_lags: int,
    drift: bool,
    outlier_score: float | None,
    start: StateSpace | None = None,
    n_cycles: int = 12,
    n_own_cycles: int = 4,
) -> FittedStates:
    """Fit the state space.

    Args:
        readings: Standardised readings.
        n_lags: Longest lag.
        drift: Whether sensors drift.
        outlier_score: Readings this many standard deviations from what all others say are set
            aside; None keeps all.
        start: Where to start; None starts from the variances.
        n_cycles: Accelerated steps with one noise variance for all sensors, which is well
            identified.
        n_own_cycles: Further ones with a variance for each sensor.

    Returns:
        Parameters, states and their moments.
    """
    place = _Place(readings)
    model = _start(place, n_lags) if start is None else start
    if drift and model.drift_variance is None:
        model = model._replace(drift_variance=torch.full_like(model.sensor_variance, 0.01))
    for _ in range(4 if start is None else 0):
        model = em_step(place.x, place.live, place.patterns, model, common=True)[0]
    for common, cycles, checked in ((True, n_cycles, (2, 5, 8)), (False, n_own_cycles, (0,))):
        before = -math.inf
        for cycle in range(cycles):
            if outlier_score is not None and cycle in checked:
                place.set_outliers_aside(model, outlier_score)
                before = -math.inf
            model, smoothed = _cycle(place.x, place.live, place.patterns, model, common=common)
            place.move_level(smoothed, model)
            if cycle > max(checked[0], 1) and smoothed.log_likelihood < before + _ENOUGH:
                break
            before = smoothed.log_likelihood
    return place.fitted(model)


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
        model: Where to start.
        outlier_score: As for :func:`fit_states`.
        n_steps: EM steps.

    Returns:
        Parameters, states and their moments.
    """
    place = _Place(readings)
    for step in range(n_steps):
        if outlier_score is not None and step == n_steps // 2:
            place.set_outliers_aside(model, outlier_score)
        new, smoothed = em_step(place.x, place.live, place.patterns, model, keep_sensors=True)
        place.move_level(smoothed, model)
        model = new
    return place.fitted(model)


def states_of_more(
    fitted: FittedStates, readings: Readings, *, outlier_score: float | None
) -> FittedStates:
    """Smooth further readings under a state space that was fitted to some of them.

    Args:
        fitted: To a part; its parameters and levels are kept.
        readings: All of them, in every regime of the part.
        outlier_score: As for :func:`fit_states`.

    Returns:
        The same parameters with the states of all readings.
    """
    place = _Place(readings)
    place.set_level(fitted.level)
    if outlier_score is not None:
        place.set_outliers_aside(fitted.model, outlier_score)
    return place.fitted(fitted.model)


def states_of_windows(
    fitted: FittedStates, rows: Int[Tensor, " k"], part: Readings
) -> FittedStates:
    """Take the states of some windows.

    Args:
        fitted: States of all windows.
        rows: Numbers of the windows.
        part: Their readings.

    Returns:
        The same parameters, with the states and moments of these windows.
    """
    some = fitted._replace(
        x=fitted.x[rows], observed=fitted.observed[rows], outliers=fitted.outliers[rows]
    )
    return smoothed_again(some, part, patterns_of(fitted.patterns.cells()[rows]), fitted.model)


def smoothed_again(
    fitted: FittedStates, readings: Readings, patterns: Patterns, model: StateSpace
) -> FittedStates:
    """Smooth the readings with other parameters or precisions.

    Args:
        fitted: Readings about their levels.
        readings: The same.
        patterns: Which of them count, and how much.
        model: Parameters.

    Returns:
        The states and moments of these.
    """
    smoothed = smooth(fitted.x, patterns, model)
    moments = clean_moments(smoothed, patterns, readings.live, model)
    return fitted._replace(model=model, patterns=patterns, smoothed=smoothed, moments=moments)


class _Place:
    """Readings about the level of their regime, without outliers; both move as the fit goes on."""

    def __init__(self, readings: Readings) -> None:
        self.readings, self.live = readings, readings.live
        self.observed = readings.observed
        self.patterns = patterns_of(self.observed)
        self.level = _first_level(readings)
        self.values = readings.values
        self.outliers = torch.zeros_like(self.observed)
        self.x = self._centred()

    def _centred(self) -> Tensor:
        x = self.values - self.level[self.readings.regime].unsqueeze(1)
        return torch.where(self.observed, x, 0.0)

    def set_outliers_aside(self, model: StateSpace, score: float) -> None:
        level = self.level[self.readings.regime].unsqueeze(1)
        raw = torch.where(self.readings.observed, self.readings.values - level, 0.0)
        smoothed = smooth(self.x, self.patterns, model)
        wild = find_outliers(
            raw,
            self.x,
            self.readings.observed,
            self.observed,
            self.patterns,
            model,
            smoothed,
            score,
        )
        self.outliers = wild.found
        if len(self.patterns.counts) == 1 and int(wild.found.sum()) < 0.01 * raw.numel():
            # In complete recordings a few are replaced by what the others say, so that windows go
            # on sharing their covariances.
            self.values = torch.where(wild.found, wild.predicted + level, self.readings.values)
        else:
            self.observed = self.readings.observed & ~wild.found
            self.patterns = patterns_of(self.observed)
        self.x = self._centred()

    def set_level(self, level: Tensor) -> None:
        self.level = level
        self.x = self._centred()

    def move_level(self, smoothed: Smoothed, model: StateSpace) -> None:
        states = smoothed.mean[..., : model.d]
        self.set_level(self.level + _means_by_regime(states, self.readings))

    def fitted(self, model: StateSpace) -> FittedStates:
        smoothed = smooth(self.x, self.patterns, model)
        return FittedStates(
            model,
            self.level,
            self.x,
            self.observed,
            self.patterns,
            smoothed,
            clean_moments(smoothed, self.patterns, self.live, model),
            self.outliers,
        )


def _cycle(
    x: Tensor,
    live: Tensor,
    patterns: Patterns,
    model: StateSpace,
    *,
    common: bool,
) -> tuple[StateSpace, Smoothed]:
    """Make two EM steps and extrapolate them; also return what the given model smoothed."""
    first, smoothed = em_step(x, live, patterns, model, common=common)
    second, at_first = em_step(x, live, patterns, first, common=common)
    guess = _extrapolated(model, first, second)
    if guess is None:
        return second, smoothed
    third, at_guess = em_step(x, live, patterns, guess, common=common)
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
    mean = clean.moments.sum(0) / clean.steps.sum()
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
    new = new._replace(sensor_variance=(pooled if common else own).clamp_min(_SMALLEST_VARIANCE))
    if model.drift_variance is not None:
        steps = _drift_steps(smoothed, patterns, live, model)
        new = new._replace(drift_variance=steps.mean().expand(d).clamp_min(1e-6))
    return new, smoothed


def squared_errors(
    x: Float[Tensor, "n time d"], smoothed: Smoothed, patterns: Patterns, model: StateSpace
) -> Float[Tensor, "n time d"]:
    """Compute the expected squared errors of the readings.

    Args:
        x: Centred readings.
        smoothed: States given the readings.
        patterns: Of the readings.
        model: Parameters the states were smoothed with.

    Returns:
        For every cell; of no meaning where nothing was seen.
    """
    readout = model.readout()
    variance = torch.einsum("jk,utkl,jl->utj", readout, smoothed.covariance, readout)
    return (x - smoothed.mean @ readout.mT).square() + variance[patterns.which]


def clean_moments(
    smoothed: Smoothed, patterns: Patterns, live: Bool[Tensor, "n time"], model: StateSpace
) -> CleanMoments:
    """Sum the second moments of the states over the steps of each window.

    Args:
        smoothed: States given the readings.
        patterns: Of the readings.
        live: Rows that exist.
        model: Parameters the states were smoothed with.

    Returns:
        Moments of (s_t, s_{t-1}, ..., s_{t-L}), for t with a row before it.
    """
    d, k = model.d, model.d * model.n_lags
    counted = live[:, 1:] & live[:, :-1]
    weight = counted.to(smoothed.mean)
    z = torch.cat([smoothed.mean[:, 1:, :d], smoothed.mean[:, :-1, :k]], -1)
    moments = torch.einsum("nti,nt,ntj->nij", z, weight, z)
    # Windows of one pattern may still end at different rows.
    groups, which = torch.unique(
        torch.cat([patterns.which[:, None], counted.sum(1, keepdim=True)], 1),
        dim=0,
        return_inverse=True,
    )
    rows = torch.arange(counted.shape[1], device=live.device) < groups[:, 1:]
    at = groups[:, 0]
    now = _sum_time(smoothed.covariance[:, 1:, :d, :d], at, rows)
    past = _sum_time(smoothed.covariance[:, :-1, :k, :k], at, rows)
    both = _sum_time(smoothed.cross[:, :, :d, :k], at, rows)
    spread = torch.cat([torch.cat([now, both], -1), torch.cat([both.mT, past], -1)], -2)
    slopes = torch.cat(tuple(model.coefficients), -1)
    innovations = z[..., :d] - z[..., d:] @ slopes.mT
    squares = torch.einsum("ntj,nt->j", innovations.square(), weight) / weight.sum()
    information = (squares / model.innovation.diagonal()).clamp(0.02, 1.0)
    return CleanMoments(moments + spread[which], weight.sum(1), information)


def _sum_time(blocks: Tensor, at: Tensor, rows: Tensor) -> Tensor:
    return torch.einsum("gtij,gt->gij", blocks[at], rows.to(blocks))


def _drift_steps(
    smoothed: Smoothed, patterns: Patterns, live: Tensor, model: StateSpace
) -> Float[Tensor, " d"]:
    """Compute the mean square of the steps of each drift."""
    d, rho = model.d, model.drift_memory
    c = smoothed.mean[..., -d:]
    spread = smoothed.covariance[:, :, -d:, -d:].diagonal(dim1=-2, dim2=-1)[patterns.which]
    cross = smoothed.cross[:, :, -d:, -d:].diagonal(dim1=-2, dim2=-1)[patterns.which]
    squares = c.square() + spread
    steps = squares[:, 1:] + rho**2 * squares[:, :-1] - 2 * rho * (c[:, 1:] * c[:, :-1] + cross)
    counted = (live[:, 1:] & live[:, :-1]).unsqueeze(-1)
    return torch.where(counted, steps, 0.0).sum((0, 1)) / counted.sum()


def _first_level(readings: Readings) -> Tensor:
    observed = readings.observed
    n_regimes = int(readings.regime.max()) + 1
    x = torch.where(observed, readings.values, 0.0).sum(1)
    sums = x.new_zeros(n_regimes, x.shape[1]).index_add(0, readings.regime, x)
    counts = x.new_zeros(n_regimes, x.shape[1]).index_add(0, readings.regime, observed.sum(1).to(x))
    return sums / counts.clamp_min(1)


def _means_by_regime(states: Tensor, readings: Readings) -> Tensor:
    """Average the states of each regime: what its level still lacks."""
    n_regimes = int(readings.regime.max()) + 1
    weight = readings.live.to(states)
    sums = torch.einsum("ntj,nt->nj", states, weight)
    total = states.new_zeros(n_regimes, states.shape[-1]).index_add(0, readings.regime, sums)
    counts = states.new_zeros(n_regimes).index_add(0, readings.regime, weight.sum(1))
    return total / counts.clamp_min(1)[:, None]


def _start(place: _Place, n_lags: int) -> StateSpace:
    """Start from pairwise-complete covariances within a step and some memory."""
    x, seen = place.x.flatten(0, 1), place.observed.flatten(0, 1).to(place.x)
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


def _extrapolated(first: StateSpace, second: StateSpace, third: StateSpace) -> StateSpace | None:
    """Extrapolate two EM steps (SQUAREM S3) in unconstrained coordinates."""
    a, b, c = _free(first), _free(second), _free(third)
    step, bend = b - a, c - 2 * b + a
    length = -float(step.norm() / bend.norm().clamp_min(1e-12))
    length = max(min(length, -1.0), -16.0)
    if length == -1.0:
        return None
    guess = _bound(a - 2 * length * step + length**2 * bend, third)
    largest = guess.sensor_variance.max()
    if not math.isfinite(float(largest)) or float(largest) > 2.0:
        return None
    return guess if _is_stable(guess) else None


def _is_stable(model: StateSpace) -> bool:
    companion = model._replace(drift_variance=None).transition()
    finite = bool(torch.isfinite(companion).all() and torch.isfinite(model.innovation).all())
    return finite and float(torch.linalg.eigvals(companion).abs().max()) < 0.999


def _free(model: StateSpace) -> Tensor:
    factor = torch.linalg.cholesky(model.innovation)
    parts = [
        model.coefficients.flatten(),
        factor.diagonal().log(),
        factor.tril(-1).flatten(),
        model.sensor_variance.log(),
    ]
    if model.drift_variance is not None:
        parts.append(model.drift_variance.log())
    return torch.cat(parts)


def _bound(free: Tensor, like: StateSpace) -> StateSpace:
    d, n_lags = like.d, like.n_lags
    sizes = [n_lags * d * d, d, d * d, d]
    pieces = free.split([*sizes, len(free) - sum(sizes)])
    factor = torch.diag(pieces[1].exp()) + pieces[2].view(d, d)
    drift = like.drift_variance
    return like._replace(
        coefficients=pieces[0].view(n_lags, d, d),
        innovation=factor @ factor.mT,
        sensor_variance=pieces[3].exp().clamp_min(_SMALLEST_VARIANCE),
        drift_variance=None if drift is None else pieces[4].exp().clamp_min(1e-6),
    )
