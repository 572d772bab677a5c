"""A fitted state space with the states that it implies, and the same states smoothed anew."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.states.moments import CleanMoments, clean_moments
from aetia.discovery.rcgnn.states.state_space import (
    Patterns,
    Smoothed,
    StateSpace,
    patterns_of,
    smooth,
)

__all__ = ["FittedStates", "smoothed_again", "states_of_blocks"]


class FittedStates(NamedTuple):
    """A fitted state space with its states."""

    model: StateSpace
    level: Float[Tensor, "k d"]
    """Mean of each sensor in each regime."""
    x: Float[Tensor, "n time d"]
    """Readings about it; outliers in complete recordings are replaced by their prediction."""
    observed: Bool[Tensor, "n time d"]
    """Without flagged outliers."""
    patterns: Patterns
    smoothed: Smoothed
    moments: CleanMoments
    outliers: Bool[Tensor, "n time d"]
    """Flagged outliers."""
    degrees_of_freedom: float = math.inf
    """Degrees of freedom of the noise of the sensors; infinite for normal noise."""

    @property
    def noise_variance(self) -> Float[Tensor, " d"]:
        """Variance of the noise of each sensor."""
        dof = self.degrees_of_freedom
        return self.model.sensor_variance * (dof / (dof - 2) if math.isfinite(dof) else 1.0)

    @property
    def n_outliers(self) -> int:
        """Number of flagged outliers."""
        return int(self.outliers.sum())

    def facts(self) -> dict[str, Any]:
        """Sum up the fit for the diagnostics of a result.

        Returns:
            Facts by name.
        """
        return {
            "sensor_noise_share": float(self.noise_variance.mean()),
            "has_heavy_tails": math.isfinite(self.degrees_of_freedom),
            "has_drift": self.model.drift_variance is not None,
            "n_outliers": self.n_outliers,
            "information": float(self.moments.information.mean()),
        }


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


def states_of_blocks(fitted: FittedStates, rows: Int[Tensor, " k"], part: Readings) -> FittedStates:
    """Take the states of some blocks.

    Args:
        fitted: States of all blocks.
        rows: Numbers of the blocks.
        part: Readings of these blocks.

    Returns:
        The same parameters, with the states and moments of these blocks.
    """
    some = fitted._replace(
        x=fitted.x[rows], observed=fitted.observed[rows], outliers=fitted.outliers[rows]
    )
    return smoothed_again(some, part, patterns_of(fitted.patterns.cells()[rows]), fitted.model)
