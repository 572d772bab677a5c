"""How data turn into noise: x_t = alpha(t) x_0 + sigma(t) e, clean at t = 0, noise at t = 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["SCHEDULES", "CosineSchedule", "LinearSchedule", "NoiseSchedule", "log_snr", "noised"]


@runtime_checkable
class NoiseSchedule(Protocol):
    """Any pair with alpha falling from 1 to 0 and sigma rising from 0 to 1."""

    def alpha(self, t: Tensor) -> Tensor:
        """Scale of the data at time t."""
        ...

    def sigma(self, t: Tensor) -> Tensor:
        """Scale of the noise at time t."""
        ...


@dataclass(frozen=True)
class LinearSchedule:
    """alpha = 1 - t, sigma = t (De Bortoli et al., 2025, eq. 3)."""

    name: ClassVar[str] = "linear"

    def alpha(self, t: Tensor) -> Tensor:
        """Scale of the data.

        Args:
            t: Times in [0, 1].

        Returns:
            1 - t.
        """
        return 1 - t

    def sigma(self, t: Tensor) -> Tensor:
        """Scale of the noise.

        Args:
            t: Times in [0, 1].

        Returns:
            t.
        """
        return t


@dataclass(frozen=True)
class CosineSchedule:
    """alpha = cos(pi t / 2), sigma = sin(pi t / 2): the variance of whitened data stays 1."""

    name: ClassVar[str] = "cosine"

    def alpha(self, t: Tensor) -> Tensor:
        """Scale of the data.

        Args:
            t: Times in [0, 1].

        Returns:
            cos(pi t / 2), exactly 0 at 1.
        """
        return torch.sin((1 - t) * (math.pi / 2))

    def sigma(self, t: Tensor) -> Tensor:
        """Scale of the noise.

        Args:
            t: Times in [0, 1].

        Returns:
            sin(pi t / 2).
        """
        return torch.sin(t * (math.pi / 2))


def noised(
    schedule: NoiseSchedule,
    x_0: Float[Tensor, " n *event"],
    t: Float[Tensor, " n"],
    noise: Float[Tensor, " n *event"],
) -> Float[Tensor, " n *event"]:
    """Draw from the forward marginal (De Bortoli et al., 2025, eq. 2).

    Args:
        schedule: alpha and sigma.
        x_0: Clean rows.
        t: Time of each row.
        noise: Standard normal.

    Returns:
        x_t.
    """
    shape = (-1,) + (1,) * (x_0.ndim - 1)
    return schedule.alpha(t).view(shape) * x_0 + schedule.sigma(t).view(shape) * noise


def log_snr(schedule: NoiseSchedule, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
    """Compute log(alpha^2 / sigma^2).

    Args:
        schedule: alpha and sigma.
        t: Times in [0, 1].

    Returns:
        Infinite at the ends.
    """
    return 2 * (schedule.alpha(t).log() - schedule.sigma(t).log())


SCHEDULES: Mapping[str, type] = {"linear": LinearSchedule, "cosine": CosineSchedule}
"""Name to class."""
