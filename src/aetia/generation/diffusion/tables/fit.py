"""The fit of a table, from its columns to the best checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from aetia.data import Dataset
from aetia.errors import InputError, NumericalError
from aetia.generation.diffusion.tables.asking import index_of
from aetia.generation.diffusion.tables.codec import Codec
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.fitted import Fitted
from aetia.generation.diffusion.tables.fitting import (
    TableTask,
    build_network,
    fit_denoiser,
    held_out_rows,
)
from aetia.generation.diffusion.tables.graphs_given import graphs_of
from aetia.generation.diffusion.tables.masks import Pattern, pattern_table
from aetia.nets import seeded
from aetia.options import options_dict
from aetia.randomness import RandomState, torch_generator
from aetia.results import RunFacts

__all__ = ["FitOfTable", "check_table", "fit_table", "trained_patterns"]

_SMALLEST_TABLE = 20


class FitOfTable(NamedTuple):
    """A fitted network, and the rows that it was validated on."""

    fit: Fitted
    held_out: np.ndarray
    """Numbers of the validation rows, in order."""


def check_table(data: Dataset) -> None:
    """Refuse tables that nothing can be learned from.

    Args:
        data: The table of a fit.

    Raises:
        InputError: If there are too few rows, or a column was never seen.
    """
    if data.n < _SMALLEST_TABLE:
        raise InputError(
            f"the table has {data.n} row(s) (n_samples = {data.n}); at least {_SMALLEST_TABLE} are "
            "needed to learn a distribution."
        )
    for name, seen in zip(data.names, data.observed.T, strict=True):
        if not seen.any():
            raise InputError(
                f"column {name!r} has no observed value in {data.n} rows, so nothing can be said "
                "about it. Drop the column."
            )


def trained_patterns(
    config: DDDMConfig, names: Sequence[str], dag: Any, random_state: RandomState
) -> Pattern | None:
    """List the roles that columns have in training.

    Args:
        config: Options.
        names: Names of the columns.
        dag: Graphs over the columns, or None.
        random_state: Seed of graphs that are drawn from a posterior.

    Returns:
        Each column given its parents, if there are graphs; else the targets of the options given
        all others; None for any columns given any others.

    Raises:
        InputError: If a target is no column.
    """
    d = len(names)
    if dag is not None:
        graphs = graphs_of(dag, names, 100, random_state)
        pairs = {
            (j, tuple(np.flatnonzero(graph[:, j]).tolist())) for graph in graphs for j in range(d)
        }
        ordered = sorted(pairs)
        return pattern_table([[j] for j, _ in ordered], [list(p) for _, p in ordered], d)
    if config.targets == "any":
        return None
    targets = [index_of(name, names, "targets") for name in config.targets]
    if not targets:
        raise InputError("targets is empty; name columns, or use 'any'.")
    return pattern_table([targets], [[j for j in range(d) if j not in targets]], d)


def fit_table(
    data: Dataset,
    config: DDDMConfig,
    patterns: Pattern | None,
    seeds: np.random.SeedSequence,
    device: torch.device,
    progress: bool | None,
) -> FitOfTable:
    """Train a denoiser of a table.

    Args:
        data: The checked table.
        config: Options.
        patterns: Roles of the columns in training; None for any.
        seeds: Root of everything random.
        device: The device to train on.
        progress: Whether to show a bar.

    Returns:
        The fitted network.

    Raises:
        NumericalError: If gradients or weights do not stay finite.
    """
    started = time.perf_counter()
    entropy = seeds.entropy
    assert isinstance(entropy, int)
    codec = Codec.of(data)
    build, split, learn = seeds.spawn(3)
    rows, observed = (part.to(device) for part in codec.to_model(data))
    column_of = torch.from_numpy(codec.column_of).to(device)
    moved = None if patterns is None else Pattern(*(m.to(device) for m in patterns))
    with seeded(torch_generator(build)):
        network = build_network(config, rows.shape[1], codec.d).to(device)
    held_out = held_out_rows(data.n, config.validation_share, torch_generator(split))
    seed = int(learn.generate_state(1)[0])
    task = TableTask(rows, observed, column_of, moved)
    trained = fit_denoiser(network, task, held_out, config, seed, progress)
    network.eval().requires_grad_(False)
    lost = trained.n_skipped > trained.step // 2
    if lost or not all(bool(p.isfinite().all()) for p in network.parameters()):
        raise NumericalError(
            f"{trained.n_skipped} of {trained.step} training steps had gradients that were not "
            f"finite; lower learning_rate (now {config.value('learning_rate'):g})."
        )
    facts = RunFacts(
        method="dddm",
        seed=entropy,
        device=str(device),
        seconds=time.perf_counter() - started,
        n_steps=trained.step,
        best_step=trained.best_step,
        config=options_dict(config),
    )
    health = {
        "n_rows": data.n,
        "n_parameters": sum(p.numel() for p in network.parameters()),
        "n_skipped": trained.n_skipped,
    }
    fit = Fitted(
        config=config,
        network=network,
        codec=codec,
        patterns=patterns,
        facts=facts,
        health=health,
        rows=trained.rows,
    )
    return FitOfTable(fit, np.sort(held_out.numpy()))
