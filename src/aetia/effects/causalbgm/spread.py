r"""Uncertainty of an ensemble's mean, from the disagreement of its members.

Member k never saw fold k, so the members' spread is that of the delete-a-group jackknife (Efron,
1982): the variance of their mean is :math:`\frac{K - 1}{K} \sum_k (m_k - \bar m)^2`.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["ensemble_draws"]


def ensemble_draws(
    members: Float[Tensor, " members *event"],
    n_folds: int,
    n_draws: int,
    generator: torch.Generator,
) -> Float[Tensor, " draws *event"]:
    """Draw from the t distribution with the ensemble's mean and the jackknife's covariance.

    Its degrees of freedom are the number of groups minus one: few groups know their own spread
    badly, and a normal distribution would not say so.

    Args:
        members: Prediction of each member; member m held out fold ``m % n_folds``.
        n_folds: Number of folds. With one, replicates differ by their initialisation alone.
        n_draws: How many.
        generator: Source of randomness.

    Returns:
        Draws, coherent over the whole event.
    """
    mean = members.mean(0)
    if n_folds > 1:
        groups = members.unflatten(0, (-1, n_folds)).mean(0)
        scale = math.sqrt((n_folds - 1) / n_folds)
    else:
        groups, scale = members, 1 / math.sqrt(max(len(members) - 1, 1))
    options = {"generator": generator, "device": members.device, "dtype": members.dtype}
    noise = torch.randn((n_draws, len(groups)), **options)
    degrees_of_freedom = max(len(groups) - 1, 1)
    squares = torch.randn((n_draws, degrees_of_freedom), **options).square().mean(1)
    noise = noise / squares.sqrt()[:, None]
    return mean + scale * torch.tensordot(noise, groups - mean, 1)
