"""The two stages of a fit as the original has them: constant rates, the last weights stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from aetia.compat.bayesgm.models.bgm.losses import critics_loss, generator_loss
from aetia.devices import pick_device
from aetia.generation.bgm.surface import (
    Adversaries,
    ColumnScales,
    Config,
    FittedModel,
    ImageCritic,
    ModelRows,
    RowLatents,
    TableCritic,
    build_networks,
    likelihood_of,
    point_phases,
)
from aetia.nets import Discriminator, seeded
from aetia.randomness import torch_generator
from aetia.results import RunFacts
from aetia.training import Phase, TrainingConfig, minibatches, train

__all__ = ["new_model", "start_adversarially", "update_iteratively"]

_START_BETAS, _BETAS = (0.5, 0.9), (0.9, 0.99)

Signals = Mapping[str, float]


def new_model(scales: ColumnScales, config: Config, seeds: np.random.SeedSequence) -> FittedModel:
    """Build fresh networks.

    Args:
        scales: Centre and scale of every column.
        config: Options.
        seeds: Source of randomness of the first weights.

    Returns:
        A model that has not been trained yet.
    """
    device, n_latents = pick_device("auto"), int(config.n_latents)
    likelihood = likelihood_of(config, scales, device)
    with seeded(torch_generator(seeds)):
        networks = build_networks(config, likelihood, n_latents, None)
    names = tuple(f"x{j}" for j in range(len(scales.centre)))
    entropy = seeds.entropy
    assert isinstance(entropy, int)
    facts, health = RunFacts(method="bgm", seed=entropy), {"n_latents": n_latents}
    return FittedModel(config, networks.to(device), likelihood, scales, names, [], facts, health)


def start_adversarially(
    model: FittedModel,
    rows: ModelRows,
    params: Mapping[str, Any],
    *,
    n_iterations: int,
    seeds: np.random.SeedSequence,
    on_iteration: Callable[[int, Signals], None],
    progress: bool | None,
) -> None:
    """Train generator and encoder against critics, ``g_d_freq`` updates of these for each of those.

    Args:
        model: Changed in place.
        rows: The table.
        params: All keys.
        n_iterations: Updates of generator and encoder.
        seeds: Source of randomness of critics, minibatches and noise.
        on_iteration: Told the number of the iteration after each, from 0, and its losses.
        progress: Whether to show a bar; None shows it in terminals.
    """
    config, every = model.config, int(params["g_d_freq"])
    with seeded(torch_generator(seeds)):
        of_latents = Discriminator(int(params["z_dim"]), list(params["dz_units"]))
        of_rows: nn.Module
        if hasattr(config, "image_shape"):
            of_rows = ImageCritic((28, 28, 1), 64, 0.3)
        else:
            of_rows = TableCritic(len(model.names), list(params["dx_units"]))
    adversaries = Adversaries(model.networks, of_latents, of_rows).to(model.device)

    def critics(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        some, gamma = rows.take(batch), float(params["gamma"])
        return critics_loss(adversaries, model.likelihood, some, generator, gamma=gamma)

    def networks(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        del step
        some, alpha = rows.take(batch), float(params["alpha"])
        return generator_loss(adversaries, model.likelihood, some, generator, alpha=alpha)

    def on_step_end(step: int, signals: Signals) -> Signals:
        if step % every == 0:
            on_iteration(step // every, signals)
        return {}

    both = [*of_latents.parameters(), *of_rows.parameters()]
    phases = [
        Phase(parameters=lambda _: both, loss=critics, name="critics"),
        Phase(
            parameters=lambda _: list(model.networks.parameters()),
            loss=networks,
            every=every,
            name="networks",
        ),
    ]
    # The step that ends the last iteration is its first: its critics are not needed any more.
    n_steps = (n_iterations - 1) * every + 1
    trained = train(
        adversaries,
        phases,
        minibatches(len(rows.x), config.batch_size, _integer(seeds)),
        config=_constant(n_steps, params["lr"], _START_BETAS, progress),
        seed=_integer(seeds),
        on_step_end=on_step_end,
    )
    model.history.extend({"stage": "egm", **row} for row in trained.rows)


def update_iteratively(
    model: FittedModel,
    rows: ModelRows,
    latents: Float[Tensor, "n k"],
    *,
    n_epochs: int,
    seeds: np.random.SeedSequence,
    on_epoch: Callable[[int, Float[Tensor, "n k"]], None],
    progress: bool | None,
) -> Float[Tensor, "n k"]:
    """Alternate between weights and latents for some passes.

    Args:
        model: Changed in place.
        rows: The table.
        latents: Latents of all rows at the beginning.
        n_epochs: Passes; an incomplete last batch is skipped.
        seeds: Source of randomness of minibatches and noise.
        on_epoch: Told the number of the pass after each, from 0, and the latents.
        progress: Whether to show a bar; None shows it in terminals.

    Returns:
        The latents of all rows, at their mode.
    """
    n, config = len(rows.x), model.config
    per_epoch = n // min(config.batch_size, n)
    module = RowLatents(model.networks, latents)

    def on_step_end(step: int, signals: Signals) -> Signals:
        del signals
        if (step + 1) % per_epoch == 0:
            on_epoch(step // per_epoch, module.latents.detach())
        return {}

    trained = train(
        module,
        point_phases(module, model.likelihood, rows, config),
        minibatches(n, config.batch_size, _integer(seeds)),
        config=_constant(n_epochs * per_epoch, config.learning_rate, _BETAS, progress),
        seed=_integer(seeds),
        on_step_end=on_step_end,
    )
    model.networks.eval().requires_grad_(False)
    model.history.extend({"stage": "likelihood", **row} for row in trained.rows)
    return module.latents.detach()


def _constant(
    n_steps: int, rate: float, betas: tuple[float, float], progress: bool | None
) -> TrainingConfig:
    return TrainingConfig(
        n_steps=n_steps,
        learning_rate=rate,
        betas=betas,
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
