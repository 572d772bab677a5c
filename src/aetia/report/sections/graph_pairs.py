"""The graph of a posterior: drawing, table of pairs, matrix, comparison with a known graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool

from aetia.diagnostics import reliability
from aetia.plots import plot_edge_matrix, plot_graph, plot_reliability, plot_trace
from aetia.report.numbers import show
from aetia.report.sections.blocks import (
    Bar,
    Block,
    Details,
    Facts,
    Grid,
    Section,
    Table,
    Words,
    picture,
)
from aetia.report.sections.texts import cells, note, text
from aetia.results import GraphPosterior

__all__ = ["comparison", "convergence", "drawing", "matrix", "pairs"]

_MOST_PAIRS = 200
_PHONE_COLUMNS = 8


def drawing(posterior: GraphPosterior) -> Section:
    """Draw the graph, a line for each pair that is adjacent with probability 10 % or more."""
    p = posterior.edge_probabilities()
    threshold = _drawn_from(p)
    ax, drawn = plot_graph(p, posterior.names, threshold=threshold)
    alt = f"Causal graph with {len(drawn)} pairs of adjacent columns; the table of pairs below "
    size = "natural" if len(posterior.names) > _PHONE_COLUMNS else "fit"
    small = note("graph.drawing", threshold=threshold)
    if posterior.kind == "resampling":
        small = Words(f"{small.text} {text('graph.frequencies')}", "note")
    figure = picture(ax, alt + "lists them", size)
    return Section("graph", "Graph", [figure, small])


def _drawn_from(probabilities: np.ndarray) -> float:
    """Choose the least adjacency that is drawn: 10 %, or more where the drawing would be full."""
    adjacent = np.minimum(probabilities + probabilities.T, 1.0)
    d = len(adjacent)
    strongest = np.sort(adjacent[np.triu_indices(d, 1)])[::-1]
    most = max(12, 2 * d)
    # Rounded up to whole per cent, so that the caption says exactly what was drawn.
    return max(0.1, np.ceil(100 * float(strongest[most])) / 100 if len(strongest) > most else 0.1)


def pairs(posterior: GraphPosterior) -> Section:
    """List the pairs of columns that are adjacent with probability 1 % or more."""
    found = posterior.adjacency_table(threshold=0.01).to_dict("records")
    strong = [r for r in found if r["adjacent"] >= 0.1]
    weak = found[len(strong) :]
    blocks: list[Block] = [
        _pair_table(posterior, strong)
        if strong
        else Words("No pair is adjacent with probability 10\u00a0% or more.")
    ]
    if weak:
        title = f"{len(weak)} pair(s) adjacent with probability 1 to 10\u00a0%"
        blocks.append(Details(title, [_pair_table(posterior, weak)]))
    if max(len(strong), len(weak)) > _MOST_PAIRS:
        blocks.append(
            Words("Only the first of them are listed; all edges are in edges.csv.", "note")
        )
    return Section("edges", "Pairs of columns", [*blocks, note("graph.pairs")])


def _pair_table(posterior: GraphPosterior, found: list[dict[str, Any]]) -> Table:
    rows = [
        {
            **row,
            "arrow": "–" if row["decided"] == "open" else "→",
            "bar": Bar(row["a_to_b"], row["b_to_a"]),
            "path_a_to_b": posterior.path_probability(row["a"], row["b"]),
            "path_b_to_a": posterior.path_probability(row["b"], row["a"]),
        }
        for row in found[:_MOST_PAIRS]
    ]
    without = ["lag"] if posterior.lagged is None else []
    table = cells("graph.pair_columns", rows, without=without)
    return Table(table, desk=("", "path a → b", "path b → a"), dense=True)


def matrix(posterior: GraphPosterior) -> Section:
    """Draw the matrix of edge probabilities."""
    ax, _ = plot_edge_matrix(posterior.edge_probabilities(), posterior.names)
    figure = picture(ax, "Matrix of edge probabilities, causes in rows")
    return Section("matrix", "Edge probabilities", [figure])


def convergence(posterior: GraphPosterior) -> list[Section]:
    """Draw what was recorded during the run."""
    if not posterior.trace:
        return []
    image = plot_trace(posterior.trace)[0]
    return [Section("trace", "Convergence", [picture(image, "Quantities recorded during the run")])]


def comparison(posterior: GraphPosterior, truth: Bool[np.ndarray, "d d"] | None) -> list[Section]:
    """Compare with a known graph: scores, and how often stated probabilities come true."""
    if truth is None:
        return []
    off = ~np.eye(len(truth), dtype=bool)
    curve = reliability(posterior.edge_probabilities()[off], truth[off])
    ax, _ = plot_reliability(curve.stated, curve.observed, curve.n_events)
    scores = [(k.replace("_", " "), show(v)) for k, v in posterior.compare(truth).items()]
    figure = picture(ax, "Reliability of the edge probabilities")
    both = [[Facts(scores)], [figure, note("graph.comparison")]]
    return [Section("comparison", "Against the known graph", [Grid(both)])]
