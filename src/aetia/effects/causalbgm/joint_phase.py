"""The joint initialisation: encoders, mechanisms and critic are trained together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.egm import batch_fit, critic_loss, generative_loss
from aetia.effects.causalbgm.fitting import (
    Loss,
    Rows,
    averages,
    batch_size,
    clip_members,
    kl_weight,
    n_training_rows,
    train_members,
)
from aetia.effects.causalbgm.folds import Folds, Turn, in_turns, unit_batches
from aetia.effects.causalbgm.generative import Units
from aetia.effects.causalbgm.networks import Networks, relevance_penalty
from aetia.effects.causalbgm.selection import BestWeights
from aetia.training import Phase, TrainingConfig

__all__ = ["fit_jointly"]

_CLIP = 5.0
"""Largest gradient norm of a member."""


def fit_jointly(
    networks: Networks,
    units: Units,
    folds: Folds,
    config: CausalBGMConfig,
    *,
    n_steps: int,
    seed: int,
    progress: bool | None,
    best: BestWeights,
) -> Rows:
    """Train encoders, mechanisms and critic together; leaves the last weights in place.

    Args:
        networks: The ensemble.
        units: The study.
        folds: Folds of the units: which members hold out which units.
        config: Options.
        n_steps: Updates of the mechanisms.
        seed: Root of everything random.
        progress: Whether to show a bar.
        best: Keeper of the weights, which is told every validation loss.

    Returns:
        The health record.
    """
    adversarial = config.generative_weight > 0
    # The critic is updated in every step, the networks in every n_critic_steps-th.
    n_turns = config.n_critic_steps if adversarial else 1
    total = n_steps * n_turns
    losses = _JointLosses(networks, config, n_training_rows(folds), total)
    # The encoder stays between two of its updates: units of these steps are encoded at once.
    size = n_turns * batch_size(config, len(folds.of_unit))
    return train_members(
        networks,
        networks=networks,
        phases=_phases(networks, losses, n_turns),
        batches=in_turns(unit_batches(units, folds, size, seed), n_turns),
        units=units,
        folds=folds,
        exponent=config.variance_weighting,
        options=_options(config, total, progress),
        seed=seed,
        best=best,
    )


def _phases(networks: Networks, losses: _JointLosses, n_turns: int) -> list[Phase]:
    critic = {id(p) for p in networks.critic.parameters()}
    phases = [
        Phase(
            parameters=lambda m: [p for p in m.parameters() if id(p) not in critic],
            loss=losses.of_networks,
            every=n_turns,
            name="networks",
            clip=clip_members,
        )
    ]
    if losses.is_adversarial:
        phases.append(
            Phase(
                parameters=lambda _: list(networks.critic.parameters()),
                loss=losses.of_critic,
                name="critic",
                clip=clip_members,
            )
        )
    return phases


def _options(config: CausalBGMConfig, total: int, progress: bool | None) -> TrainingConfig:
    return TrainingConfig(
        n_steps=total,
        learning_rate=config.learning_rate,
        weight_decay=0.0,
        betas=(0.9, 0.99),
        schedule="cosine",
        warmup=0.05,
        min_learning_rate=0.02 * config.learning_rate,
        clip_norm=_CLIP,
        log_every=max(total // 20, 1),
        gradient_shares=False,
        validate_every=max(total // 20, 1),
        progress=progress,
    )


class _JointLosses:
    """Losses of the networks and of the critic on one minibatch."""

    def __init__(
        self, networks: Networks, config: CausalBGMConfig, n_rows: float, total: int
    ) -> None:
        self.networks, self.config = networks, config
        self.n_rows, self.total = n_rows, total
        self.kl_weight = kl_weight(config, n_rows)
        self.is_adversarial = config.generative_weight > 0
        self.known = _Together(networks)

    def of_critic(self, _: nn.Module, turn: Turn, step: int, generator: torch.Generator) -> Loss:
        """Discriminate encoded units from draws of the prior."""
        encoded = self._blurred(self.known.latents(turn), generator, step)
        drawn = self._prior(turn.units, generator)
        loss, parts = critic_loss(self.networks.critic, drawn, encoded, generator)
        return loss.sum(), averages(parts, torch.stack(list(parts.values())))

    def of_networks(self, _: nn.Module, turn: Turn, step: int, generator: torch.Generator) -> Loss:
        """Fit treatment and outcome, reconstruct, and keep weights and latents small."""
        networks, config, some = self.networks, self.config, turn.units
        centre = networks.encode_features(self.known.features(turn), some.covariates)
        z = self._blurred(centre, generator, step)
        treatment, outcome = batch_fit(
            networks, some, z, generator, exponent=config.variance_weighting
        )
        parts = {"treatment": treatment, "outcome": outcome}
        if config.latent_shrinkage:
            # Without the noise, whose square only adds a constant.
            causal = centre[..., : networks.n_causal]
            parts["shrinkage"] = 0.5 * config.latent_shrinkage * causal.square().sum(-1).mean(-1)
        if self.is_adversarial:
            loss = generative_loss(
                networks,
                some,
                z,
                self._prior(some, generator),
                generator,
                latent_weight=config.latent_weight,
                variance_penalty=config.variance_penalty,
            )[0]
            parts["generative"] = config.generative_weight * loss
        if config.relevance:
            parts["relevance"] = config.relevance / self.n_rows * relevance_penalty(networks)
        if networks.is_bayesian:
            parts["kl"] = self.kl_weight * networks.kl()
        losses = torch.stack(list(parts.values()))
        return losses.sum(), averages(parts, losses)

    def _prior(self, batch: Units, generator: torch.Generator) -> Tensor:
        shape = (*batch.covariates.shape[:-1], self.networks.roles.total)
        return torch.empty(shape, device=batch.covariates.device).normal_(generator=generator)

    def _blurred(self, z: Tensor, generator: torch.Generator, step: int) -> Tensor:
        if not self.config.latent_noise:
            return z
        # It ends at zero: what is found under noise is then fitted without it.
        left = self.config.latent_noise * (1 - step / self.total)
        return z + left * torch.empty_like(z).normal_(generator=generator)


class _Together:
    """Features and latents of the units of several steps, each computed at once.

    The encoder changes between such groups of steps and not within.
    """

    def __init__(self, networks: Networks) -> None:
        self.networks = networks
        self.units: Units | None = None
        self.of_all: Tensor = torch.empty(0)
        self.encoded: Tensor | None = None

    @torch.no_grad()
    def _encode_group(self, units: Units) -> None:
        if self.units is not units:
            self.units, self.encoded = units, None
            self.of_all = self.networks.features(units.covariates, units.observed)

    def features(self, turn: Turn) -> Tensor:
        """Take the features of the units of a step."""
        self._encode_group(turn.together)
        return _part(self.of_all, turn)

    @torch.no_grad()
    def latents(self, turn: Turn) -> Tensor:
        """Take the latents of the units of a step, as they were when the group was encoded."""
        self._encode_group(turn.together)
        if self.encoded is None:
            self.encoded = self.networks.encode_features(self.of_all, turn.together.covariates)
        return _part(self.encoded, turn)


def _part(of_all: Tensor, turn: Turn) -> Tensor:
    size = turn.units.covariates.shape[1]
    return of_all[:, turn.place * size : (turn.place + 1) * size]
