"""The two phases of the fit: the joint start, and iterative updating."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.egm import batch_fit, critic_loss, generative_loss
from aetia.effects.causalbgm.folds import Folds, Turn, in_turns, unit_batches
from aetia.effects.causalbgm.generative import Units, log_terms
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.networks import Networks, relevance_penalty
from aetia.effects.causalbgm.selection import BestWeights, held_out_loss
from aetia.nets import normal_log_prob, scalar_head
from aetia.samplers import HMC, HMCState
from aetia.training import Phase, RowwiseAdam, TrainingConfig, train

__all__ = ["batch_size", "clip_members", "fit_jointly", "update_iteratively"]

_CLIP = 5.0
"""Largest gradient norm of a member."""

Rows = list[dict[str, Any]]


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
    # Losses are means over units; what belongs to all units together counts one share of it.
    n_learned = float((~folds.held_out()).sum(1).float().mean())
    kl_weight = _kl_weight(config, n_learned)
    adversarial = config.generative_weight > 0
    width = networks.roles.total
    # The critic is updated in every step, the networks in every n_critic_steps-th.
    total = n_steps * (config.n_critic_steps if adversarial else 1)

    def prior(batch: Units, generator: torch.Generator) -> Tensor:
        shape = (*batch.covariates.shape[:-1], width)
        return torch.empty(shape, device=batch.covariates.device).normal_(generator=generator)

    def blurred(z: Tensor, generator: torch.Generator, step: int) -> Tensor:
        if not config.latent_noise:
            return z
        # It ends at zero: what is found under noise is then fitted without it.
        left = config.latent_noise * (1 - step / total)
        return z + left * torch.empty_like(z).normal_(generator=generator)

    known = _Together(networks)

    def critic(
        _: nn.Module, turn: Turn, step: int, generator: torch.Generator
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        encoded = blurred(known.latents(turn), generator, step)
        loss, parts = critic_loss(networks.critic, prior(turn.units, generator), encoded, generator)
        return loss.sum(), _averages(parts, torch.stack(list(parts.values())))

    def generative(
        _: nn.Module, turn: Turn, step: int, generator: torch.Generator
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        some = turn.units
        centre = networks.encode_features(known.features(turn), some.covariates)
        z = blurred(centre, generator, step)
        treatment, outcome = batch_fit(
            networks, some, z, generator, exponent=config.variance_weighting
        )
        parts = {"treatment": treatment, "outcome": outcome}
        if config.latent_shrinkage:
            # Without the noise, whose square only adds a constant.
            causal = centre[..., : networks.n_causal]
            parts["shrinkage"] = 0.5 * config.latent_shrinkage * causal.square().sum(-1).mean(-1)
        if adversarial:
            loss = generative_loss(
                networks,
                some,
                z,
                prior(some, generator),
                generator,
                latent_weight=config.latent_weight,
                variance_penalty=config.variance_penalty,
            )[0]
            parts["generative"] = config.generative_weight * loss
        if config.relevance:
            parts["relevance"] = config.relevance / n_learned * relevance_penalty(networks)
        if networks.is_bayesian:
            parts["kl"] = kl_weight * networks.kl()
        losses = torch.stack(list(parts.values()))
        return losses.sum(), _averages(parts, losses)

    critic_weights = {id(p) for p in networks.critic.parameters()}
    phases = [
        Phase(
            parameters=lambda m: [p for p in m.parameters() if id(p) not in critic_weights],
            loss=generative,
            every=config.n_critic_steps if adversarial else 1,
            name="networks",
            clip=clip_members,
        )
    ]
    if adversarial:
        phases.append(
            Phase(
                parameters=lambda _: list(networks.critic.parameters()),
                loss=critic,
                name="critic",
                clip=clip_members,
            )
        )
    options = TrainingConfig(
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
    # The encoder stays between two of its updates: units of these steps are encoded at once.
    n_turns = config.n_critic_steps if adversarial else 1
    size = n_turns * batch_size(config, len(folds.of_unit))
    batches = in_turns(unit_batches(units, folds, size, seed), n_turns)
    return _train(
        networks,
        networks=networks,
        phases=phases,
        batches=batches,
        units=units,
        folds=folds,
        exponent=config.variance_weighting,
        options=options,
        seed=seed,
        best=best,
    )


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


@torch.no_grad()
def _averages(parts: Mapping[str, Tensor], losses: Tensor) -> dict[str, Tensor]:
    """Average the parts of a loss over members, all at once."""
    return dict(zip(parts, losses.mean(1).unbind(), strict=True))


class _Latents(nn.Module):
    """The ensemble, its prior, and one row of latents for every member and unit."""

    def __init__(self, networks: Networks, prior: LatentPrior, z: Tensor) -> None:
        super().__init__()
        self.networks, self.prior = networks, prior
        self.table = nn.Parameter(z.flatten(0, 1).clone())
        self.log_step = torch.full(z.shape[:2], math.log(0.1), device=z.device)


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
    n, roles = z.shape[1], networks.roles
    state = _Latents(networks, prior, z)
    n_learned = float((~folds.held_out()).sum(1).float().mean())
    kl_weight = _kl_weight(config, n_learned)
    # The table of latents has one row for each member and unit, members one after the other.
    offsets = torch.arange(folds.n_members, device=z.device)[:, None] * n

    def density(some: Units, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
        # Latents move given the networks, whose gradients would be computed for nothing.
        mechanisms = networks.mechanisms().map(torch.Tensor.detach)

        def value(position: Tensor) -> Tensor:
            terms = log_terms(mechanisms, roles, some, position, is_binary=networks.is_binary)
            return terms.total + prior.log_prob(position, labels)

        return value

    def redraw(some: Units, rows: Tensor, labels: Tensor | None, g: torch.Generator) -> Tensor:
        """One trajectory for the units of the batch; step sizes follow their acceptance."""
        members = torch.arange(folds.n_members, device=rows.device)[:, None]
        at = (rows + offsets).flatten()
        sampler = HMC(density(some, labels), n_leapfrog=5)
        start: HMCState = sampler.init(state.table.detach()[at].unflatten(0, rows.shape))
        start = start._replace(step_size=state.log_step[members, rows].exp())
        end, info = sampler.step(start, g)
        # Units differ in how narrow their posterior is: each has a step size of its own.
        state.log_step[members, rows] += 0.1 * (info.acceptance - 0.7)
        state.table.data[at] = end.position.flatten(0, 1)
        return end.position

    def fit(
        _: nn.Module, batch: tuple[Units, Tensor], step: int, generator: torch.Generator
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        some, rows = batch
        labels = None if segments is None else segments[rows]
        if config.latent_updates == "sample":
            latents = redraw(some, rows, labels, generator)
        else:
            latents = state.table.detach()[(rows + offsets).flatten()].unflatten(0, rows.shape)
        # No critic and no encoder here: latents are given, so this is the likelihood itself.
        raw = networks.apply_noisy("covariates", latents, generator)
        covariates = -normal_log_prob(some.covariates, scalar_head(raw), some.observed).mean(-1)
        treatment, outcome = batch_fit(
            networks, some, latents, generator, exponent=config.variance_weighting
        )
        parts = {"covariates": covariates, "treatment": treatment, "outcome": outcome}
        if prior.is_conditional:
            parts["prior"] = -prior.log_prob(latents, labels).mean(-1)
        if networks.is_bayesian:
            parts["kl"] = kl_weight * networks.kl()
        losses = torch.stack(list(parts.values()))
        return losses.sum(), _averages(parts, losses)

    def climb(
        _: nn.Module, batch: tuple[Units, Tensor], step: int, generator: torch.Generator
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        some, rows = batch
        labels = None if segments is None else segments[rows]
        # Sparse, so that a step costs the same whatever the number of units.
        latents = F.embedding(rows + offsets, state.table, sparse=True)
        return -density(some, labels)(latents).sum(), {}

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
            loss=fit,
            name="networks",
        )
    ]
    if config.latent_updates == "map":
        rate = config.latent_learning_rate
        # Adam by rows: moments of units outside the minibatch must not move their latents.
        phases.append(
            Phase(
                parameters=lambda _: [state.table],
                loss=climb,
                name="latents",
                optimiser=lambda p: RowwiseAdam(p, lr=rate, betas=(0.9, 0.99)),
            )
        )
    n_steps = max(math.ceil(config.n_epochs * n / batch_size(config, n)), 1)
    options = TrainingConfig(
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
    batches = unit_batches(units, folds, batch_size(config, n), seed)
    rows = _train(
        state,
        networks=networks,
        phases=phases,
        batches=batches,
        units=units,
        folds=folds,
        exponent=config.variance_weighting,
        options=options,
        seed=seed,
        best=best,
    )
    return state.table.detach().unflatten(0, z.shape[:2]), rows


@torch.no_grad()
def clip_members(parameters: Sequence[nn.Parameter], limit: float) -> float:
    """Clip the gradient of every member on its own.

    A norm over all members would let the units that one member holds out, which others are trained
    on, change its gradient.

    Args:
        parameters: Parameters with gradients; members are their first dimension.
        limit: Largest gradient norm of a member.

    Returns:
        The norm over all members, before clipping.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = torch.cat([g.flatten(1) for g in gradients], 1).norm(dim=1)
    of_members = norms.tolist()
    if not all(norm <= limit for norm in of_members):
        factor = (limit / (norms + 1e-12)).clamp(max=1.0)
        for g in gradients:
            g.mul_(factor.view(-1, *[1] * (g.ndim - 1)))
    return math.hypot(*of_members)


