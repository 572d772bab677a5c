"""Readings that disagree with everything else that was read."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.rcgnn.linear.state_space import Patterns, Smoothed, StateSpace

__all__ = ["outlying"]


def outlying(
    x: Float[Tensor, "n time d"],
    observed: Bool[Tensor, "n time d"],
    used: Bool[Tensor, "n time d"],
    patterns: Patterns,
    model: StateSpace,
    smoothed: Smoothed,
    score: float,
) -> Bool[Tensor, "n time d"]:
    """Mark readings that are far from their prediction by all other readings of the window.

    Args:
        x: Centred readings.
        observed: Cells with a reading.
        used: Those that the smoother saw; the others were marked before, and may come back.
        patterns: Of ``used``.
        model: Parameters.
        smoothed: States given the used readings.
        score: Distance in standard deviations of the prediction.

    Returns:
        True where a reading is an outlier.
    """
    readout = model.readout()
    mean = smoothed.mean @ readout.mT
    spread = torch.einsum("jk,utkl,jl->utj", readout, smoothed.covariance, readout)
    spread = spread[patterns.which].clamp_min(1e-12)
    noise = model.sensor_variance
    # Leave the reading out again: Gaussian precisions subtract.
    left = 1 / (1 / spread - 1 / noise).clamp_min(1e-6)
    without = left * (mean / spread - x / noise)
    predicted = torch.where(used, without, mean)
    variance = torch.where(used, left, spread) + noise
    return observed & ((x - predicted).abs() > score * variance.sqrt())
