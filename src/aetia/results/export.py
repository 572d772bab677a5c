"""Ways out of a graph posterior: tables, networkx, Graphviz, GML, xarray, text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from aetia.results.graph_posterior import GraphPosterior

__all__ = [
    "describe",
    "describe_html",
    "edge_table",
    "greedy_dag",
    "lagged_edge_table",
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
        Columns ``source``, ``target``, ``probability``, ``path_probability``.
    """
    import pandas as pd

    i, j = np.nonzero((probabilities >= threshold) & (probabilities > 0))
    order = np.argsort(-probabilities[i, j], kind="stable")
    i, j = i[order], j[order]
    return pd.DataFrame(
        {
            "source": [names[k] for k in i],
            "target": [names[k] for k in j],
            "probability": probabilities[i, j],
            "path_probability": paths[i, j],
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
        Columns ``source``, ``target``, ``lag``, ``probability``, ``path_probability``; a variable's
        own past is listed with itself as source.
    """
    import pandas as pd

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
        }
    )


def greedy_dag(probabilities: np.ndarray, threshold: float, required: np.ndarray) -> np.ndarray:
    """Add edges from the most probable down, skipping those that would close a cycle.

    Args:
        probabilities: Edge probabilities.
        threshold: Smallest probability of an edge.
        required: Edges that are in whatever their probability.

    Returns:
        An acyclic adjacency matrix.
    """
    d = len(probabilities)
    score = np.where(required, 2.0, probabilities)
    reach = np.eye(d, dtype=bool)  # reach[i, j]: i is j or an ancestor of j
    dag = np.zeros((d, d), dtype=bool)
    for flat in np.argsort(-score, axis=None, kind="stable"):
        i, j = divmod(int(flat), d)
        if score[i, j] < threshold or score[i, j] == 0:
            break
        if i != j and not reach[j, i]:
            dag[i, j] = True
            reach |= np.outer(reach[:, i], reach[j])
    return dag


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
        graph: Edges with ``probability``.

    Returns:
        Text.
    """
    lines = ["digraph posterior {", "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    lines += [f"  {_quoted(n)};" for n in graph.nodes]
    for a, b, p in graph.edges(data="probability"):
        lines.append(
            f'  {_quoted(a)} -> {_quoted(b)} [penwidth={0.5 + 3 * p:.2f}, label="{p:.2f}"];'
        )
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def to_gml(graph: nx.DiGraph) -> str:
    """Write a graph as GML.

    Args:
        graph: Edges with ``probability``.

    Returns:
        Text.
    """
    return "\n".join(nx.generate_gml(graph)) + "\n"


def to_xarray(
    graphs: np.ndarray,
    log_weights: np.ndarray,
    names: Sequence[str],
    parameters: Mapping[str, np.ndarray],
) -> xr.Dataset:
    """Name the dimensions of the draws.

    Args:
        graphs: Draws.
        log_weights: Their log-weights.
        names: Column names.
        parameters: Parameters of each draw.

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
    for name, value in parameters.items():
        same = value.shape[1:] == (len(names), len(names))
        dims = ("source", "target") if same else tuple(f"{name}_{k}" for k in range(1, value.ndim))
        data[name] = (("draw", *dims), value)
    return data


def describe(posterior: GraphPosterior, n_edges: int = 10) -> str:
    """Summarise a posterior in a few lines.

    Args:
        posterior: The posterior.
        n_edges: Edges listed.

    Returns:
        Text for people.
    """
    lines = [_headline(posterior)]
    share = posterior.diagnostics.get("share_cyclic")
    if share and "edges_dropped_per_draw" in posterior.diagnostics:
        lines.append(f"  {share:.0%} of the raw draws had cycles; their weakest edges were dropped")
    elif share:
        lines.append(f"  {share:.0%} of the draws were cyclic and are not in it")
    table = posterior.edge_table()
    for row in table.head(n_edges).to_dict("records"):
        lines.append(f"  {row['source']} -> {row['target']}: {row['probability']:.3f}")
    if len(table) > n_edges:
        lines.append(f"  ... and {len(table) - n_edges} more edges of positive probability")
    return "\n".join(lines)


def _headline(posterior: GraphPosterior) -> str:
    method = posterior.diagnostics.get("method", "unknown method")
    what = "posterior" if posterior.kind == "posterior" else "selection frequencies (resampling)"
    return (
        f"GraphPosterior ({what}) over {len(posterior.names)} variables by {method}: "
        f"{len(posterior.graphs):,} draws, effective {posterior.ess:.1f}, "
        f"{posterior.edge_probabilities().sum():.1f} edges expected"
    )


def describe_html(posterior: GraphPosterior) -> str:
    """Summarise a posterior for a notebook.

    Args:
        posterior: The posterior.

    Returns:
        HTML with the table of the most probable edges.
    """
    table = posterior.edge_table().head(15)
    rows = "".join(
        f"<tr><td>{escape(r['source'])}</td><td>&rarr;</td><td>{escape(r['target'])}</td>"
        f"<td>{r['probability']:.3f}</td></tr>"
        for r in table.to_dict("records")
    )
    return (
        f"<div><p><b>{escape(_headline(posterior))}</b></p><table><thead><tr><th>cause</th>"
        f"<th></th><th>effect</th><th>probability</th></tr></thead><tbody>{rows}</tbody></table>"
        "</div>"
    )
