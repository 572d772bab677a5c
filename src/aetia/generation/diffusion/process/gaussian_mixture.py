r"""The exact denoiser of a mixture of isotropic normals: the yardstick that needs no training.

With :math:`v = \alpha^2 s^2 + \sigma^2`, x_0 given x_t is a mixture with weights
:math:`\propto w_k N(x_t; \alpha \mu_k, v I)`, means
:math:`\mu_k + \frac{\alpha s^2}{v} (x_t - \alpha \mu_k)` and variance
:math:`s^2 \sigma^2 / v`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.generation.diffusion.process.schedule import NoiseSchedule

__all__ = ["GaussianMixture", "MixturePosterior", "two_modes"]


class MixturePosterior(NamedTuple):
    """The distribution of x_0 given x_t."""

    weights: Float[Tensor, " n k"]
    means: Float[Tensor, " n k d"]
    variance: Tensor
    """Variance of every component and coordinate."""

    def mean(self) -> Float[Tensor, " n d"]:
        """Average the components.

        Returns:
            E[x_0 | x_t].
        """
        return (self.weights[..., None] * self.means).sum(-2)

    def total_variance(self) -> Float[Tensor, " n"]:
        """Sum the variances of the coordinates.

        Returns:
            The trace of Cov[x_0 | x_t].
        """
        spread = (self.means - self.mean()[:, None]).square().sum(-1)
        return (self.weights * spread).sum(-1) + self.means.shape[-1] * self.variance

    def sample(self, generator: torch.Generator) -> Float[Tensor, " n d"]:
        """Draw x_0.

        Args:
            generator: Source of randomness.

        Returns:
            One draw for each row.
        """
        k = torch.multinomial(self.weights, 1, generator=generator)[:, 0]
        centre = self.means[torch.arange(len(k), device=k.device), k]
        noise = torch.empty_like(centre).normal_(generator=generator)
        return centre + self.variance.sqrt() * noise


@dataclass(frozen=True)
class GaussianMixture:
    """Normals with one standard deviation for all components and coordinates."""

    means: Float[Tensor, " k d"]
    std: float
    weights: Float[Tensor, " k"]

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, " n d"]:
        """Draw points.

        Args:
            n: How many.
            generator: Source of randomness.

        Returns:
            Independent draws.
        """
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        centre = self.means[k]
        return centre + self.std * torch.empty_like(centre).normal_(generator=generator)

    def posterior(
        self, schedule: NoiseSchedule, x_t: Float[Tensor, " n d"], t: float
    ) -> MixturePosterior:
        """Compute the distribution of x_0 given x_t.

        Args:
            schedule: alpha and sigma.
            x_t: Noised points.
            t: Their time.

        Returns:
            The posterior of each row.
        """
        at = torch.tensor(t, dtype=x_t.dtype, device=x_t.device)
        alpha, sigma = schedule.alpha(at), schedule.sigma(at)
        v = alpha**2 * self.std**2 + sigma**2
        gap = x_t[:, None] - alpha * self.means
        log_weights = self.weights.log() - gap.square().sum(-1) / (2 * v)
        means = self.means + alpha * self.std**2 / v * gap
        return MixturePosterior(log_weights.softmax(-1), means, self.std**2 * sigma**2 / v)


def two_modes(dtype: torch.dtype = torch.float32) -> GaussianMixture:
    """Make the mixture of the paper's experiment in the plane (appendix D.1).

    Args:
        dtype: Type of points.

    Returns:
        Half N((3, 3), 0.25 I), half N((-3, 3), 0.25 I).
    """
    means = torch.tensor([[3.0, 3.0], [-3.0, 3.0]], dtype=dtype)
    return GaussianMixture(means, 0.5, torch.full((2,), 0.5, dtype=dtype))
