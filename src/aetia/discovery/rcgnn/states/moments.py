"""Second moments of the states, and squared errors of the readings, given the readings."""

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

__all__ = ["CleanMoments", "clean_moments", "drift_innovations", "squared_errors"]


class CleanMoments(NamedTuple):
    """Second moments of the states, block by block."""

    moments: Float[Tensor, "n p p"]
    """Sums over time of E[z z'], z = (s_t, s_{t-1}, ...)."""
    steps: Float[Tensor, " n"]
    """How many steps were summed."""
    information: Float[Tensor, " d"]
    """Share of the innovations of each sensor that the readings determine."""

    def mean(self) -> Float[Tensor, "p p"]:
        """Average over all steps of all blocks.

        Returns:
            The second moments of a step.
        """
        return self.moments.sum(0) / self.steps.sum()


def squared_errors(
    x: Float[Tensor, "n time d"], smoothed: Smoothed, patterns: Patterns, model: StateSpace
) -> Float[Tensor, "n time d"]:
    """Compute the expected squared errors of the readings.

    Args:
        x: Centred readings.
        smoothed: States given the readings.
        patterns: Which readings count, and how much.
        model: Parameters the states were smoothed with.

    Returns:
        For every cell; of no meaning where nothing was seen.
    """
    readout = model.readout()
    variance = noiseless_variance(smoothed, model)
    return (x - smoothed.mean @ readout.mT).square() + variance[patterns.which]


def clean_moments(
    smoothed: Smoothed, patterns: Patterns, live: Bool[Tensor, "n time"], model: StateSpace
) -> CleanMoments:
    """Sum the second moments of the states over the steps of each block.

    Args:
        smoothed: States given the readings.
        patterns: Which readings count, and how much.
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
    # Blocks of one pattern share their covariances, but may still end at different rows.
    groups, which = torch.unique(
        torch.cat([patterns.which[:, None], counted.sum(1, keepdim=True)], 1),
        dim=0,
        return_inverse=True,
    )
    rows = torch.arange(counted.shape[1], device=live.device) < groups[:, 1:]
    at = groups[:, 0]
    now = _summed(smoothed.covariance[:, 1:, :d, :d], at, rows)
    past = _summed(smoothed.covariance[:, :-1, :k, :k], at, rows)
    both = _summed(smoothed.cross[:, :, :d, :k], at, rows)
    spread = torch.cat([torch.cat([now, both], -1), torch.cat([both.mT, past], -1)], -2)
    slopes = torch.cat(tuple(model.coefficients), -1)
    innovations = z[..., :d] - z[..., d:] @ slopes.mT
    squares = torch.einsum("ntj,nt->j", innovations.square(), weight) / weight.sum()
    information = (squares / model.innovation.diagonal()).clamp(0.02, 1.0)
    return CleanMoments(moments + spread[which], weight.sum(1), information)


def _summed(covariances: Tensor, at: Tensor, rows: Tensor) -> Tensor:
    """Sum covariances of patterns over the rows that count."""
    return torch.einsum("gtij,gt->gij", covariances[at], rows.to(covariances))


def drift_innovations(
    smoothed: Smoothed, patterns: Patterns, live: Bool[Tensor, "n time"], model: StateSpace
) -> Float[Tensor, " d"]:
    """Compute the expected square of the innovations of each drift.

    Args:
        smoothed: States given the readings.
        patterns: Which readings count, and how much.
        live: Rows that exist.
        model: Parameters the states were smoothed with, with a drift.

    Returns:
        The mean over all steps, for each sensor.
    """
    d, rho = model.d, model.drift_memory
    c = smoothed.mean[..., -d:]
    spread = smoothed.covariance[:, :, -d:, -d:].diagonal(dim1=-2, dim2=-1)[patterns.which]
    cross = smoothed.cross[:, :, -d:, -d:].diagonal(dim1=-2, dim2=-1)[patterns.which]
    squares = c.square() + spread
    steps = squares[:, 1:] + rho**2 * squares[:, :-1] - 2 * rho * (c[:, 1:] * c[:, :-1] + cross)
    counted = (live[:, 1:] & live[:, :-1]).unsqueeze(-1)
    return torch.where(counted, steps, 0.0).sum((0, 1)) / counted.sum()
