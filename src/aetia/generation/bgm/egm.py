r"""Encoding generative modelling: encoder and generator start together (Liu & Wong, 2026).

Two critics, of latents and of rows, are least-squares GANs with soft labels (0.9 real, 0.1 made);
rows must come back from their latents and latents from their rows:

.. math::

    L_G = (0.9 - D_x(\hat x))^2 + (0.9 - D_z(\hat z))^2
          + w\,(|x - \bar x|^2 + \text{distance}(z, \bar z)) + \alpha \sigma^4(z)

Where cells are missing, made rows get the holes of real ones, critics see the holes, and rows are
compared where they were seen. The encoder here gives a normal distribution, not a point: latents
are drawn from it, and the distance to z is minus its log density, so that its spread is learned as
well.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.generation.bgm.latent_distribution import log_normal
from aetia.generation.bgm.likelihood import ColumnLikelihood
from aetia.generation.bgm.networks import LatentDistribution, Networks
from aetia.nets import gradient_penalty

__all__ = ["RECONSTRUCTION", "Adversaries", "critic_loss", "generator_loss"]

RECONSTRUCTION = 10.0
"""Weight of rows and latents that must come back, in the original."""
_REAL, _MADE = 0.9, 0.1


class Adversaries(nn.Module):
    """The networks and their critics.

    Args:
        networks: Generator and encoder.
        of_latents: Critic of latents.
        of_rows: Critic of rows with holes.
    """

    def __init__(self, networks: Networks, of_latents: nn.Module, of_rows: nn.Module) -> None:
        super().__init__()
        self.networks = networks
        self.of_latents = of_latents
        self.of_rows = of_rows


def critic_loss(
    players: Adversaries,
    likelihood: ColumnLikelihood,
    x: Float[Tensor, "n p"],
    observed: Bool[Tensor, "n p"],
    generator: torch.Generator,
    *,
    penalty: float,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the loss of both critics.

    Args:
        players: All networks.
        likelihood: Distribution of the columns.
        x: Rows.
        observed: True where a value was seen.
        generator: Source of randomness.
        penalty: Weight of the gradient penalty; 0 for none.

    Returns:
        The loss and its parts.
    """
    networks = players.networks
    with torch.no_grad():
        z = torch.randn(len(x), networks.decoder.n_latents, generator=generator, device=x.device)
        made = likelihood.soft(networks.decoder(z, generator), generator)
        guess: LatentDistribution = networks.encoder(x, observed)
        encoded = guess.mean + guess.std * torch.randn(
            z.shape, generator=generator, device=x.device
        )
    parts = {
        "latents": _discrimination_loss(players.of_latents(z), players.of_latents(encoded)),
        "rows": _discrimination_loss(players.of_rows(x, observed), players.of_rows(made, observed)),
    }
    if penalty:
        slope = gradient_penalty(players.of_latents, z, encoded, generator).mean()

        def of_rows(rows: Tensor) -> Tensor:
            return players.of_rows(rows, observed)

        slope = slope + gradient_penalty(of_rows, x, made, generator).mean()
        parts["slope_penalty"] = penalty * slope
    return torch.stack(list(parts.values())).sum(), parts


def generator_loss(
    players: Adversaries,
    likelihood: ColumnLikelihood,
    x: Float[Tensor, "n p"],
    observed: Bool[Tensor, "n p"],
    generator: torch.Generator,
    *,
    reconstruction: float,
    variance_penalty: float,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the loss of generator and encoder.

    Args:
        players: All networks.
        likelihood: Distribution of the columns.
        x: Rows.
        observed: True where a value was seen.
        generator: Source of randomness.
        reconstruction: Weight of rows and latents that must come back.
        variance_penalty: Weight of the squared variances (alpha in the paper).

    Returns:
        The loss and its parts.
    """
    networks = players.networks
    options = {"generator": generator, "device": x.device}
    z = torch.randn(len(x), networks.decoder.n_latents, **options)
    raw = networks.decoder(z, generator)
    made = likelihood.soft(raw, generator)
    guess: LatentDistribution = networks.encoder(x, observed)
    encoded = guess.mean + guess.std * torch.randn(z.shape, **options)
    again = likelihood.soft(networks.decoder(encoded, generator), generator)
    seen = observed.to(x.dtype)
    squares = ((again - x).square() * seen).sum() / seen.sum().clamp(min=1)
    parts = {
        "critic_rows": (_REAL - players.of_rows(made, observed)).square().mean(),
        "critic_latents": (_REAL - players.of_latents(encoded)).square().mean(),
        "rows": reconstruction * squares,
        "latents": -reconstruction * log_normal(z, networks.encoder(made, observed)).mean(),
    }
    if variance_penalty:
        variance = likelihood.read(raw).variance
        if variance is None:
            variance = networks.decoder.logit_variance(z)
        if variance is not None:
            parts["variances"] = variance_penalty * variance.square().mean()
    return torch.stack(list(parts.values())).sum(), parts


def _discrimination_loss(real: Tensor, made: Tensor) -> Tensor:
    wanted_real, wanted_made = torch.full_like(real, _REAL), torch.full_like(made, _MADE)
    return 0.5 * (F.mse_loss(real, wanted_real) + F.mse_loss(made, wanted_made))
