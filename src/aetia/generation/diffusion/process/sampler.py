"""Algorithm 2: from noise to data in any number of steps (De Bortoli et al., 2025)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.errors import InputError
from aetia.generation.diffusion.process.bridge import bridge
from aetia.generation.diffusion.process.schedule import NoiseSchedule

__all__ = ["Denoiser", "TimeGrid", "reverse_chain", "time_grid"]

Denoiser = Callable[[Tensor, float, torch.Generator], Tensor]
"""``denoiser(x_t, t, generator)`` draws x_0 given x_t, one for each row."""

TimeGrid = Literal["uniform", "cosine", "power", "edm"]


def time_grid(
    n_steps: int, kind: TimeGrid | Sequence[float] = "uniform", power: float = 2.0
) -> Float[np.ndarray, " steps_and_one"]:
    r"""Choose times 0 = t_0 < ... < t_N = 1.

    Args:
        n_steps: N.
        kind: ``"uniform"``; ``"cosine"``, dense at both ends; ``"power"``,
            :math:`1 - (1 - k/N)^p`, dense at noise; ``"edm"``, the noise levels of Karras et al.
            (2022) on sigma / (1 + sigma); or the times themselves.
        power: p; the rho of ``"edm"`` is 7.

    Returns:
        Increasing times.

    Raises:
        InputError: If given times do not rise from 0 to 1, or there is no step.
    """
    if not isinstance(kind, str):
        times = np.asarray(kind, dtype=np.float64)
        if len(times) < 2 or times[0] != 0 or times[-1] != 1 or (np.diff(times) <= 0).any():
            raise InputError(f"a time grid must rise from 0 to 1, got {list(kind)}.")
        return times
    if n_steps < 1:
        raise InputError(f"n_steps must be at least 1, got {n_steps}.")
    share = np.arange(n_steps + 1) / n_steps
    if kind == "uniform":
        times = share
    elif kind == "cosine":
        times = np.sin(share * np.pi / 2) ** 2
    elif kind == "power":
        times = 1 - (1 - share) ** power
    else:
        rho, smallest, largest = 7.0, 0.002, 80.0
        low, high = smallest ** (1 / rho), largest ** (1 / rho)
        levels = (low + share * (high - low)) ** rho
        times = levels / (1 + levels)
    times[0], times[-1] = 0.0, 1.0
    return times


@torch.no_grad()
def reverse_chain(
    denoiser: Denoiser,
    schedule: NoiseSchedule,
    noise: Float[Tensor, " n *event"],
    times: Float[np.ndarray, " steps_and_one"],
    churn: float,
    generator: torch.Generator,
) -> Float[Tensor, " n *event"]:
    """Walk from noise to data; one call of the denoiser for each step.

    Args:
        denoiser: Draws x_0 given x_t.
        schedule: alpha and sigma.
        noise: Standard normal, where the chain starts.
        times: Times of :func:`time_grid`.
        churn: Churn of the bridge, 0 to 1.
        generator: Source of randomness.

    Returns:
        Draws of x_0; with one step, what the denoiser says about pure noise.
    """
    x = noise
    for s, t in zip(times[-2::-1].tolist(), times[:0:-1].tolist(), strict=True):
        x_0 = denoiser(x, t, generator)
        step = bridge(schedule, s, t, churn)
        x = step.x_t_weight * x + step.x_0_weight * x_0
        if step.variance > 0:
            z = torch.empty_like(x).normal_(generator=generator)
            x = x + step.variance**0.5 * z
    return x
