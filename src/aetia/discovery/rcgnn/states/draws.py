"""Draws of the clean states given the readings, under the linear state space."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.states.fitted import FittedStates
from aetia.discovery.rcgnn.states.state_space import (
    Smoothed,
    patterns_of,
    smooth,
    stationary_covariance,
)

__all__ = ["draw_states", "guess_without"]


def draw_states(
    readings: Readings, fitted: FittedStates, n_draws: int, generator: torch.Generator
) -> Float[Tensor, "s n time d"]:
    """Draw whole paths by simulation smoothing (Durbin and Koopman, 2002).

    A path and readings of it are simulated, and what the smoother gets wrong about that path is
    added to the smoothed states: exact draws, correlated over time and sensors as they should be,
    from one pass of means each.

    Args:
        readings: Standardised readings.
        fitted: State space.
        n_draws: How many.
        generator: Source of randomness.

    Returns:
        States in the scale of the readings.
    """
    model, d = fitted.model, fitted.model.d
    level = fitted.level[readings.regime].unsqueeze(1)
    forward, readout = model.transition(), model.readout()
    steps = model.step_covariance()
    first = _root(stationary_covariance(forward, steps))
    root, (n, time, _) = _root(steps), readings.values.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=level.dtype)

    precision = fitted.patterns.cells()
    noise = (model.sensor_variance / torch.where(precision > 0, precision, 1.0)).sqrt()
    draws = []
    for _ in range(n_draws):
        path = [normal(n, len(forward)) @ first.mT]
        for _ in range(time - 1):
            path.append(path[-1] @ forward.mT + normal(n, len(forward)) @ root.mT)
        z = torch.stack(path, 1)
        simulated = z @ readout.mT + noise * normal(n, time, d)
        gap = torch.where(fitted.observed, fitted.x - simulated, 0.0)
        corrected = z + smooth(gap, fitted.patterns, model).mean
        draws.append(corrected[..., :d] + level)
    return torch.stack(draws)


def guess_without(
    readings: Readings, fitted: FittedStates, hidden: Bool[Tensor, "n time d"]
) -> tuple[Float[Tensor, "n time d"], Float[Tensor, "n time d"], Float[Tensor, "n time d"]]:
    """Smooth the states as if some readings had not been made.

    Args:
        readings: Standardised readings.
        fitted: State space.
        hidden: Readings to leave out.

    Returns:
        Means and standard deviations of the states, and means of the drifts.
    """
    seen = fitted.observed & ~hidden
    patterns, smoothed = fitted.patterns, fitted.smoothed
    level = fitted.level[readings.regime].unsqueeze(1)
    if bool(hidden.any()):
        patterns = patterns_of(fitted.patterns.cells() * seen)
        smoothed: Smoothed = smooth(torch.where(seen, fitted.x, 0.0), patterns, fitted.model)
    d = fitted.model.d
    variance = smoothed.covariance[..., :d, :d].diagonal(dim1=-2, dim2=-1)[patterns.which]
    drift = torch.zeros_like(readings.values)
    if fitted.model.drift_variance is not None:
        drift = smoothed.mean[..., -d:]
    return smoothed.mean[..., :d] + level, variance.clamp_min(1e-8).sqrt(), drift


def _root(covariance: Tensor) -> Tensor:
    """Factor a covariance that may be singular."""
    values, vectors = torch.linalg.eigh(0.5 * (covariance + covariance.mT))
    return vectors * values.clamp_min(0.0).sqrt()
