r"""Encoding generative modelling: networks that start together (CausalEGM, Liu et al., 2022).

An encoder :math:`e: v \to z` is trained with the generative networks. A critic makes encoded
covariates look like the prior (Wasserstein, with a gradient penalty); covariates must come back
from their latents and latents from their covariates; treatment and outcome must be predictable
from the encoded latents.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from aetia.effects.causalbgm.generative import Units
from aetia.nets import Discriminator, gradient_penalty

__all__ = ["Decoded", "critic_loss", "generator_loss"]


class Decoded(NamedTuple):
    """What the networks make of a batch, before any likelihood."""

    encoded: Float[Tensor, "n latents"]
    """e(v)."""
    prior: Float[Tensor, "n latents"]
    """Drawn latents."""
    prior_again: Float[Tensor, "n latents"]
    """Drawn latents, decoded to covariates and encoded."""
    covariates_again: Float[Tensor, "n p"]
    """Covariates, encoded and decoded."""
    treatment: Float[Tensor, " n"]
    """Mean (or logit) given the encoded latents."""
    outcome: Float[Tensor, " n"]
    """Mean given the encoded latents and the treatment received."""
    raw_variances: Float[Tensor, " k"]
    """Raw outputs behind all variances; they are drawn to zero, a variance of 0.69."""


def critic_loss(
    critic: Discriminator,
    prior: Float[Tensor, "n latents"],
    encoded: Float[Tensor, "n latents"],
    generator: torch.Generator,
    *,
    penalty: float = 10.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the loss of the critic: tell the prior from encoded covariates.

    Args:
        critic: Of latents.
        prior: Drawn latents.
        encoded: Encoded covariates.
        generator: Of the penalty.
        penalty: Weight of the gradient penalty.

    Returns:
        The loss and its parts.
    """
    encoded = encoded.detach()
    gap = critic(encoded).mean() - critic(prior).mean()
    slope = gradient_penalty(critic, prior, encoded, generator).mean()
    return gap + penalty * slope, {"critic_gap": gap, "slope_penalty": penalty * slope}


def generator_loss(
    critic: Discriminator,
    decoded: Decoded,
    units: Units,
    *,
    is_binary: bool,
    latent_weight: float = 1.0,
    variance_weight: float = 0.001,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the loss of the encoder and the generative networks.

    Args:
        critic: Of latents.
        decoded: What the networks make of the batch.
        units: The batch.
        is_binary: Whether the treatment is.
        latent_weight: Of the reconstruction of drawn latents.
        variance_weight: Of the pull on the raw variances.

    Returns:
        The loss and its parts.
    """
    assert units.treatment is not None
    assert units.outcome is not None
    squares = (decoded.covariates_again - units.covariates).square()
    if units.observed is None:
        covariates = squares.mean()
    else:
        covariates = (squares * units.observed).sum() / units.observed.sum().clamp(min=1)
    if is_binary:
        treatment = F.binary_cross_entropy_with_logits(decoded.treatment, units.treatment)
    else:
        treatment = F.mse_loss(decoded.treatment, units.treatment)
    parts = {
        "critic": -critic(decoded.encoded).mean(),
        "covariates": covariates,
        "latents": latent_weight * F.mse_loss(decoded.prior_again, decoded.prior),
        "treatment": treatment,
        "outcome": F.mse_loss(decoded.outcome, units.outcome),
        "variances": variance_weight * decoded.raw_variances.square().mean(),
    }
    return torch.stack(list(parts.values())).sum(), parts
