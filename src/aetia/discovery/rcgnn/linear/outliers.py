"""Readings that disagree with everything else that was read."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.rcgnn.linear.state_space import Patterns, Smoothed, StateSpace

__all__ = ["Outliers", "find_outliers"]


_LEAST_PRECISION = 0.1
"""Of a prediction: readings have variance 1, and nothing is known less about them than that."""


class Outliers(NamedTuple):
    """Which readings are wild, and what the others say in their place."""

    found: Bool[Tensor, "n time d"]
    predicted: Float[Tensor, "n time d"]


def find_outliers(
    raw: Float[Tensor, "n time d"],
    x: Float[Tensor, "n time d"],
    observed: Bool[Tensor, "n time d"],
    used: Bool[Tensor, "n time d"],
    patterns: Patterns,
    model: StateSpace,
    smoothed: Smoothed,
    score: float,
) -> Outliers:
    """Find readings that are far from their prediction by all other readings of the window.

    Args:
        raw: Centred readings.
        x: What the smoother saw of them: outliers found before may have been replaced.
        observed: Cells with a reading.
        used: Those that the smoother saw; the others were marked before, and may come back.
        patterns: Of ``used``.
        model: Parameters.
        smoothed: States given the used readings.
        score: Distance in standard deviations of the prediction.

    Returns:
        The outliers, and a prediction for every cell.
    """
    readout = model.readout()
    mean = smoothed.mean @ readout.mT
    spread = torch.einsum("jk,utkl,jl->utj", readout, smoothed.covariance, readout)
    spread = spread[patterns.which].clamp_min(1e-12)
    noise = model.sensor_variance
    # Leave the reading out again: Gaussian precisions subtract.
    left = 1 / (1 / spread - 1 / noise).clamp_min(_LEAST_PRECISION)
    without = left * (mean / spread - x / noise)
    predicted = torch.where(used, without, mean)
    variance = torch.where(used, left, spread) + noise
    return Outliers(observed & ((raw - predicted).abs() > score * variance.sqrt()), predicted)
