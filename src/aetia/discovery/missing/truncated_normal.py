"""Draws of normal variables between two bounds."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["truncated_normal"]

_SMALLEST = 1e-300
"""Probabilities below have too few digits left to be inverted."""


def truncated_normal(
    mean: Float[Tensor, "*shape"],
    std: Float[Tensor, "*#shape"],
    lower: Float[Tensor, "*#shape"],
    upper: Float[Tensor, "*#shape"],
    generator: torch.Generator,
) -> Float[Tensor, "*shape"]:
    """Draw by inversion, mirrored where both bounds lie above the mean so that no digits are lost.

    Args:
        mean: Mean of the normal distribution before truncation.
        std: Its standard deviation.
        lower: May be minus infinity.
        upper: May be infinity.
        generator: Source of randomness.

    Returns:
        One draw for each mean. Where the interval is more than 37 standard deviations away, its
        nearest end.
    """
    a, b = torch.broadcast_tensors((lower - mean) / std, (upper - mean) / std)
    mirrored = a > 0
    a, b = torch.where(mirrored, -b, a), torch.where(mirrored, -a, b)
    below, above = torch.special.ndtr(a), torch.special.ndtr(b)
    u = torch.rand(mean.shape, dtype=mean.dtype, generator=generator)
    z = torch.special.ndtri(below + u * (above - below))
    z = torch.where(above > _SMALLEST, torch.minimum(torch.maximum(z, a), b), b)
    return mean + std * torch.where(mirrored, -z, z)
