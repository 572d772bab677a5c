"""A true graph in any form, brought into the order of a posterior's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from aetia.data import Labelled, Truth
from aetia.errors import InputError
from aetia.graphs import is_acyclic

__all__ = ["as_graph"]


def as_graph(truth: Any, names: Sequence[str]) -> Bool[Tensor, "d d"]:
    """Read a DAG over named columns.

    Args:
        truth: A matrix, a frame with names, a networkx graph, a ``Truth`` or a ``Labelled``.
        names: Column names, in the wanted order.

    Returns:
        The adjacency matrix in that order.

    Raises:
        InputError: If sizes or names do not match, or the graph is cyclic.
    """
    given: list[str] | None = None
    if isinstance(truth, Labelled):
        truth = truth.truth
    if isinstance(truth, Truth):
        given, matrix = list(truth.names) or None, truth.graph
    elif hasattr(truth, "nodes") and hasattr(truth, "edges"):
        import networkx as nx

        given = [str(n) for n in truth.nodes]
        matrix = nx.to_numpy_array(truth, weight=None)  # pyright: ignore[reportArgumentType]
    elif hasattr(truth, "columns"):
        given, matrix = [str(c) for c in truth.columns], truth.to_numpy()
        index = [str(i) for i in getattr(truth, "index", [])]
        if sorted(index) == sorted(given):
            matrix = matrix[[index.index(name) for name in given]]
        elif index and index != [str(k) for k in range(len(given))]:
            raise InputError(
                f"the true graph's frame has rows {index} but columns {given}; both must hold the "
                "variable names."
            )
    else:
        matrix = truth
    adjacency = np.asarray(matrix) != 0
    d = len(names)
    if given is not None:
        missing = [n for n in names if n not in given]
        extra = [n for n in given if n not in names]
        if missing or extra:
            raise InputError(
                f"the true graph and the data have different variables; only in the data: "
                f"{missing}, only in the graph: {extra}."
            )
    if adjacency.shape != (d, d):
        shape = "x".join(map(str, adjacency.shape))
        raise InputError(f"adjacency is {shape} but the data has {d} columns: {', '.join(names)}.")
    if given is not None:
        at = [given.index(n) for n in names]
        adjacency = adjacency[np.ix_(at, at)]
    graph = torch.from_numpy(np.ascontiguousarray(adjacency))
    if not bool(is_acyclic(graph)):
        raise InputError("the true graph has a directed cycle; a DAG is needed.")
    return graph
