"""How much each time counts in the loss."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.generation.diffusion.process.schedule import NoiseSchedule, log_snr

__all__ = ["sigmoid_weight"]


def sigmoid_weight(
    schedule: NoiseSchedule, t: Float[Tensor, "*times"], bias: float = 0.0
) -> Float[Tensor, "*times"]:
    r"""Compute :math:`\mathrm{sigmoid}(\log \alpha_t^2 / \sigma_t^2 - b)`.

    It is 1 at t = 0 and 0 at t = 1, and so starves the times that samplers with few steps live
    from.

    Args:
        schedule: alpha and sigma.
        t: Times in [0, 1].
        bias: b.

    Returns:
        Weights.
    """
    return torch.sigmoid(log_snr(schedule, t) - bias)
