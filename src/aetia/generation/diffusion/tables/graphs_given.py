"""Graphs as users have them: arrays, networkx graphs, posteriors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from aetia.errors import InputError
from aetia.graphs import is_acyclic
from aetia.randomness import RandomState
from aetia.results import GraphPosterior

__all__ = ["graphs_of"]


def graphs_of(
    dag: Any, names: Sequence[str], n_draws: int, random_state: RandomState
) -> Bool[np.ndarray, "s d d"]:
    """Read one or more DAGs over the columns of a table.

    Args:
        dag: An adjacency ``[d, d]`` (row causes column) or several ``[s, d, d]`` in the order of
            the columns, a networkx graph with the columns' names, or a graph posterior.
        names: Names of the columns.
        n_draws: Graphs to draw from a posterior.
        random_state: Seed of these draws.

    Returns:
        Adjacency of each.

    Raises:
        InputError: If nodes are not the columns, or a graph has a cycle.
    """
    if isinstance(dag, GraphPosterior):
        if set(dag.names) != set(names):
            raise InputError(f"the graphs are over {list(dag.names)}, the table has {list(names)}.")
        at = [dag.names.index(name) for name in names]
        graphs = dag.dags().sample(n_draws, random_state)[:, at][:, :, at]
    elif hasattr(dag, "nodes") and hasattr(dag, "edges"):
        if set(dag.nodes) != set(names):
            raise InputError(f"the graph has nodes {list(dag.nodes)}, the table {list(names)}.")
        graphs = np.zeros((1, len(names), len(names)), dtype=bool)
        for a, b in dag.edges:
            graphs[0, list(names).index(a), list(names).index(b)] = True
    else:
        graphs = np.asarray(dag) != 0
        graphs = graphs[None] if graphs.ndim == 2 else graphs
        d = len(names)
        if graphs.ndim != 3 or graphs.shape[1:] != (d, d):
            raise InputError(
                f"a graph over {d} columns is an array [{d}, {d}] or [s, {d}, {d}]; got "
                f"{np.asarray(dag).shape}."
            )
    cyclic = np.flatnonzero(~is_acyclic(torch.from_numpy(graphs)).numpy())
    if len(cyclic):
        raise InputError(
            f"graph {cyclic[0]} of {len(graphs)} has a cycle; interventions need a DAG "
            "(GraphPosterior.consensus_dag() is one)."
        )
    return graphs
