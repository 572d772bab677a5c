r"""Guesses of p(z | seen cells), and importance weights against them.

A guess that is too narrow gives weights without bound. So the encoder's normal distribution is
widened and mixed with the prior, which covers everything: the *defensive mixture* (Hesterberg,
1995).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.generation.bgm.networks import LatentDistribution

__all__ = ["DefensiveProposal", "log_normal", "log_prior"]

_LOG_2PI = math.log(2 * math.pi)


def log_prior(z: Float[Tensor, "*rows k"]) -> Float[Tensor, "*rows"]:
    """Compute log N(z; 0, I).

    Args:
        z: Latents.

    Returns:
        Log densities.
    """
    return -0.5 * (z.square().sum(-1) + z.shape[-1] * _LOG_2PI)


def log_normal(z: Float[Tensor, "*rows k"], guess: LatentDistribution) -> Float[Tensor, "*rows"]:
    """Compute the log density of independent normals.

    Args:
        z: Latents.
        guess: Means and standard deviations.

    Returns:
        Log densities.
    """
    standard = (z - guess.mean) / guess.std
    return -(0.5 * standard.square() + guess.std.log() + 0.5 * _LOG_2PI).sum(-1)


class DefensiveProposal:
    """The encoder's distribution, widened, mixed with the prior.

    Args:
        guess: The encoder's guess for each row.
        prior_share: Weight of the prior.
        stretch: Factor of the standard deviations.
    """

    def __init__(
        self, guess: LatentDistribution, *, prior_share: float = 0.25, stretch: float = 1.2
    ) -> None:
        self.guess = LatentDistribution(guess.mean, guess.std * stretch)
        self.prior_share = prior_share

    def sample(
        self, n_draws: int, generator: torch.Generator, *, shared: bool = False
    ) -> Float[Tensor, "s n k"]:
        """Draw latents of every row.

        Args:
            n_draws: Draws of each row.
            generator: Source of randomness.
            shared: Whether all rows use the same random numbers, so that the draws of a row do not
                depend on the rows around it.

        Returns:
            Draws.
        """
        n, k = self.guess.mean.shape
        mean = self.guess.mean
        options = {"generator": generator, "device": mean.device, "dtype": mean.dtype}
        rows = 1 if shared else n
        noise = torch.randn(n_draws, rows, k, **options)
        # As many from the prior as its share says: stratified, not left to chance.
        n_prior = round(n_draws * self.prior_share)
        guessed = self.guess.mean + self.guess.std * noise[n_prior:]
        return torch.cat([noise[:n_prior].expand(n_prior, n, k), guessed])

    def step(self, shape: torch.Size, generator: torch.Generator) -> Float[Tensor, "c n k"]:
        """Draw one set of latents for each chain, each from the prior or the guess by chance.

        Args:
            shape: Chains, rows, latents.
            generator: Source of randomness.

        Returns:
            Draws.
        """
        mean = self.guess.mean
        options = {"generator": generator, "device": mean.device, "dtype": mean.dtype}
        noise = torch.randn(shape, **options)
        from_prior = torch.rand(shape[:-1], **options) < self.prior_share
        return torch.where(from_prior[..., None], noise, self.guess.mean + self.guess.std * noise)

    def log_prob(self, z: Float[Tensor, "*draws n k"]) -> Float[Tensor, "*draws n"]:
        """Compute the log density of the mixture.

        Args:
            z: Latents.

        Returns:
            Log densities.
        """
        share = self.prior_share
        return torch.logaddexp(
            log_normal(z, self.guess) + math.log1p(-share), log_prior(z) + math.log(share)
        )
