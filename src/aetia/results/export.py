"""Ways out of a graph posterior: tables, networkx, Graphviz, GML, xarray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import torch

from aetia.graphs import greedy_dag
from aetia.results.adjacency_table import adjacency_probabilities

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = [
    "edge_table",
    "lagged_edge_table",
    "lagged_edges",
    "probable_dag",
    "summary_networkx",
    "to_dot",
    "to_gml",
    "to_networkx",
    "to_xarray",
]


def edge_table(
    probabilities: np.ndarray, paths: np.ndarray, names: Sequence[str], threshold: float
) -> pd.DataFrame:
    """List edges by name, the most probable first.

    Args:
        probabilities: Edge probabilities.
        paths: Probabilities of directed paths.
        names: Column names.
        threshold: Smallest probability listed.

    Returns:
        Columns ``source``, ``target``, ``probability``, ``path_probability``, ``adjacent`` (either
        direction), ``reverse_probability``.
    """
    import pandas as pd

    adjacent = adjacency_probabilities(probabilities)
    i, j = np.nonzero((probabilities >= threshold) & (probabilities > 0))
    order = np.argsort(-probabilities[i, j], kind="stable")
    i, j = i[order], j[order]
    return pd.DataFrame(
        {
            "source": [names[k] for k in i],
            "target": [names[k] for k in j],
            "probability": probabilities[i, j],
            "path_probability": paths[i, j],
            "adjacent": adjacent[i, j],
            "reverse_probability": probabilities[j, i],
        }
    )


def lagged_edge_table(
    by_lag: np.ndarray, paths: np.ndarray, names: Sequence[str], threshold: float
) -> pd.DataFrame:
    """List the edges of time series by name, the most probable first.

    Args:
        by_lag: Edge probabilities within the step, at lag 1, 2, ...
        paths: Probabilities of directed paths at any lag.
        names: Column names.
        threshold: Smallest probability listed.

    Returns:
        Columns ``source``, ``target``, ``lag``, ``probability``, ``path_probability``,
        ``adjacent``, ``reverse_probability``; a variable's own past is listed with itself as
        source. From an earlier step an edge points one way only, so its reverse has probability 0.
    """
    import pandas as pd

    reverse = np.zeros_like(by_lag)
    reverse[0] = by_lag[0].T
    adjacent = np.minimum(by_lag + reverse, 1.0)

    lag, i, j = np.nonzero((by_lag >= threshold) & (by_lag > 0))
    order = np.argsort(-by_lag[lag, i, j], kind="stable")
    lag, i, j = lag[order], i[order], j[order]
    return pd.DataFrame(
        {
            "source": [names[k] for k in i],
            "target": [names[k] for k in j],
            "lag": lag,
            "probability": by_lag[lag, i, j],
            "path_probability": paths[i, j],
            "adjacent": adjacent[lag, i, j],
            "reverse_probability": reverse[lag, i, j],
        }
    )


def probable_dag(probabilities: np.ndarray, threshold: float, required: np.ndarray) -> np.ndarray:
    """Add edges from the most probable down, skipping those that would close a cycle.

    Args:
        probabilities: Edge probabilities.
        threshold: Smallest probability of an edge.
        required: Edges that are in whatever their probability.

    Returns:
        An acyclic adjacency matrix.
    """
    score = np.where(required, 2.0, probabilities)
    edges = (score >= threshold) & (score != 0) & ~np.eye(len(score), dtype=bool)
    return greedy_dag(torch.from_numpy(edges), torch.from_numpy(score)).numpy()


def lagged_edges(
    by_lag: np.ndarray, any_lag: np.ndarray, threshold: float, required: np.ndarray
) -> np.ndarray:
    """Choose the edges of a time series between different variables; they may form cycles.

    Args:
        by_lag: Edge probabilities within the step, at lag 1, 2, ...
        any_lag: Probability of an edge at one lag at least.
        threshold: Smallest probability at any lag.
        required: Edges that are in whatever their probability.

    Returns:
        Edges by lag: at those lags that reach the threshold themselves, or else at the most
        probable one; a required edge of which nothing is known is at every lag.
    """
    off = ~np.eye(len(any_lag), dtype=bool)
    threshold = threshold - 1e-9  # sums of weights miss a frequency such as 0.7 by rounding
    chosen = (((any_lag >= threshold) & (any_lag > 0)) | required) & off
    strongest = by_lag.max(0)
    unknown = required & (strongest == 0)
    return chosen & ((by_lag >= threshold) | (by_lag == strongest)) & ((by_lag > 0) | unknown)


def summary_networkx(edges: np.ndarray, any_lag: np.ndarray, names: Sequence[str]) -> nx.DiGraph:
    """Make a networkx graph of the edges of a time series at any lag.

    Args:
        edges: Edges within the step, at lag 1, 2, ...; a variable's own past is left out.
        any_lag: Probability of an edge at one lag at least, written on the edges.
        names: Column names.

    Returns:
        The graph, which may have cycles; ``lags`` of an edge is the list of its lags.
    """
    graph = to_networkx(edges.any(0) & ~np.eye(len(names), dtype=bool), any_lag, names)
    at = {name: k for k, name in enumerate(names)}
    for a, b, facts in graph.edges(data=True):
        facts["lags"] = np.flatnonzero(edges[:, at[a], at[b]]).tolist()
    return graph


def to_networkx(dag: np.ndarray, probabilities: np.ndarray, names: Sequence[str]) -> nx.DiGraph:
    """Make a networkx graph.

    Args:
        dag: Edges.
        probabilities: Written on the edges.
        names: Column names.

    Returns:
        The graph; nodes are names.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    for i, j in zip(*np.nonzero(dag), strict=True):
        graph.add_edge(names[i], names[j], probability=float(probabilities[i, j]))
    return graph


