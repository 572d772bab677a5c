r"""Encoding generative modelling: networks are initialised together (CausalEGM, Liu et al., 2022).

An encoder :math:`e: v \to z` is trained with the generative networks. A critic makes encoded
covariates look like the prior (Wasserstein, with a gradient penalty); covariates must come back
from their latents and latents from their covariates; treatment and outcome must be predictable
from the encoded latents.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

from aetia.effects.causalbgm.generative import Units, outcome_inputs
from aetia.effects.causalbgm.networks import Networks
from aetia.nets import (
    Discriminator,
    NormalHead,
    scalar_head,
    tanh_score,
    wasserstein_loss,
)

__all__ = ["LARGEST_DOSE", "batch_fit", "critic_loss", "generative_loss", "weighted_likelihood"]

LARGEST_DOSE = 10.0
"""Doses beyond this many robust standard deviations count as this much in the likelihood of the
treatment: a normal distribution could not follow them. The network of the outcome sees them as they
are."""

Parts = dict[str, Tensor]


def critic_loss(
    critic: Discriminator,
    prior: Float[Tensor, "members n latents"],
    encoded: Float[Tensor, "members n latents"],
    generator: torch.Generator,
    *,
    penalty: float = 10.0,
) -> tuple[Float[Tensor, " members"], Parts]:
    """Compute the loss of the critic, which discriminates drawn latents from encoded covariates.

    Args:
        critic: Critic of the latents.
        prior: Latents drawn from the prior.
        encoded: Latents of encoded covariates.
        generator: Source of randomness of the points at which the slope is penalised.
        penalty: Weight of the gradient penalty.

    Returns:
        The loss of each member, and its parts.
    """
    gap, slope = wasserstein_loss(critic, prior, encoded, generator, penalty=penalty)
    return gap + slope, {"critic_gap": gap, "slope_penalty": slope}


def generative_loss(
    networks: Networks,
    units: Units,
    encoded: Float[Tensor, "members n latents"],
    prior: Float[Tensor, "members n latents"],
    generator: torch.Generator,
    *,
    latent_weight: float = 1.0,
    variance_penalty: float = 0.001,
) -> tuple[Float[Tensor, " members"], Parts]:
    """Compute what ties latents to covariates: critic, reconstructions, penalty of the variances.

    Args:
        networks: The ensemble.
        units: A batch for each member.
        encoded: Latents of the units of the batch.
        prior: Latents drawn from the prior.
        generator: Source of randomness of the weights of Bayesian networks.
        latent_weight: Weight of the reconstruction of drawn latents.
        variance_penalty: Penalty weight on the squared raw variances.

    Returns:
        The loss of each member, and its parts.
    """
    raw = networks.apply_noisy("covariates", torch.cat([encoded, prior], -2), generator)
    means, variances = raw.split([raw.shape[-1] - 1, 1], -1)
    again, drawn = means.chunk(2, -2)
    squares = (again - units.covariates).square()
    if units.observed is None:
        covariates = squares.mean((-1, -2))
    else:
        seen = units.observed.to(squares)
        covariates = (squares * seen).sum((-1, -2)) / seen.sum((-1, -2)).clamp(min=1)
    latents = (networks.encode(drawn) - prior).square().mean((-1, -2))
    with torch.no_grad():  # the critic has a phase of its own
        critic = networks.critic.layers
    parts = {
        "critic": -tanh_score(critic, encoded).mean(-1),
        "covariates": covariates,
        "latents": latent_weight * latents,
        "variances": variance_penalty * variances.chunk(2, -2)[1].square().mean((-1, -2)),
    }
    return torch.stack(list(parts.values())).sum(0), parts


def weighted_likelihood(
    x: Float[Tensor, "*rows"], head: NormalHead, exponent: float
) -> Float[Tensor, "*rows"]:
    r"""Compute a normal loss in which noisy units are not given up.

    .. math:: s^{2 \beta} \left[ \frac{(x - m)^2}{2 s^2} + \frac12 \log s^2 \right]

    with the factor :math:`s^{2 \beta}` not differentiated (Seitzer et al., 2022), divided by its
    mean over the batch.

    Args:
        x: Values.
        head: Predicted mean and variance of every value, one column.
        exponent: Exponent beta of the variance; 0 is the likelihood.

    Returns:
        One loss for each row.
    """
    variance = head.variance[..., 0].clamp(min=1e-3)
    loss = 0.5 * ((x - head.mean[..., 0]).square() / variance + variance.log())
    if not exponent:
        return loss
    weight = variance.detach() ** exponent
    return loss * weight / weight.mean(-1, keepdim=True)


def batch_fit(
    networks: Networks,
    units: Units,
    z: Float[Tensor, "members n latents"],
    generator: torch.Generator,
    *,
    exponent: float,
) -> tuple[Float[Tensor, " members"], Float[Tensor, " members"]]:
    """Compute how badly treatment and outcome are predicted from latents.

    Args:
        networks: The ensemble.
        units: A batch for each member.
        z: Latents of the units of the batch.
        generator: Source of randomness of the weights of Bayesian networks.
        exponent: Exponent beta of :func:`weighted_likelihood`.

    Returns:
        The losses of treatment and outcome of each member.
    """
    assert units.treatment is not None
    assert units.outcome is not None
    raw = networks.apply_noisy("treatment", networks.roles.for_treatment(z), generator)
    if networks.is_binary:
        treatment = F.binary_cross_entropy_with_logits(
            raw[..., 0], units.treatment, reduction="none"
        )
    else:
        dose = units.treatment.clamp(-LARGEST_DOSE, LARGEST_DOSE)
        treatment = weighted_likelihood(dose, scalar_head(raw), exponent)
    inputs = outcome_inputs(networks.roles, z, units.treatment, networks.dose_knots)
    raw = networks.apply_noisy("outcome", inputs, generator)
    outcome = weighted_likelihood(units.outcome, scalar_head(raw), exponent)
    return treatment.mean(-1), outcome.mean(-1)
