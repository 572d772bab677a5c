"""Interventions and counterfactuals: a graph, and the denoiser as its conditional distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from aetia.errors import InputError
from aetia.generation.diffusion.tables.asking import check_trained
from aetia.generation.diffusion.tables.drawing import draw_targets
from aetia.generation.diffusion.tables.fitted import Fitted
from aetia.generation.diffusion.tables.graphs_given import graphs_of
from aetia.generation.diffusion.tables.masks import Pattern
from aetia.generation.diffusion.tables.on_graph import (
    Conditional,
    abduct_by_rank,
    draw_in_causal_order,
)
from aetia.graphs import topological_order, transitive_closure
from aetia.randomness import torch_generator

__all__ = ["draw_counterfactuals", "draw_under_intervention"]

_RANK_DRAWS = 256
"""Draws of every conditional distribution whose ranks carry a unit's noise over."""


def draw_under_intervention(
    fit: Fitted, dag: Any, do: Mapping[int, float], n: int, seeds: np.random.SeedSequence
) -> Float[np.ndarray, "n d"]:
    """Draw rows of the causal model with some columns set.

    Args:
        fit: The fitted network.
        dag: Graphs over the columns; the rows are shared among several.
        do: Values by number of the column.
        n: Rows.
        seeds: Seeds of the draws.

    Returns:
        Rows in random order.
    """
    graphs, counts = _shared_graphs(fit, dag, n, seeds)
    parts = []
    for graph, count, stream in zip(graphs, counts, seeds.spawn(len(graphs)), strict=True):
        order = topological_order(torch.from_numpy(graph)).tolist()
        draw = _conditional(fit, stream)
        parts.append(draw_in_causal_order(graph, order, do, int(count), draw))
    rows = np.concatenate(parts)
    return rows[np.random.default_rng(seeds.spawn(1)[0]).permutation(len(rows))]


def draw_counterfactuals(
    fit: Fitted,
    dag: Any,
    values: Float[np.ndarray, "n d"],
    do: Mapping[int, float],
    n_draws: int,
    seeds: np.random.SeedSequence,
) -> Float[np.ndarray, "s n d"]:
    """Draw what rows would have been with some columns set.

    Args:
        fit: The fitted network.
        dag: Graphs over the columns; the draws are shared among several.
        values: Rows without missing cells, levels as codes.
        do: Values by number of the column.
        n_draws: Draws of each row.
        seeds: Seeds of the draws.

    Returns:
        The rows, ``n_draws`` times.

    Raises:
        InputError: If a category with more than two levels would change.
    """
    rng = np.random.default_rng(seeds.spawn(1)[0])
    graphs, counts = _shared_graphs(fit, dag, n_draws, seeds)
    parts = []
    for graph, count, stream in zip(graphs, counts, seeds.spawn(len(graphs)), strict=True):
        draw = _conditional(fit, stream)
        parts.append(_on_one_graph(fit, graph, values, do, int(count), draw, rng))
    return np.concatenate(parts)


def _on_one_graph(
    fit: Fitted,
    graph: Bool[np.ndarray, "d d"],
    values: Float[np.ndarray, "n d"],
    do: Mapping[int, float],
    n_draws: int,
    draw: Conditional,
    rng: np.random.Generator,
) -> Float[np.ndarray, "s n d"]:
    codec = fit.codec
    order = topological_order(torch.from_numpy(graph)).tolist()
    closure = transitive_closure(torch.from_numpy(graph))
    reached = closure[list(do)].any(0).tolist()
    out = np.repeat(values[None], n_draws, 0)
    for node in order:
        if node in do:
            out[..., node] = do[node]
            continue
        if not reached[node]:  # what no set column causes stays as it was
            continue
        if len(codec.encoding.levels[node]) > 2:
            raise InputError(
                f"column {fit.names[node]!r} has more than two levels, which have "
                "no order: its counterfactual is not identified. sample_do() draws it anew."
            )
        parents = np.flatnonzero(graph[:, node]).tolist()
        factual = draw(node, parents, values, _RANK_DRAWS)
        # Rows whose parents agree share their draws: most do unless a chain lies between.
        rows = out.reshape(-1, out.shape[-1])
        _, first, at = np.unique(rows[:, parents], axis=0, return_index=True, return_inverse=True)
        elsewhere = draw(node, parents, rows[first], _RANK_DRAWS)[at.ravel()]
        other = elsewhere.reshape(n_draws, len(values), _RANK_DRAWS).transpose(1, 0, 2)
        carried = abduct_by_rank(values[:, node], factual, other, rng).T
        discrete = codec.kinds[node] != "continuous"
        out[..., node] = np.round(carried) if discrete else carried
    return out


def _conditional(fit: Fitted, stream: np.random.SeedSequence) -> Conditional:
    """Make the function that draws a node given its parents."""
    codec = fit.codec
    generator = torch_generator(stream, fit.device)

    def draw(
        node: int, parents: list[int], rows: Float[np.ndarray, "n d"], k: int
    ) -> Float[np.ndarray, "n k"]:
        seen = np.full_like(rows, np.nan)
        seen[:, parents] = rows[:, parents]
        z, known = codec.to_model(codec.dataset(seen))
        target = torch.zeros_like(known)
        target[:, node] = True
        roles = Pattern(target.repeat(k, 1), known.repeat(k, 1))
        check_trained(fit, roles)
        drawn = draw_targets(fit, z.repeat(k, 1), roles, generator)
        values = codec.to_user(drawn.numpy())[:, node]
        return values.reshape(k, len(rows)).T

    return draw


def _shared_graphs(
    fit: Fitted, dag: Any, n: int, seeds: np.random.SeedSequence
) -> tuple[Bool[np.ndarray, "g d d"], np.ndarray]:
    """Share n draws among the graphs: each distinct graph, and how many draws it has."""
    rng = np.random.default_rng(seeds.spawn(1)[0])
    graphs = graphs_of(dag, fit.names, n, rng)
    if len(graphs) > n:
        graphs = graphs[rng.choice(len(graphs), n, replace=False)]
    distinct, at = np.unique(graphs, axis=0, return_inverse=True)
    shares = np.bincount(at.ravel(), minlength=len(distinct)) / len(graphs)
    counts = np.floor(shares * n).astype(int)
    counts[rng.permutation(len(counts))[: n - counts.sum()]] += 1
    return distinct[counts > 0], counts[counts > 0]
