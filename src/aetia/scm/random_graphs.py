"""Random graphs for simulation: a random order, then edges along it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool

from aetia.errors import InputError

__all__ = ["erdos_renyi", "scale_free"]


def erdos_renyi(
    d: int, *, edges_per_node: float = 2.0, rng: np.random.Generator
) -> Bool[np.ndarray, "d d"]:
    """Flip a coin for every pair of a random order.

    Args:
        d: Number of variables.
        edges_per_node: Expected number of edges, divided by d.
        rng: Source of randomness.

    Returns:
        A DAG. (Its law favours graphs with many topological orders; the graph law
        ``aetia.graphs.ErdosRenyi`` does not.)

    Raises:
        InputError: If a DAG cannot hold that many edges.
    """
    q = 2.0 * edges_per_node / (d - 1) if d > 1 else 0.0
    if not 0.0 <= q <= 1.0:
        raise InputError(
            f"{edges_per_node:g} edges per node on {d} variables is more than a DAG can hold; "
            f"at most {(d - 1) / 2:g}."
        )
    graph = np.triu(rng.random((d, d)) < q, 1)
    return _relabelled(graph, rng)


def scale_free(
    d: int,
    *,
    edges_per_node: float = 2,
    direction: Literal["in-hub", "out-hub", "random-order"] = "in-hub",
    rng: np.random.Generator,
) -> Bool[np.ndarray, "d d"]:
    """Grow a graph by preferential attachment (Barabási & Albert, 1999).

    Args:
        d: Number of variables.
        edges_per_node: Edges that each new node brings.
        direction: ``"in-hub"``: new nodes cause old ones, so hubs have many causes (as in
            DiBS); ``"out-hub"``: hubs have many effects; ``"random-order"``: the skeleton is
            directed along a random order.
        rng: Source of randomness.

    Returns:
        A DAG; node k of the growth brings ``min(edges_per_node, k)`` edges.

    Raises:
        InputError: If ``edges_per_node`` is not an integer from 1 to d - 1, or the direction is
            unknown.
    """
    m = int(edges_per_node)
    if m != edges_per_node or not 1 <= m < d:
        raise InputError(
            f"scale-free graphs need an integer number of edges per node from 1 to {d - 1}, got "
            f"{edges_per_node!r}."
        )
    if direction not in ("in-hub", "out-hub", "random-order"):
        raise InputError(
            f"direction={direction!r} is not one of 'in-hub', 'out-hub', 'random-order'."
        )
    graph = np.zeros((d, d), dtype=bool)
    ends: list[int] = []  # every node as often as it has edges
    for new in range(1, d):
        k = min(m, new)
        chosen: set[int] = set()
        while len(chosen) < k:
            chosen.add(int(rng.choice(ends)) if ends else int(rng.integers(new)))
        for old in chosen:
            graph[new, old] = True
            ends += [new, old]
    if direction == "out-hub":
        graph = graph.T
    elif direction == "random-order":
        order = rng.permutation(d)
        both = graph | graph.T
        graph = both & (order[:, None] < order[None, :])
    return _relabelled(graph, rng)


def _relabelled(graph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    order = rng.permutation(len(graph))
    return graph[np.ix_(order, order)]
