"""One call from a few choices to a simulated table with known truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch

from aetia.data import Dataset, Labelled
from aetia.errors import InputError
from aetia.graphs import r2_sortability, varsortability
from aetia.options import check_literals, check_positive
from aetia.randomness import RandomState, seed_sequence
from aetia.scm.graph_families import EdgeCoins, PreferentialAttachment
from aetia.scm.mechanisms import random_linear, random_mlp
from aetia.scm.model import SCM
from aetia.scm.noise import Noise, NoiseName

__all__ = ["Simulated", "Simulation", "simulate", "sortability_card"]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What to simulate.

    Attributes:
        d: Number of variables.
        n: Number of observational rows.
        graph: ``"erdos-renyi"`` or ``"scale-free"``.
        edges_per_node: Expected number of edges over d.
        direction: Which end of the edges the hubs of scale-free graphs are at: ``"in-hub"``,
            ``"out-hub"``, or ``"random-order"`` for both.
        mechanism: ``"linear"`` or ``"mlp"``.
        noise: Family of the noise.
        noise_variance: Variance of the noise, or the range from which unequal ones are drawn.
        n_interventional: Interventional rows, added to the observational ones; each sets one
            random variable to a random value.
    """

    d: int = 10
    n: int = 500
    graph: Literal["erdos-renyi", "scale-free"] = "erdos-renyi"
    edges_per_node: float = 2.0
    direction: Literal["in-hub", "out-hub", "random-order"] = "in-hub"
    mechanism: Literal["linear", "mlp"] = "linear"
    noise: NoiseName = "gaussian"
    noise_variance: float | tuple[float, float] = 0.1
    n_interventional: int = 0

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "d", "n", "edges_per_node")
        check_positive(self, "n_interventional", zero=True)
        bounds = self.noise_variance
        low, high = bounds if isinstance(bounds, tuple) else (bounds, bounds)
        if not 0 < low <= high:
            raise InputError(
                f"Simulation: noise_variance must be above 0 (and low <= high), got {bounds!r}."
            )


class Simulated(NamedTuple):
    """A simulated table with its model."""

    data: Labelled
    model: SCM


def simulate(options: Simulation, random_state: RandomState = None) -> Simulated:
    """Draw a graph, mechanisms, noise scales and a table.

    Graph, mechanism and rows have streams of their own, so that changing n keeps the model.

    Args:
        options: What to simulate.
        random_state: None, an integer or a generator.

    Returns:
        The table with its truth, and the model, which can be sampled again.
    """
    graph_seed, mechanism_seed, noise_seed, row_seed, do_seed = seed_sequence(random_state).spawn(5)
    rng = np.random.default_rng(graph_seed)
    if options.graph == "erdos-renyi":
        family = EdgeCoins(edges_per_node=options.edges_per_node)
    else:
        family = PreferentialAttachment(
            edges_per_node=options.edges_per_node,  # pyright: ignore[reportArgumentType]
            direction=options.direction,
        )
    graph = family.sample(options.d, rng)
    draw = random_linear if options.mechanism == "linear" else random_mlp
    mechanism = draw(graph, rng=np.random.default_rng(mechanism_seed))
    if isinstance(options.noise_variance, tuple):
        low, high = options.noise_variance
        variance = np.random.default_rng(noise_seed).uniform(low, high, options.d)
    else:
        variance = np.full(options.d, float(options.noise_variance))
    model = SCM(
        adjacency=graph,
        mechanism=mechanism,
        noise_std=np.sqrt(variance),
        noise=Noise(options.noise),
    )
    table = model.sample(options.n, random_state=np.random.default_rng(row_seed))
    if options.n_interventional:
        table = _with_interventions(model, table, options, np.random.default_rng(do_seed))
    return Simulated(table, model)


def _with_interventions(
    model: SCM, table: Labelled, options: Simulation, rng: np.random.Generator
) -> Labelled:
    targets = rng.integers(options.d, size=options.n_interventional)
    values = [table.data.values]
    mask = [np.zeros((options.n, options.d), dtype=bool)]
    for j in np.unique(targets):
        count = int((targets == j).sum())
        level = float(rng.normal(scale=table.data.values[:, j].std()))
        rows = model.sample(count, do={model.names[j]: level}, random_state=rng).data
        values.append(rows.values)
        mask.append(np.asarray(rows.intervened))
    data = model.as_table(np.concatenate(values), np.concatenate(mask))
    return Labelled(data, table.truth)


def sortability_card(table: Labelled) -> dict[str, float]:
    """Measure how much the scales of a simulated table leak its causal order.

    Args:
        table: The table with its truth.

    Returns:
        ``varsortability`` and ``r2_sortability`` of the observational rows; 0.5 leaks nothing,
        values near 1 mean that sorting columns by variance (or predictability) finds the order.
    """
    data: Dataset = table.data
    rows = data.values
    if data.intervened is not None:
        rows = rows[~data.intervened.any(1)]
    covariance = torch.from_numpy(np.atleast_2d(np.cov(rows, rowvar=False)))
    graph = torch.from_numpy(table.truth.graph)
    return {
        "varsortability": varsortability(graph, covariance),
        "r2_sortability": r2_sortability(graph, covariance),
    }
