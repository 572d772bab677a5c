"""Readings that disagree with everything else that was read."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.rcgnn.states.state_space import (
    Patterns,
    Smoothed,
    StateSpace,
    noiseless_variance,
)

__all__ = ["CentredReadings", "FlaggedOutliers", "SmoothedStates", "find_outliers"]


_LEAST_PRECISION = 0.1
"""Of a prediction: readings have variance 1, and nothing is known less about them than that."""


class CentredReadings(NamedTuple):
    """Readings about the level of their regime, and what the smoother saw of them."""

    given: Float[Tensor, "n time d"]
    """All readings, 0 where there is none."""
    used: Float[Tensor, "n time d"]
    """What the smoother saw: outliers that were flagged before may have been replaced."""
    observed: Bool[Tensor, "n time d"]
    """Cells with a reading."""
    is_used: Bool[Tensor, "n time d"]
    """Cells that the smoother saw; the other readings were flagged before, and may come back."""


class SmoothedStates(NamedTuple):
    """States given the readings that the smoother saw, and the parameters of the smoother."""

    model: StateSpace
    patterns: Patterns
    """Patterns of the cells that were seen."""
    smoothed: Smoothed


class FlaggedOutliers(NamedTuple):
    """Which readings are outliers, and what the others say in their place."""

    flagged: Bool[Tensor, "n time d"]
    predicted: Float[Tensor, "n time d"]


def find_outliers(
    readings: CentredReadings, states: SmoothedStates, *, score: float
) -> FlaggedOutliers:
    """Find readings that are far from their prediction by all other readings of the block.

    Args:
        readings: Centred readings.
        states: States given those that were used.
        score: Distance in standard deviations of the prediction from which a reading is flagged.

    Returns:
        The outliers, and a prediction for every cell.
    """
    model, patterns, smoothed = states
    mean = smoothed.mean @ model.readout().mT
    spread = noiseless_variance(smoothed, model)[patterns.which].clamp_min(1e-12)
    noise = model.sensor_variance
    # Leave the reading out again: Gaussian precisions subtract.
    left = 1 / (1 / spread - 1 / noise).clamp_min(_LEAST_PRECISION)
    without = left * (mean / spread - readings.used / noise)
    predicted = torch.where(readings.is_used, without, mean)
    variance = torch.where(readings.is_used, left, spread) + noise
    is_far = (readings.given - predicted).abs() > score * variance.sqrt()
    return FlaggedOutliers(readings.observed & is_far, predicted)
