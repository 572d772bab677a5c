"""The fit of a model of flat rows, from the table to the best checkpoint."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from aetia.generation.bgm.building import (
    Config,
    build_critics,
    build_networks,
    count_latents,
    likelihood_of,
)
from aetia.generation.bgm.config import ImageBGMConfig
from aetia.generation.bgm.egm import Adversaries
from aetia.generation.bgm.fitting import ModelRows, fit_likelihood, start_adversarially
from aetia.generation.bgm.model import FittedModel
from aetia.generation.bgm.table import ColumnScales
from aetia.nets import seeded
from aetia.options import options_dict
from aetia.randomness import torch_generator
from aetia.results import RunFacts

__all__ = ["fit_model"]

_BUILD, _SPLIT, _START, _FIT = range(4)
"""Streams of the seed; predictions have the fifth."""
_MOST_HELD_OUT = 1000


def fit_model(
    values: Float[np.ndarray, "n p"],
    names: tuple[str, ...],
    scales: ColumnScales,
    config: Config,
    seeds: np.random.SeedSequence,
    device: torch.device,
    progress: bool | None,
) -> FittedModel:
    """Train a model of rows.

    Args:
        values: Rows in the user's units, NaN where missing.
        names: Names of the columns.
        scales: Scales of the columns.
        config: Options.
        seeds: Root of everything random.
        device: The device to train on.
        progress: Whether to show a bar.

    Returns:
        The model.
    """
    started = time.perf_counter()
    entropy = seeds.entropy
    assert isinstance(entropy, int)
    rows = ModelRows(*(t.to(device) for t in scales.to_model(values)))
    likelihood = likelihood_of(config, scales, device)
    n_latents = count_latents(config, rows)
    build = torch_generator(_child(entropy, _BUILD))
    with seeded(build):
        networks = build_networks(config, likelihood, n_latents, rows)
        critics = build_critics(config, n_latents, len(names))
    networks.to(device)
    order = torch.randperm(len(values), generator=torch_generator(_child(entropy, _SPLIT)))
    n_held_out = min(max(round(config.validation_share * len(values)), 1), _MOST_HELD_OUT)
    held_out, training = rows.take(order[:n_held_out]), rows.take(order[n_held_out:])
    history: list[dict[str, Any]] = []
    if config.n_egm_steps:
        players = Adversaries(networks, *critics).to(device)
        seed = _integer(_child(entropy, _START))
        trained = start_adversarially(players, likelihood, training, config, seed, progress)
        history += [{"stage": "egm", **row} for row in trained.rows]
    seed = _integer(_child(entropy, _FIT))
    trained = fit_likelihood(networks, likelihood, training, held_out, config, seed, progress)
    history += [{"stage": "likelihood", **row} for row in trained.rows]
    networks.eval().requires_grad_(False)
    facts = RunFacts(
        method="image-bgm" if isinstance(config, ImageBGMConfig) else "bgm",
        seed=entropy,
        device=str(device),
        seconds=time.perf_counter() - started,
        n_steps=trained.step,
        best_step=trained.best_step,
        config=options_dict(config),
    )
    health = {
        "n_latents": n_latents,
        "held_out_bound": trained.best_metrics.get("log_likelihood"),
        "n_skipped": trained.n_skipped,
    }
    return FittedModel(config, networks, likelihood, scales, names, history, facts, health)


def _child(entropy: int, which: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(entropy, spawn_key=(which,))


def _integer(seeds: np.random.SeedSequence) -> int:
    return int(seeds.generate_state(1, np.uint32)[0])
