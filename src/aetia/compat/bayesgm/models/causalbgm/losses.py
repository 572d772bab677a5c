r"""The original's losses: squared errors in the initialisation, likelihoods in the updating.

.. math::

    L_D &= -D(z) + D(e(v)) + 10\,(\|\nabla D\| - 1)^2 \\
    L_G &= -D(e(v)) + (v - g(e(v)))^2 + w\,(z - e(g(z)))^2 + L_x + (y - f)^2 + 0.001\,(a_g^2 +
        a_f^2 + a_h^2)

with drawn latents z, a squared error or a cross entropy :math:`L_x`, and raw variances a.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int
from torch import Tensor

from aetia.effects.causalbgm.surface import LatentPrior, Networks, Units, outcome_inputs
from aetia.nets import gradient_penalty, normal_log_prob, scalar_head

__all__ = ["critic_loss", "generator_loss", "networks_loss"]

_SLOPE_PENALTY, _VARIANCE_PENALTY = 10.0, 0.001
_LARGEST_DOSE = 10.0
"""Bound of the doses, as in aetia's own fit: a normal distribution could not follow larger ones."""

Loss = tuple[Tensor, dict[str, Tensor]]


def critic_loss(networks: Networks, some: Units, generator: torch.Generator) -> Loss:
    """Compute the loss of a critic that discriminates drawn latents from encoded covariates.

    Args:
        networks: The networks, of which encoder and critic are used.
        some: A batch.
        generator: Source of randomness.

    Returns:
        The loss, and its parts under the original's names.
    """
    with torch.no_grad():
        encoded = networks.encode(some.covariates, some.observed)
    drawn = torch.empty_like(encoded).normal_(generator=generator)
    gap = networks.critic(encoded).mean() - networks.critic(drawn).mean()
    slope = gradient_penalty(networks.critic, drawn, encoded, generator).mean()
    return gap + _SLOPE_PENALTY * slope, {"dz_loss": gap}


def generator_loss(
    networks: Networks, some: Units, generator: torch.Generator, *, latent_weight: float
) -> Loss:
    """Compute the loss of encoder and networks in the initialisation.

    Args:
        networks: All of them.
        some: A batch.
        generator: Source of randomness.
        latent_weight: Weight of the error with which drawn latents come back (``use_z_rec``).

    Returns:
        The loss, and its parts under the original's names.
    """
    assert some.treatment is not None
    assert some.outcome is not None
    encoded = networks.encode(some.covariates, some.observed)
    drawn = torch.empty_like(encoded).normal_(generator=generator)
    made = networks.apply_noisy("covariates", drawn, generator)
    again = networks.apply_noisy("covariates", encoded, generator)[..., :-1]
    squares = (again - some.covariates).square()
    seen = torch.ones_like(squares) if some.observed is None else some.observed.to(squares)
    treatment, outcome = _raw_outputs(networks, some, encoded, generator)
    if networks.is_binary:
        misfit = F.binary_cross_entropy_with_logits(treatment[..., 0], some.treatment)
    else:
        misfit = (treatment[..., 0] - _near(some.treatment)).square().mean()
    parts = {
        "e_loss_adv": -networks.critic(encoded).mean(),
        "l2_loss_v": (squares * seen).sum() / seen.sum().clamp(min=1),
        "l2_loss_z": (networks.encode(made[..., :-1]) - drawn).square().mean(),
        "l2_loss_x": misfit,
        "l2_loss_y": (outcome[..., 0] - some.outcome).square().mean(),
    }
    variances = sum(raw[..., -1].square().mean() for raw in (made, treatment, outcome))
    loss = torch.stack([v for k, v in parts.items() if k != "l2_loss_z"]).sum()
    loss = loss + latent_weight * parts["l2_loss_z"] + _VARIANCE_PENALTY * variances
    return loss, parts


def networks_loss(
    networks: Networks,
    prior: LatentPrior,
    some: Units,
    z: Float[Tensor, "one n latents"],
    labels: Int[Tensor, " n"] | None,
    generator: torch.Generator,
    *,
    kl_weight: float,
) -> Loss:
    """Compute the loss of the networks, and of a prior with labels, given units and latents.

    Args:
        networks: Three mechanisms.
        prior: Prior of the latents.
        some: A batch.
        z: Its latents.
        labels: Labels of the units of the batch; None where the prior has no labels.
        generator: Source of randomness of the weights of Bayesian networks.
        kl_weight: Weight of the divergence of the weights of Bayesian networks from their prior.

    Returns:
        The loss, and its parts under the original's names.
    """
    assert some.treatment is not None
    assert some.outcome is not None
    head = scalar_head(networks.apply_noisy("covariates", z, generator))
    covariates = normal_log_prob(some.covariates, head, some.observed)
    raw_treatment, raw_outcome = _raw_outputs(networks, some, z, generator)
    if networks.is_binary:
        treatment = -F.binary_cross_entropy_with_logits(raw_treatment[..., 0], some.treatment)
    else:
        dose = _near(some.treatment)[..., None]
        treatment = normal_log_prob(dose, scalar_head(raw_treatment)).mean()
    outcome = normal_log_prob(some.outcome[..., None], scalar_head(raw_outcome))
    parts = {"loss_pv_z": -covariates.mean(), "loss_px_z": -treatment, "loss_py_z": -outcome.mean()}
    if prior.is_conditional:
        parts["loss_prior_z"] = -prior.log_prob(z, labels).mean()
    if networks.is_bayesian:
        parts["loss_kl"] = kl_weight * networks.kl().sum()
    return torch.stack(list(parts.values())).sum(), parts


def _raw_outputs(
    networks: Networks, some: Units, z: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Apply the networks of treatment and outcome."""
    assert some.treatment is not None
    roles = networks.roles
    inputs = outcome_inputs(roles, z, some.treatment, networks.dose_knots)
    return (
        networks.apply_noisy("treatment", roles.for_treatment(z), generator),
        networks.apply_noisy("outcome", inputs, generator),
    )


def _near(dose: Tensor) -> Tensor:
    return dose.clamp(-_LARGEST_DOSE, _LARGEST_DOSE)
