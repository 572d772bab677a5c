"""Iterative updating: networks given latents in turn with latents given networks."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.egm import batch_fit
from aetia.effects.causalbgm.fitting import (
    Loss,
    Rows,
    averages,
    batch_size,
    kl_weight,
    n_training_rows,
    train_members,
)
from aetia.effects.causalbgm.folds import Folds, unit_batches
from aetia.effects.causalbgm.generative import Units, log_terms
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.networks import Networks
from aetia.effects.causalbgm.selection import BestWeights
from aetia.nets import normal_log_prob, scalar_head
from aetia.samplers import HMC, HMCState
from aetia.training import Phase, RowwiseAdam, TrainingConfig

__all__ = ["update_iteratively"]


def update_iteratively(
    networks: Networks,
    prior: LatentPrior,
    units: Units,
    folds: Folds,
    z: Float[Tensor, "members n latents"],
    config: CausalBGMConfig,
    *,
    seed: int,
    progress: bool | None,
    best: BestWeights,
    segments: Tensor | None = None,
) -> tuple[Float[Tensor, "members n latents"], Rows]:
    """Alternate: networks given latents, latents given networks.

    Args:
        networks: The ensemble, changed in place.
        prior: Prior of the latents; a conditional one is trained as well.
        units: The study.
        folds: Folds of the units: which members hold out which units.
        z: Latents at the beginning.
        config: Options.
        seed: Root of everything random.
        progress: Whether to show a bar.
        best: Keeper of the weights, which is told every validation loss.
        segments: Label of every unit, for a conditional prior.

    Returns:
        Latents of the units, and the health record.
    """
    state = _Latents(networks, prior, z)
    losses = _IterativeLosses(state, config, segments, kl_weight(config, n_training_rows(folds)))
    size = batch_size(config, z.shape[1])
    rows = train_members(
        state,
        networks=networks,
        phases=_phases(state, losses, config),
        batches=unit_batches(units, folds, size, seed),
        units=units,
        folds=folds,
        exponent=config.variance_weighting,
        options=_options(config, z.shape[1], progress),
        seed=seed,
        best=best,
    )
    return state.table.detach().unflatten(0, z.shape[:2]), rows


def _phases(state: _Latents, losses: _IterativeLosses, config: CausalBGMConfig) -> list[Phase]:
    networks, prior = state.networks, state.prior
    # Encoders and critic stay as they are: no loss of this phase depends on them.
    fixed = {
        id(p)
        for net in (networks.encoder, networks.rest_encoder, networks.critic)
        if net is not None
        for p in net.parameters()
    }
    phases = [
        Phase(
            parameters=lambda _: [
                p for p in (*networks.parameters(), *prior.parameters()) if id(p) not in fixed
            ],
            loss=losses.of_networks,
            name="networks",
        )
    ]
    if config.latent_updates == "map":
        rate = config.latent_learning_rate
        # Adam by rows: moments of units outside the minibatch must not move their latents.
        phases.append(
            Phase(
                parameters=lambda _: [state.table],
                loss=losses.of_latents,
                name="latents",
                optimiser=lambda p: RowwiseAdam(p, lr=rate, betas=(0.9, 0.99)),
            )
        )
    return phases


def _options(config: CausalBGMConfig, n: int, progress: bool | None) -> TrainingConfig:
    n_steps = max(math.ceil(config.n_epochs * n / batch_size(config, n)), 1)
    return TrainingConfig(
        n_steps=n_steps,
        learning_rate=config.iterative_learning_rate,
        weight_decay=0.0,
        betas=(0.9, 0.99),
        schedule="cosine",
        clip_norm=None,
        log_every=max(n_steps // 20, 1),
        gradient_shares=False,
        validate_every=max(n_steps // max(config.n_epochs, 1), 1),
        progress=progress,
    )


class _Latents(nn.Module):
    """The ensemble, its prior, and one row of latents for every member and unit."""

    def __init__(self, networks: Networks, prior: LatentPrior, z: Tensor) -> None:
        super().__init__()
        self.networks, self.prior = networks, prior
        self.table = nn.Parameter(z.flatten(0, 1).clone())
        self.log_step = torch.full(z.shape[:2], math.log(0.1), device=z.device)


class _IterativeLosses:
    """Losses of networks and of latents on the units of one minibatch."""

    def __init__(
        self, state: _Latents, config: CausalBGMConfig, segments: Tensor | None, kl_weight: float
    ) -> None:
        self.state, self.config = state, config
        self.segments, self.kl_weight = segments, kl_weight
        # The table of latents has one row for each member and unit, members one after the other.
        n_members, n = state.log_step.shape
        self.members = torch.arange(n_members, device=state.log_step.device)[:, None]
        self.offsets = self.members * n

    def of_networks(
        self, _: nn.Module, batch: tuple[Units, Tensor], step: int, generator: torch.Generator
    ) -> Loss:
        """Fit all mechanisms to the units given their latents, which move first if drawn."""
        networks, prior = self.state.networks, self.state.prior
        some, rows = batch
        labels = self._labels(rows)
        if self.config.latent_updates == "sample":
            latents = self._redraw(some, rows, labels, generator)
        else:
            at = (rows + self.offsets).flatten()
            latents = self.state.table.detach()[at].unflatten(0, rows.shape)
        # No critic and no encoder here: latents are given, so this is the likelihood itself.
        raw = networks.apply_noisy("covariates", latents, generator)
        covariates = -normal_log_prob(some.covariates, scalar_head(raw), some.observed).mean(-1)
        treatment, outcome = batch_fit(
            networks, some, latents, generator, exponent=self.config.variance_weighting
        )
        parts = {"covariates": covariates, "treatment": treatment, "outcome": outcome}
        if prior.is_conditional:
            parts["prior"] = -prior.log_prob(latents, labels).mean(-1)
        if networks.is_bayesian:
            parts["kl"] = self.kl_weight * networks.kl()
        losses = torch.stack(list(parts.values()))
        return losses.sum(), averages(parts, losses)

    def of_latents(
        self, _: nn.Module, batch: tuple[Units, Tensor], step: int, generator: torch.Generator
    ) -> Loss:
        """Climb to the mode of the latents given the networks."""
        some, rows = batch
        # Sparse, so that a step costs the same whatever the number of units.
        latents = F.embedding(rows + self.offsets, self.state.table, sparse=True)
        return -self._density(some, self._labels(rows))(latents).sum(), {}

    def _labels(self, rows: Tensor) -> Tensor | None:
        return None if self.segments is None else self.segments[rows]

    def _density(self, some: Units, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
        networks, prior = self.state.networks, self.state.prior
        # Latents move given the networks, whose gradients would be computed for nothing.
        mechanisms = networks.mechanisms().map(torch.Tensor.detach)

        def value(position: Tensor) -> Tensor:
            terms = log_terms(
                mechanisms, networks.roles, some, position, is_binary=networks.is_binary
            )
            return terms.total + prior.log_prob(position, labels)

        return value

    def _redraw(
        self, some: Units, rows: Tensor, labels: Tensor | None, generator: torch.Generator
    ) -> Tensor:
        """One trajectory for the units of the batch; step sizes follow their acceptance."""
        state, at = self.state, (rows + self.offsets).flatten()
        sampler = HMC(self._density(some, labels), n_leapfrog=5)
        start: HMCState = sampler.init(state.table.detach()[at].unflatten(0, rows.shape))
        start = start._replace(step_size=state.log_step[self.members, rows].exp())
        end, info = sampler.step(start, generator)
        # Units differ in how narrow their posterior is: each has a step size of its own.
        state.log_step[self.members, rows] += 0.1 * (info.acceptance - 0.7)
        state.table.data[at] = end.position.flatten(0, 1)
        return end.position