def to_dot(graph: nx.DiGraph) -> str:
    """Write a graph in the language of Graphviz.

    Args:
        graph: Edges with ``probability``, of time series also ``lags``; lagged ones are dashed.

    Returns:
        Text.
    """
    lines = ["digraph posterior {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    lines += [f"  {_quoted(n)};" for n in graph.nodes]
    for a, b, facts in graph.edges(data=True):
        p, lags = facts["probability"], facts.get("lags")
        label, style = f"{p:.2f}", ""
        if lags is not None:
            label += f", lag {_comma(lags)}"
            style = "" if 0 in lags else ", style=dashed"
        lines.append(
            f'  {_quoted(a)} -> {_quoted(b)} [penwidth={0.5 + 3 * p:.2f}, label="{label}"{style}];'
        )
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def to_gml(graph: nx.DiGraph) -> str:
    """Write a graph as GML.

    Args:
        graph: Edges with ``probability``; ``lags`` of time series become text such as ``"0,1"``,
            because programs disagree about lists in GML.

    Returns:
        GML text.
    """
    plain = graph.copy()
    for _, _, facts in plain.edges(data=True):
        if "lags" in facts:
            facts["lags"] = _comma(facts["lags"])
    return "\n".join(nx.generate_gml(plain)) + "\n"


def _comma(lags: Sequence[int]) -> str:
    return ",".join(str(lag) for lag in lags)


def to_xarray(
    graphs: np.ndarray,
    log_weights: np.ndarray,
    names: Sequence[str],
    parameters: Mapping[str, np.ndarray],
    lagged: np.ndarray | None = None,
) -> xr.Dataset:
    """Name the dimensions of the draws.

    Args:
        graphs: Draws.
        log_weights: Their log-weights.
        names: Column names.
        parameters: Parameters of each draw.
        lagged: Lagged edges of each draw.

    Returns:
        The data set.
    """
    import xarray as xr

    data = xr.Dataset(
        {
            "graphs": (("draw", "source", "target"), graphs),
            "log_weights": (("draw",), log_weights),
        },
        coords={"source": list(names), "target": list(names)},
    )
    if lagged is not None:
        data["lagged"] = (("draw", "lag", "source", "target"), lagged)
        data = data.assign_coords(lag=np.arange(1, lagged.shape[1] + 1))
    for name, value in parameters.items():
        same = value.shape[1:] == (len(names), len(names))
        dims = ("source", "target") if same else tuple(f"{name}_{k}" for k in range(1, value.ndim))
        data[name] = (("draw", *dims), value)
    return data
