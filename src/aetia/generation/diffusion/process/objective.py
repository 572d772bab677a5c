r"""Algorithm 1: the loss of a denoiser on a batch (De Bortoli et al., 2025).

.. math:: L = \frac{1}{n} \sum_i w(t_i) \left[ S_\lambda(\hat P_i, x_{0 i}) \right]

The norm of a row runs over its targets only, divided by the root of their number, so that rows
with different targets weigh alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.generation.diffusion.process.distances import Distance
from aetia.generation.diffusion.process.schedule import NoiseSchedule, noised
from aetia.generation.diffusion.process.score import score_terms
from aetia.generation.diffusion.process.time_weight import sigmoid_weight

__all__ = ["Noised", "Objective", "Scored"]


class Noised(NamedTuple):
    """What the denoiser is asked: rows, times, noise of the draws."""

    x_t: Float[Tensor, " n *event"]
    t: Float[Tensor, " n"]
    xi: Float[Tensor, " n m *noise"]


class Scored(NamedTuple):
    """The loss and what it is made of, averages over rows."""

    loss: Tensor
    confinement: Tensor
    interaction: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Objective:
    """How populations are scored."""

    schedule: NoiseSchedule
    distance: Distance
    interaction: float | Literal["annealed"]
    population: int
    time_weight: Literal["flat", "sigmoid"]
    weight_bias: float
    noise_share: float

    def noise(
        self, x_0: Float[Tensor, " n *event"], noise_shape: tuple[int, ...], g: torch.Generator
    ) -> Noised:
        """Draw times, noised rows and the noise of the draws.

        Args:
            x_0: Clean rows.
            noise_shape: Shape of the noise of one draw.
            g: Source of randomness.

        Returns:
            The question of each row.
        """
        n, options = len(x_0), {"dtype": x_0.dtype, "device": x_0.device}
        t = torch.rand(n, generator=g, **options)
        if self.noise_share:
            pure = torch.rand(n, generator=g, **options) < self.noise_share
            t = torch.where(pure, 1.0, t)
        e = torch.empty_like(x_0).normal_(generator=g)
        xi = torch.empty((n, self.population, *noise_shape), **options).normal_(generator=g)
        return Noised(noised(self.schedule, x_0, t, e), t, xi)

    def score(
        self,
        draws: Float[Tensor, " n m *event"],
        x_0: Float[Tensor, " n *event"],
        t: Float[Tensor, " n"],
        target: Bool[Tensor, " n w"] | None = None,
    ) -> Scored:
        """Score populations.

        Args:
            draws: Draws of each row.
            x_0: The truth.
            t: Times.
            target: Coordinates that count; None for all, without division by their number.

        Returns:
            The loss; rows without targets do not count.
        """
        share, counts = None, torch.ones_like(t)
        if target is not None:
            size = target.sum(1, keepdim=True)
            share = target.to(x_0) / size.clamp(min=1)
            counts = (size[:, 0] > 0).to(x_0)
        terms = score_terms(self.distance, draws.flatten(2), x_0.flatten(1), share, t)
        strength = t if self.interaction == "annealed" else self.interaction
        weight = counts
        if self.time_weight == "sigmoid":
            weight = weight * sigmoid_weight(self.schedule, t, self.weight_bias)
        n = counts.sum().clamp(min=1)
        return Scored(
            (weight * terms.score(strength)).sum() / n,
            (counts * terms.confinement.detach()).sum() / n,
            (counts * terms.interaction.detach()).sum() / n,
            weight.sum() / n,
        )
