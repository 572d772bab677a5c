"""The weights of every member where it was best on the units it never saw."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

from aetia.effects.causalbgm.egm import LARGEST_DOSE, weighted_likelihood
from aetia.effects.causalbgm.folds import Folds, take_units
from aetia.effects.causalbgm.generative import Units, outcome_distribution, treatment_distribution
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.networks import Networks

__all__ = ["BestWeights", "held_out_loss"]

_LARGEST_LOSS = 10.0
"""Largest loss of one unit's outcome: a few outliers must not choose the weights."""


@torch.no_grad()
def held_out_loss(
    networks: Networks, units: Units, folds: Folds, exponent: float
) -> Float[Tensor, " members"]:
    """Score each member on its held-out units: treatment and outcome from encoded covariates.

    Args:
        networks: The ensemble.
        units: The study.
        folds: Folds of the units: which members hold out which units.
        exponent: Exponent of the variances, the same as in training, so that losses of different
            steps can be compared.

    Returns:
        The mean loss of each member.
    """
    held = folds.held_out()
    # Members score their own units alone; the largest fold sets the width.
    width = int(held.sum(1).max())
    rows = torch.sort(held.long(), dim=1, descending=True, stable=True).indices[:, :width]
    some, held = take_units(units, rows), held.gather(1, rows)
    received, result = some.treatment, some.outcome
    assert received is not None
    assert result is not None
    z = networks.encode(some.covariates, some.observed)
    mechanisms = networks.mechanisms()
    head = treatment_distribution(mechanisms, networks.roles, z)
    if networks.is_binary:
        logit = head.mean[..., 0]
        treatment = F.binary_cross_entropy_with_logits(logit, received, reduction="none")
    else:
        dose = received.clamp(-LARGEST_DOSE, LARGEST_DOSE)
        treatment = weighted_likelihood(dose, head, exponent)
    head = outcome_distribution(mechanisms, networks.roles, z, received)
    total = treatment + weighted_likelihood(result, head, exponent).clamp(max=_LARGEST_LOSS)
    return torch.where(held, total, 0.0).sum(1) / held.sum(1)


class BestWeights:
    """A copy of every member's weights, and of its prior's, at its own best step.

    Args:
        networks: The ensemble.
        prior: Prior of the latents, if it is trained as well; what it is at the best step goes with
            the networks of that step.
    """

    def __init__(self, networks: Networks, prior: LatentPrior | None = None) -> None:
        self.prior = prior
        self.loss = torch.full((networks.n_members,), torch.inf, device=networks.knots.device)
        self.step = torch.zeros(networks.n_members, dtype=torch.long)
        self.weights = [p.detach().clone() for p in self._parameters(networks)]

    def _parameters(self, networks: Networks) -> list[nn.Parameter]:
        return [*networks.parameters(), *(self.prior.parameters() if self.prior else ())]

    def update(self, networks: Networks, loss: Float[Tensor, " members"], step: int) -> None:
        """Keep the weights of members that got better.

        Args:
            networks: The ensemble.
            loss: Mean loss of every member on its held-out units.
            step: Number of the step, for the record.
        """
        better = loss < self.loss
        self.loss = torch.where(better, loss, self.loss)
        self.step[better.cpu()] = step
        for kept, p in zip(self.weights, self._parameters(networks), strict=True):
            kept[better] = p.detach()[better]

    def start_again(self) -> None:
        """Choose among the steps that follow only; the record of steps goes on."""
        self.loss.fill_(torch.inf)

    @torch.no_grad()
    def restore(self, networks: Networks) -> None:
        """Put them back.

        Args:
            networks: The ensemble.
        """
        for kept, p in zip(self.weights, self._parameters(networks), strict=True):
            p.copy_(kept)
