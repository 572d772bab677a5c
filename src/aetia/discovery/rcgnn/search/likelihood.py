"""How well a graph explains the readings themselves, not moments that were estimated without it.

Moments of clean states are estimated under a model with every edge. Where sensors are noisy or
readings are missing they carry errors that a thorough search fits: it finds graphs with better
scores and more wrong edges. The likelihood of the readings, with weights on the edges of the graph
alone, has no such errors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.search.weights import weights_given_graph
from aetia.discovery.rcgnn.states.fitted import FittedStates
from aetia.discovery.rcgnn.states.moments import CleanMoments, clean_moments
from aetia.discovery.rcgnn.states.state_space import StateSpace, smooth

__all__ = ["Explained", "constrained_model", "explain"]


class Explained(NamedTuple):
    """Readings explained by the weights on the edges of one graph."""

    parents: Bool[Tensor, "d p"]
    """Target by candidate."""
    log_likelihood: float
    """Log-likelihood of the readings."""
    model: StateSpace
    moments: CleanMoments
    """Moments of the clean states, if the graph is true."""


def constrained_model(
    moments: Float[Tensor, "p p"], parents: Bool[Tensor, "d p"], like: StateSpace
) -> StateSpace:
    r"""Fit the weights of a graph to moments and bring them into the reduced form.

    .. math:: s_t = (I - W_0^\top)^{-1} \Big(\sum_\tau W_\tau^\top s_{t-\tau} + u_t\Big).

    Args:
        moments: Second moments of (s_t, s_{t-1}, ...).
        parents: Target by candidate.
        like: State space whose sensors are kept.

    Returns:
        The state space of the graph.
    """
    weights = weights_given_graph(moments.numpy(), parents.numpy())
    d = len(parents)
    inverse = np.linalg.inv(np.eye(d) - weights.by_lag[0].T)
    lagged = inverse @ weights.by_lag[1:].transpose(0, 2, 1)
    innovation = (inverse * weights.residual_variance) @ inverse.T
    return like._replace(
        coefficients=torch.from_numpy(lagged),
        innovation=torch.from_numpy(0.5 * (innovation + innovation.T)),
    )


def explain(
    parents: Bool[Tensor, "d p"],
    fitted: FittedStates,
    readings: Readings,
    *,
    like: Explained | FittedStates,
    n_steps: int,
) -> Explained:
    """Fit the weights of a graph to the readings, by EM steps that keep the sensors as they are.

    Args:
        parents: Target by candidate.
        fitted: Readings about their levels.
        readings: The same.
        like: Initial parameters and moments, and the sensors.
        n_steps: EM steps.

    Returns:
        The fit.
    """
    model, moments, value = like.model, like.moments, 0.0
    for _ in range(n_steps):
        model = constrained_model(moments.mean(), parents, model)
        smoothed = smooth(fitted.x, fitted.patterns, model)
        value = smoothed.log_likelihood
        moments = clean_moments(smoothed, fitted.patterns, readings.live, model)
    return Explained(parents, value, model, moments)
