r"""The generative model of CausalBGM (Liu & Wong, 2025, section 2).

.. math::

    z &= (z_0, z_1, z_2, z_3) \sim p(z) \\
    v \mid z &\sim N(\mu_v(z), \sigma_v^2(z) I) \\
    t \mid z_0, z_2 &\sim N(\mu_t, \sigma_t^2) \text{ or } Bernoulli(\text{logit } \mu_t) \\
    y \mid t, z_0, z_1 &\sim N(\mu_y(z_0, z_1, t), \sigma_y^2(z_0, z_1, t))

z0 confounds, z1 drives the outcome alone, z2 the treatment alone, z3 the rest of the covariates.
Names in the paper: t is X, the covariates v are V; networks g, h and f give the conditional
distributions of covariates, treatment and outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.effects.causalbgm.hinges import hinges
from aetia.nets import Dense, Layers, NormalHead, normal_log_prob, perceptron, scalar_head

__all__ = [
    "LatentRoles",
    "Mechanisms",
    "UnitTerms",
    "Units",
    "log_terms",
    "outcome_distribution",
    "outcome_inputs",
    "treatment_distribution",
]


class LatentRoles(NamedTuple):
    """How many latents have which role."""

    confounder: int
    outcome: int
    treatment: int
    rest: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)

    def for_outcome(self, z: Float[Tensor, "*draws n latents"]) -> Float[Tensor, "*draws n k"]:
        """Take the latents that the outcome depends on.

        Args:
            z: Latents, in the order of the roles.

        Returns:
            z0 and z1.
        """
        return z[..., : self.confounder + self.outcome]

    def for_treatment(self, z: Float[Tensor, "*draws n latents"]) -> Float[Tensor, "*draws n k"]:
        """Take the latents that the treatment depends on.

        Args:
            z: Latents, in the order of the roles.

        Returns:
            z0 and z2.
        """
        start = self.confounder + self.outcome
        return torch.cat([z[..., : self.confounder], z[..., start : start + self.treatment]], -1)


class Mechanisms(NamedTuple):
    """Weights of the three networks; leading dimensions are members of an ensemble, or draws."""

    covariates: Layers
    treatment: Layers
    outcome: Layers
    dose_knots: Float[Tensor, " k"]
    """Knots of the dose, whose hinges the network of the outcome sees; empty for arms."""

    def map(self, change: Callable[[Tensor], Tensor]) -> Mechanisms:
        """Change all weights: take a draw, move to a device.

        Args:
            change: A function of tensors.

        Returns:
            The changed mechanisms.
        """

        def layers(net: Layers) -> Layers:
            return [Dense(change(weight), change(bias)) for weight, bias in net]

        return Mechanisms(
            layers(self.covariates),
            layers(self.treatment),
            layers(self.outcome),
            self.dose_knots,
        )


class Units(NamedTuple):
    """What is known of some units. Zeros where nothing was seen."""

    covariates: Float[Tensor, "*some n p"]
    observed: Bool[Tensor, "*some n p"] | None = None
    """True where a covariate was seen; None for everywhere."""
    treatment: Float[Tensor, "*some n"] | None = None
    """None for units of whom only covariates are known."""
    outcome: Float[Tensor, "*some n"] | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> Units:
        """Change every part that is known.

        Args:
            change: A function of tensors: taking rows, moving to a device.

        Returns:
            The changed units.
        """

        def maybe(part: Tensor | None) -> Tensor | None:
            return None if part is None else change(part)

        return Units(
            change(self.covariates),
            maybe(self.observed),
            maybe(self.treatment),
            maybe(self.outcome),
        )


class UnitTerms(NamedTuple):
    """Log densities of every unit, up to nothing: constants are included."""

    covariates: Float[Tensor, "*draws n"]
    treatment: Float[Tensor, "*draws n"]
    outcome: Float[Tensor, "*draws n"]

    @property
    def total(self) -> Float[Tensor, "*draws n"]:
        """Log likelihood of all that is known of a unit, given its latents."""
        return self.covariates + self.treatment + self.outcome


def treatment_distribution(
    mechanisms: Mechanisms, roles: LatentRoles, z: Float[Tensor, "*draws n latents"]
) -> NormalHead:
    """Compute the distribution of the treatment; a binary one takes the mean as its logit.

    Args:
        mechanisms: Weights.
        roles: Roles of the latents.
        z: Latents.

    Returns:
        Mean ``[*draws, n, 1]`` and variance.
    """
    return scalar_head(perceptron(mechanisms.treatment, roles.for_treatment(z)))


def outcome_distribution(
    mechanisms: Mechanisms,
    roles: LatentRoles,
    z: Float[Tensor, "*draws n latents"],
    treatment: Float[Tensor, "*some n"],
) -> NormalHead:
    """Compute the distribution of the outcome given latents and a treatment, received or set.

    Args:
        mechanisms: Weights.
        roles: Roles of the latents.
        z: Latents.
        treatment: One level for each unit.

    Returns:
        Mean ``[*draws, n, 1]`` and variance.
    """
    return scalar_head(
        perceptron(mechanisms.outcome, outcome_inputs(roles, z, treatment, mechanisms.dose_knots))
    )


def outcome_inputs(
    roles: LatentRoles,
    z: Float[Tensor, "*draws n latents"],
    treatment: Float[Tensor, "*some n"],
    knots: Float[Tensor, " k"],
) -> Float[Tensor, "*draws n inputs"]:
    """Put together what the outcome depends on.

    Args:
        roles: Roles of the latents.
        z: Latents.
        treatment: One level for each unit.
        knots: Knots of the dose, in the networks' units; empty for arms.

    Returns:
        z0, z1 and the features of the dose.
    """
    parents = roles.for_outcome(z)
    dose = hinges(treatment, knots)
    return torch.cat([parents, dose.expand(*parents.shape[:-1], dose.shape[-1])], -1)


def log_terms(
    mechanisms: Mechanisms,
    roles: LatentRoles,
    units: Units,
    z: Float[Tensor, "*draws n latents"],
    *,
    is_binary: bool,
) -> UnitTerms:
    """Evaluate the likelihood of what is known of every unit.

    Args:
        mechanisms: Weights.
        roles: Roles of the latents.
        units: What is known; terms of what is not known are zero.
        z: Latents.
        is_binary: Whether the treatment is binary.

    Returns:
        Three terms for each unit.
    """
    head = scalar_head(perceptron(mechanisms.covariates, z))
    covariates = normal_log_prob(units.covariates, head, units.observed)
    nothing = torch.zeros_like(covariates)
    if units.treatment is None:
        return UnitTerms(covariates, nothing, nothing)
    head = treatment_distribution(mechanisms, roles, z)
    if is_binary:
        logit = head.mean[..., 0]
        treatment = -F.binary_cross_entropy_with_logits(
            logit, units.treatment.expand_as(logit), reduction="none"
        )
    else:
        treatment = normal_log_prob(units.treatment[..., None], head)
    if units.outcome is None:
        return UnitTerms(covariates, treatment, nothing)
    head = outcome_distribution(mechanisms, roles, z, units.treatment)
    return UnitTerms(covariates, treatment, normal_log_prob(units.outcome[..., None], head))