def batch_size(config: CausalBGMConfig, n: int) -> int:
    """Choose the units of a step.

    Args:
        config: Options.
        n: Units of the study.

    Returns:
        A number.
    """
    if config.batch_size != "auto":
        return config.batch_size
    return 64 if n < 4000 else 256


def _kl_weight(config: CausalBGMConfig, n_learned: float) -> float:
    return 1.0 / n_learned if config.kl_weight == "auto" else config.kl_weight


def _train(
    module: nn.Module,
    *,
    networks: Networks,
    phases: Sequence[Phase],
    batches: Callable[[int], Iterator[Any]],
    units: Units,
    folds: Folds,
    exponent: float,
    options: TrainingConfig,
    seed: int,
    best: BestWeights,
) -> Rows:
    """Run the phases, and tell ``best`` the validation losses of all members on the way."""
    first = int(best.step.max())  # steps are counted on from one phase of a fit to the next

    last: dict[str, Tensor] = {}

    def validate(_: nn.Module, step: int) -> list[dict[str, Any]]:
        loss = held_out_loss(networks, units, folds, exponent)
        best.update(networks, loss, first + step)
        if step == options.n_steps:
            last.update({k: v.clone() for k, v in module.state_dict().items()})
        return [{"task": m, "loss": float(v)} for m, v in enumerate(loss)]

    trained = train(
        module, phases, batches, config=options, seed=seed, validate=validate, resume=False
    )
    # The loop puts back the step that was best for all members together: through it a unit would
    # reach the member that holds it out. The members' own best weights are in `best`.
    module.load_state_dict(last)
    return trained.rows
