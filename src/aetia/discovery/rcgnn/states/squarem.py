"""Extrapolation of EM steps (SQUAREM, Varadhan and Roland, 2008, scheme S3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from aetia.discovery.rcgnn.states.state_space import StateSpace

__all__ = ["SMALLEST_VARIANCE", "extrapolated"]

SMALLEST_VARIANCE = 1e-3
"""Of the noise of a sensor, where readings have variance 1: below it nothing is gained."""


def extrapolated(first: StateSpace, second: StateSpace, third: StateSpace) -> StateSpace | None:
    """Extrapolate two EM steps in unconstrained coordinates.

    Args:
        first: Parameters.
        second: The same, an EM step later.
        third: The same, another EM step later.

    Returns:
        Parameters further along the way; None if that is no usable state space, or no further than
        ``third``.
    """
    a, b, c = _free(first), _free(second), _free(third)
    step, curvature = b - a, c - 2 * b + a
    length = -float(step.norm() / curvature.norm().clamp_min(1e-12))
    length = max(min(length, -1.0), -16.0)
    if length == -1.0:
        return None
    guess = _bound(a - 2 * length * step + length**2 * curvature, third)
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
        sensor_variance=pieces[3].exp().clamp_min(SMALLEST_VARIANCE),
        drift_variance=None if drift is None else pieces[4].exp().clamp_min(1e-6),
    )
