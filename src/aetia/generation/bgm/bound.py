r"""The importance-weighted bound of the likelihood of the seen cells.

.. math::

    \log p(x_{seen}) \ge E \log \frac1K \sum_{k=1}^K
    \frac{p(x_{seen} \mid z_k)\, p(z_k)}{q(z_k \mid x_{seen})}, \qquad z_k \sim q

(Burda, Grosse & Salakhutdinov, 2016; with missing cells MIWAE, Mattei & Frellsen, 2019; with a
model of missingness not-MIWAE, Ipsen, Mattei & Frellsen, 2021). It replaces the original's point
estimate of z, which ignores how uncertain z is and so makes the noise too small.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.generation.bgm.latent_distribution import log_normal, log_prior
from aetia.generation.bgm.likelihood import ColumnLikelihood
from aetia.generation.bgm.networks import LatentDistribution, Networks

__all__ = ["bound", "encoder_loss", "importance_draws"]


def importance_draws(
    networks: Networks,
    likelihood: ColumnLikelihood,
    x: Float[Tensor, "n p"],
    observed: Bool[Tensor, "n p"],
    n_draws: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "s n k"], Float[Tensor, "s n"]]:
    """Draw latents from the encoder and weigh them.

    Args:
        networks: Generator, encoder and perhaps the model of missingness.
        likelihood: Distribution of the columns.
        x: Rows.
        observed: True where a value was seen.
        n_draws: K.
        generator: Source of randomness.

    Returns:
        Latents, differentiable in the encoder, and log weights.
    """
    guess: LatentDistribution = networks.encoder(x, observed)
    noise = torch.randn(n_draws, *guess.mean.shape, generator=generator, device=x.device)
    z = guess.mean + guess.std * noise
    raw = networks.decoder(z, generator)
    weights = likelihood.log_prob(raw, x, observed) + log_prior(z) - log_normal(z, guess)
    if networks.missingness is not None:
        full = torch.where(observed, x, likelihood.soft(raw, generator))
        weights = weights + networks.missingness.log_prob(full, observed)  # pyright: ignore
    return z, weights


def bound(log_weights: Float[Tensor, "s n"]) -> Float[Tensor, " n"]:
    """Average weights.

    Args:
        log_weights: Log weights of the draws of each row.

    Returns:
        Log of their mean.
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def encoder_loss(
    networks: Networks,
    x: Float[Tensor, "n p"],
    observed: Bool[Tensor, "n p"],
    z: Float[Tensor, "n k"],
    generator: torch.Generator,
) -> Float[Tensor, " n"]:
    """Teach the encoder latents of rows of which it sees only some cells.

    The bound trains it on the patterns of missing cells that the table has; here every row loses
    a random share of its cells, so that new rows with other patterns find their latents too.

    Args:
        networks: Networks with the encoder.
        x: Rows.
        observed: True where a value was seen.
        z: Latents drawn given all cells that were seen.
        generator: Source of randomness of the cells that are hidden.

    Returns:
        Minus the log density of the latents under the encoder's guess.
    """
    options = {"generator": generator, "device": x.device}
    share = torch.rand(len(x), 1, **options)
    kept = observed & (torch.rand(x.shape, **options) >= share)
    return -log_normal(z.detach(), networks.encoder(x, kept))
