"""How well a graph explains the readings themselves, not moments that were estimated without it.

Moments of clean states are estimated under a model with every edge. Where sensors are noisy or
silent they carry errors that a thorough search fits: it finds graphs with better scores and more
wrong edges. The likelihood of the readings, with weights on the edges of the graph alone, has no
such errors.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.rcgnn.linear.expectation_maximisation import FittedStates, clean_moments
from aetia.discovery.rcgnn.linear.refit import refit
from aetia.discovery.rcgnn.linear.state_space import StateSpace, smooth
from aetia.discovery.rcgnn.readings import Readings

__all__ = ["constrained_model", "graph_score"]


def constrained_model(
    moments: Float[Tensor, "p p"], parents: Bool[Tensor, "d p"], like: StateSpace
) -> StateSpace:
    r"""Fit the weights of a graph to moments and bring them into the reduced form.

    .. math:: s_t = (I - W_0^\top)^{-1} \Big(\sum_\tau W_\tau^\top s_{t-\tau} + u_t\Big).

    Args:
        moments: Second moments of (s_t, s_{t-1}, ...).
        parents: Target by candidate.
        like: Sensors are taken from it.

    Returns:
        The state space of the graph.
    """
    weights = refit(moments.numpy(), parents.numpy())
    d = len(parents)
    inverse = np.linalg.inv(np.eye(d) - weights.by_lag[0].T)
    lagged = inverse @ weights.by_lag[1:].transpose(0, 2, 1)
    innovation = (inverse * weights.residual_variance) @ inverse.T
    return like._replace(
        coefficients=torch.from_numpy(lagged),
        innovation=torch.from_numpy(0.5 * (innovation + innovation.T)),
    )


def graph_score(
    parents: Bool[Tensor, "d p"],
    fitted: FittedStates,
    readings: Readings,
    *,
    penalty: float,
    n_steps: int = 4,
) -> float:
    """Score a graph by the likelihood of the readings, less the price of its edges.

    Args:
        parents: Target by candidate.
        fitted: States fitted without a graph: where to start, and the sensors.
        readings: What they were fitted to.
        penalty: As for the search.
        n_steps: EM steps under the graph.

    Returns:
        Penalised log-likelihood.
    """
    model, moments = fitted.model, fitted.moments
    value = -math.inf
    for _ in range(n_steps):
        mean = moments.moments.sum(0) / moments.steps.sum()
        model = constrained_model(mean, parents, model)
        smoothed = smooth(fitted.x, fitted.patterns, model)
        value = smoothed.log_likelihood
        moments = clean_moments(smoothed, fitted.patterns, readings.live, model)
    n = float(moments.steps.sum() * fitted.moments.information.mean())
    return value - 0.5 * penalty * int(parents.sum()) * math.log(n)
