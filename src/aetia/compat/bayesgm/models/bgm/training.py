"""A fit in parts: the adversarial start, and passes over the rows between two evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from aetia.devices import pick_device
from aetia.generation.bgm.egm import Adversaries, critic_loss, generator_loss
from aetia.generation.bgm.fitting import ModelRows, fit_likelihood, minibatches
from aetia.generation.bgm.model import Config, FittedModel, build_networks, likelihood_of
from aetia.generation.bgm.networks import ImageCritic, TableCritic, TableDecoder
from aetia.generation.bgm.table import ColumnScales
from aetia.nets import Discriminator, seeded
from aetia.randomness import torch_generator
from aetia.training import Phase, TrainingConfig, train

__all__ = ["new_model", "start_adversarially", "update_for"]

_RECONSTRUCTION = 10.0
_BETAS = (0.5, 0.9)
_CHOOSING_ROWS = 1000


class _WeightedDecoder(TableDecoder):
    """A decoder whose divergence from the prior is counted with a weight."""

    weight: float = 1.0

    def kl(self) -> Tensor | None:
        """Compute the weighted divergence.

        Returns:
            A number, or None for weights that are not random.
        """
        value = super().kl()
        return None if value is None else self.weight * value


def new_model(
    n_rows: int,
    scales: ColumnScales,
    config: Config,
    params: Mapping[str, Any],
    seeds: np.random.SeedSequence,
) -> FittedModel:
    """Build fresh networks.

    Args:
        n_rows: Rows of the table.
        scales: Of its columns.
        config: Options.
        params: For the weight of the divergence.
        seeds: Of the first weights.

    Returns:
        A model that has learned nothing yet.
    """
    device = pick_device("auto")
    likelihood = likelihood_of(config, scales, device)
    n_latents = int(params["z_dim"])
    with seeded(torch_generator(seeds)):
        networks = build_networks(config, likelihood, n_latents, None)
        if params["use_bnn"]:
            units, p = list(params["g_units"]), likelihood.n_columns
            networks.decoder = _WeightedDecoder(
                n_latents, p, likelihood.n_outputs, units, bayesian=True
            )
            # The training counts the divergence 1 / n; the original kl_weight.
            networks.decoder.weight = params["kl_weight"] * n_rows
    names = tuple(f"x{j}" for j in range(len(scales.centre)))
    entropy = seeds.entropy
    assert isinstance(entropy, int)
    facts: dict[str, Any] = {"n_latents": n_latents}
    return FittedModel(config, networks.to(device), likelihood, scales, names, entropy, [], facts)


def start_adversarially(
    model: FittedModel,
    rows: ModelRows,
    params: Mapping[str, Any],
    n_steps: int,
    evaluate_every: int,
    seeds: np.random.SeedSequence,
    on_evaluation: Callable[[int], None],
) -> None:
    """Train generator and encoder against critics, ``g_d_freq`` updates of these for each of those.

    Args:
        model: Changed in place.
        rows: The table.
        params: All keys.
        n_steps: Updates of generator and encoder.
        evaluate_every: Updates between evaluations.
        seeds: Of everything random.
        on_evaluation: Told the number of updates so far.
    """
    config, likelihood, every = model.config, model.likelihood, int(params["g_d_freq"])
    with seeded(torch_generator(seeds)):
        of_latents = Discriminator(int(params["z_dim"]), list(params["dz_units"]))
        of_rows: nn.Module
        if hasattr(config, "image_shape"):
            of_rows = ImageCritic((28, 28, 1), 64, 0.3)
        else:
            of_rows = TableCritic(len(model.names), list(params["dx_units"]))
    players = Adversaries(model.networks, of_latents, of_rows).to(model.device)

    def critics(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        x, observed = rows.take(batch)
        return critic_loss(
            players, likelihood, x, observed, generator, penalty=config.gradient_penalty
        )

    def networks(_: nn.Module, batch: Tensor, step: int, generator: torch.Generator) -> Any:
        x, observed = rows.take(batch)
        return generator_loss(
            players,
            likelihood,
            x,
            observed,
            generator,
            reconstruction=_RECONSTRUCTION,
            variance_penalty=config.variance_penalty,
        )

    def validate(_: nn.Module, step: int) -> list[dict[str, Any]]:
        on_evaluation(step // every)
        return [{"task": 0, "loss": float("nan")}]  # chooses nothing: the last weights stay

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
    options = TrainingConfig(
        n_steps=n_steps * every,
        learning_rate=config.egm_learning_rate,
        betas=_BETAS,
        weight_decay=0.0,
        schedule="constant",
        warmup=0.0,
        clip_norm=None,
        gradient_shares=False,
        log_every=max(n_steps * every // 20, 1),
        validate_every=evaluate_every * every,
        progress=False,
    )
    seed = _integer(seeds)
    deal = minibatches(len(rows.x), config.batch_size, seed)
    trained = train(players, phases, deal, config=options, seed=seed, validate=validate)
    model.history.extend({"stage": "egm", **row} for row in trained.rows)


def update_for(
    model: FittedModel, rows: ModelRows, n_epochs: int, seeds: np.random.SeedSequence
) -> Float[Tensor, "n latents"]:
    """Alternate between weights and latents for some passes.

    Args:
        model: Changed in place.
        rows: The table.
        n_epochs: Passes; an incomplete last batch is skipped.
        seeds: Of everything random.

    Returns:
        The latents of all rows, at their mode.
    """
    n, size = len(rows.x), min(model.config.batch_size, len(rows.x))
    config = replace(model.config, n_steps=n_epochs * (n // size), patience=10**6)
    model.networks.train().requires_grad_(True)
    trained = fit_likelihood(
        model.networks,
        model.likelihood,
        rows,
        rows.take(slice(_CHOOSING_ROWS)),
        config,
        _integer(seeds),
        False,
    )
    model.networks.eval()
    model.history.extend({"stage": "likelihood", **row} for row in trained.rows)
    latents: Any = trained.module.latents
    return latents.detach()


def _integer(seeds: np.random.SeedSequence) -> int:
    return int(seeds.generate_state(1)[0])
