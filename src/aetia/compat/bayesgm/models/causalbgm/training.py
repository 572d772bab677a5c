"""The two stages of a fit as the original has them: constant rates, the last weights stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aetia.compat.bayesgm.arguments import Triplet
from aetia.compat.bayesgm.models.causalbgm.fixed_noise import fix_noise
from aetia.compat.bayesgm.models.causalbgm.losses import critic_loss, generator_loss, networks_loss
from aetia.devices import pick_device
from aetia.effects.causalbgm.surface import (
    CausalBGMConfig,
    Fitted,
    Folds,
    LatentPrior,
    LatentRoles,
    Networks,
    Units,
    latent_density,
    read_study,
    take_units,
)
from aetia.nets import seeded
from aetia.randomness import torch_generator
from aetia.training import Phase, RowwiseAdam, TrainingConfig, minibatches, train

__all__ = ["new_fit", "start_jointly", "update_iteratively"]

_BETAS = (0.9, 0.99)

Signals = Mapping[str, float]


def new_fit(
    study: Triplet,
    config: CausalBGMConfig,
    params: Mapping[str, Any],
    seeds: np.random.SeedSequence,
    segments: Tensor | None = None,
) -> Fitted:
    """Build fresh networks for a study; the original trains on all units and holds none out.

    Args:
        study: Treatment, outcome, covariates.
        config: Options.
        params: All keys; fixed standard deviations and the prior given segments are read from them.
        seeds: Source of randomness of the first weights.
        segments: Label of every unit, for a conditional prior.

    Returns:
        Networks that have not been trained yet.
    """
    table = read_study(study.x, study.y, study.v, kind=config.treatment_kind)
    device = pick_device("auto")
    folds = Folds(torch.full((table.n,), -1, device=device), 1, 1)
    assert config.latent_dims != "auto"
    roles = LatentRoles(*config.latent_dims)
    n_segments = params["n_segments"] if segments is not None else 0
    with seeded(torch_generator(seeds)):
        networks = Networks(table.units, roles, config, 1, table.is_binary)
        prior = LatentPrior(roles.total, 1, n_segments, params.get("prior_units", ()))
    scales = {
        "sigma_v": (networks.covariates, 1.0),
        "sigma_x": (networks.treatment, table.treatment_scale[1]),
        "sigma_y": (networks.outcome, table.outcome_scale[1]),
    }
    for key, (network, scale) in scales.items():
        if key in params:
            fix_noise(network, params[key] / scale)
    return Fitted(
        networks.to(device),
        prior.to(device),
        folds,
        table,
        table.units.map(lambda part: part.to(device)),
        None if segments is None else segments.to(device),
    )


def start_jointly(
    fit: Fitted,
    params: Mapping[str, Any],
    *,
    batch_size: int,
    n_iterations: int,
    seeds: np.random.SeedSequence,
    on_iteration: Callable[[int, Signals], None],
    progress: bool | None,
) -> None:
    """Train encoder and networks against a critic, ``g_d_freq`` updates of it for each of those.

    Args:
        fit: Changed in place.
        params: All keys.
        batch_size: Units of a step.
        n_iterations: Updates of encoder and networks.
        seeds: Source of randomness of minibatches and noise.
        on_iteration: Told the number of the iteration after each, from 0, and its losses.
        progress: Whether to show a bar; None shows it in terminals.
    """
    networks, every = fit.networks, int(params["g_d_freq"])
    critic_weights = {id(p) for p in networks.critic.parameters()}

    def critic(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        return critic_loss(networks, take_units(fit.units, batch[None]), generator)

    def generative(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        some, weight = take_units(fit.units, batch[None]), float(params["use_z_rec"])
        return generator_loss(networks, some, generator, latent_weight=weight)

    def on_step_end(step: int, signals: Signals) -> Signals:
        if step % every == 0:
            on_iteration(step // every, signals)
        return {}

    phases = [
        Phase(parameters=lambda _: list(networks.critic.parameters()), loss=critic, name="critic"),
        Phase(
            parameters=lambda _: [p for p in networks.parameters() if id(p) not in critic_weights],
            loss=generative,
            every=every,
            name="networks",
        ),
    ]
    # The step that ends the last iteration is its first: its critics are not needed any more.
    n_steps = (n_iterations - 1) * every + 1
    trained = train(
        networks,
        phases,
        minibatches(fit.table.n, batch_size, _integer(seeds)),
        config=_constant(n_steps, params["lr"], progress),
        seed=_integer(seeds),
        on_step_end=on_step_end,
    )
    fit.rows += trained.rows


class _Updated(nn.Module):
    """Everything that the iterative updating changes."""

    def __init__(self, fit: Fitted) -> None:
        super().__init__()
        assert fit.latents is not None
        self.networks, self.prior = fit.networks, fit.prior
        self.table = nn.Parameter(fit.latents[0].clone())


def update_iteratively(
    fit: Fitted,
    params: Mapping[str, Any],
    *,
    batch_size: int,
    n_epochs: int,
    seeds: np.random.SeedSequence,
    on_epoch: Callable[[int], None],
    progress: bool | None,
) -> None:
    """Alternate between networks and latents for some passes; an incomplete last batch is skipped.

    Args:
        fit: Changed in place; latents go on from where they are.
        params: All keys.
        batch_size: Units of a step.
        n_epochs: Passes over the units.
        seeds: Source of randomness of minibatches and noise.
        on_epoch: Told the number of the pass after each, from 0.
        progress: Whether to show a bar; None shows it in terminals.
    """
    state, networks, n = _Updated(fit), fit.networks, fit.table.n
    per_epoch = n // min(batch_size, n)
    mechanisms = (networks.covariates, networks.treatment, networks.outcome, fit.prior)

    def parts_of(batch: Tensor) -> tuple[Units, Tensor | None]:
        labels = None if fit.segments is None else fit.segments[batch]
        return take_units(fit.units, batch[None]), labels

    def weights(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        some, labels = parts_of(batch)
        z = state.table.detach()[batch][None]
        weight = float(params["kl_weight"])
        return networks_loss(networks, fit.prior, some, z, labels, generator, kl_weight=weight)

    def latents(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step, generator
        some, labels = parts_of(batch)
        density = latent_density(
            networks.mechanisms(),
            networks.roles,
            some,
            fit.prior,
            is_binary=networks.is_binary,
            segments=labels,
        )
        return -density(state.table[batch][None]).sum(), {}

    def on_step_end(step: int, signals: Signals) -> Signals:
        del signals
        if (step + 1) % per_epoch == 0:
            fit.latents = state.table.detach()[None].clone()
            on_epoch(step // per_epoch)
        return {}

    phases = [
        Phase(
            parameters=lambda _: [p for part in mechanisms for p in part.parameters()],
            loss=weights,
            name="networks",
        ),
        Phase(
            parameters=lambda _: [state.table],
            loss=latents,
            name="latents",
            optimiser=lambda table: RowwiseAdam(table, lr=params["lr_z"], betas=_BETAS),
        ),
    ]
    trained = train(
        state,
        phases,
        minibatches(n, batch_size, _integer(seeds)),
        config=_constant(n_epochs * per_epoch, params["lr_theta"], progress),
        seed=_integer(seeds),
        on_step_end=on_step_end,
    )
    fit.rows += trained.rows


def _constant(n_steps: int, rate: float, progress: bool | None) -> TrainingConfig:
    return TrainingConfig(
        n_steps=n_steps,
        learning_rate=rate,
        betas=_BETAS,
        weight_decay=0.0,
        schedule="constant",
        warmup=0.0,
        clip_norm=None,
        gradient_shares=False,
        log_every=max(n_steps // 20, 1),
        progress=progress,
    )


def _integer(seeds: np.random.SeedSequence) -> int:
    return int(seeds.generate_state(1)[0])
