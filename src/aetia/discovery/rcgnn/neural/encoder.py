r"""What lies behind the readings of a block: clean states, and the drift of the sensors.

The encoder sees readings, their mask and the regime, in both directions of time, and three latents
have meanings of their own: states :math:`z_s` with a mean and a spread in each cell; drift
:math:`z_b`, a constant of the block plus a path that is slow by construction; and noise
:math:`z_n`, which is only a scale (:class:`~aetia.discovery.rcgnn.neural.sensors.Sensors`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["Latent", "TemporalEncoder", "slow_filter"]

_MEMORY = 0.95


class Latent(NamedTuple):
    """States, drift and their uncertainty, of each block."""

    mean: Float[Tensor, "n time d"]
    """Means of the states."""
    sd: Float[Tensor, "n time d"]
    constant: Float[Tensor, "n d"]
    """Constant part of the drift, in units of its prior's standard deviation."""
    innovations: Float[Tensor, "n time d"]
    """Innovations of the drift, in units of their prior's standard deviation."""


def slow_filter(time: int) -> Float[Tensor, "time time"]:
    """Build the matrix that turns white innovations into a stationary AR(1) drift, coefficient .95.

    Args:
        time: Steps.

    Returns:
        Lower triangular; row t sums what is left of every innovation until t.
    """
    at = torch.arange(time)
    gap = (at.unsqueeze(-1) - at).clamp_min(0)
    path = (_MEMORY**gap).tril()
    path[:, 0] = path[:, 0] / (1 - _MEMORY**2) ** 0.5
    return path


class TemporalEncoder(nn.Module):
    """Dilated convolutions over a block, on top of a first guess of the states.

    The guess is that of the linear smoother, and corrections come in units of its uncertainty: they
    begin at zero and need not find what is already known.

    Args:
        d: Sensors.
        n_regimes: Regimes.
        width: Channels.
        n_layers: Convolutions; layer k looks 2^k steps to both sides.
    """

    def __init__(self, d: int, n_regimes: int, width: int, n_layers: int) -> None:
        super().__init__()
        self.regimes = nn.Embedding(n_regimes, 4)
        self.enter = nn.Conv1d(3 * d + 4, width, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=2**k, dilation=2**k) for k in range(n_layers)
        )
        self.leave = nn.Conv1d(width, 3 * d, 1)
        self.constant = nn.Linear(width, d)
        for layer in (self.leave, self.constant):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self,
        values: Float[Tensor, "n time d"],
        seen: Float[Tensor, "n time d"],
        guess: Float[Tensor, "n time d"],
        guess_sd: Float[Tensor, "n time d"],
        regime: Int[Tensor, " n"],
    ) -> Latent:
        """Encode blocks.

        Args:
            values: Readings, 0 where not seen.
            seen: 1 where seen.
            guess: First guess of the states.
            guess_sd: Standard deviation of that guess.
            regime: Code of the regime of each block.

        Returns:
            The latents.
        """
        time = values.shape[1]
        about = self.regimes(regime).unsqueeze(1).expand(-1, time, -1)
        x = self.enter(torch.cat([values, seen, guess, about], -1).mT)
        for layer in self.layers:
            x = x + layer(nn.functional.silu(x))
        x = nn.functional.silu(x)
        shift, log_sd, innovations = self.leave(x).mT.chunk(3, -1)
        return Latent(
            guess + guess_sd * shift,
            guess_sd * log_sd.clamp(-3.0, 3.0).exp(),
            self.constant(x.mean(-1)),
            innovations,
        )
