"""Random orders: directions for undirected graphs, and labels that say nothing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

__all__ = ["directed", "relabelled"]


def directed(both: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Bool[np.ndarray, "d d"]:
    """Direct undirected edges along a uniformly random order.

    Args:
        both: Symmetric adjacency matrix.
        rng: Source of randomness.

    Returns:
        A DAG.
    """
    order = rng.permutation(len(both))
    return both & (order[:, None] < order[None, :])


def relabelled(
    graph: Bool[np.ndarray, "d d"], rng: np.random.Generator, *, shuffle_order: bool = False
) -> Bool[np.ndarray, "d d"]:
    """Permute the variables at random.

    Args:
        graph: Adjacency matrix.
        rng: Source of randomness.
        shuffle_order: Direct the edges along a new random order first.

    Returns:
        The same graph (or skeleton) with other labels.
    """
    if shuffle_order:
        graph = directed(graph | graph.T, rng)
    order = rng.permutation(len(graph))
    return graph[np.ix_(order, order)]
