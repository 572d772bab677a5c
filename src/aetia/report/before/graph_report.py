"""The one-file HTML report of a graph posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from jaxtyping import Bool

from aetia.diagnostics import reliability
from aetia.plots import plot_edge_matrix, plot_graph, plot_reliability, plot_trace
from aetia.report.before.all_pairs import all_pairs_block
from aetia.report.before.checks import Check, check_posterior
from aetia.report.before.figures import svg_data_uri
from aetia.report.before.graph_effects import effect_block
from aetia.report.before.graph_words import (
    class_rows,
    directions,
    experiments,
    graph_in_words,
    likelihood_line,
)
from aetia.report.before.page import as_yaml, column_rows, render_page, show
from aetia.results import EffectPosterior, GraphPosterior
from aetia.results.adjacency_table import short_probability
from aetia.results.trust import reasons_for_doubt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["render_graph_report"]

_HIDDEN = {"config", "calibration_badge", "method", "likelihood_reason"}
_MOST_PAIRS = 200
_LABELS = {
    "likelihood": "Likelihood",
    "n_rows": "Rows",
    "share_cyclic": "Share of cyclic draws",
    "n_cyclic": "Cyclic draws",
    "ess_weights": "Effective number of draws",
    "n_distinct": "Distinct graphs",
    "exact": "Sum over graphs by",
    "ess": "Effective number of draws",
    "n_draws": "Draws",
    "monte_carlo_error": "Largest standard error of a probability",
    "converged": "Chains agree",
    "rhat_max": "Largest R-hat of an edge",
    "share_rhat_below_1_05": "Share of edges with R-hat below 1.05",
    "between_chain_sd_max": "Largest sd of an edge between chains",
    "mass_outside": "Expected edges outside the candidates",
    "scaling": "Scaling of the columns",
    "seed": "Seed",
    "device": "Device",
    "version": "Version of aetia",
    "wall_time_s": "Time (seconds)",
    "n_graphs": "Graphs enumerated",
    "log_evidence": "Log evidence",
    "log_evidence_error": "Standard error of the log evidence",
    "log_total_of_orders": "Log sum over orders, relative to the empty graph",
    "method_reason": "Why this method",
    "n_candidates": "Candidate parents of a column",
    "n_candidate_repairs": "Exchanges of candidates",
    "n_greedy_dags": "Greedy DAGs for candidates",
    "greedy_log_score": "Log score of the best greedy DAG",
    "greedy_sweeps": "Sweeps of the greedy search",
    "greedy_search_finished": "Greedy search ran to its end",
    "n_undecided_edges": "Undecided edges",
    "standard_error_max": "Largest standard error of a probability",
    "rhat_log_score": "R-hat of the log score",
    "ess_bulk_min": "Smallest effective number of draws of an edge",
    "ess_log_score": "Effective number of draws of the log score",
    "acceptance": "Share of accepted proposals",
    "n_chains": "Chains",
    "n_draws_per_chain": "Draws kept of a chain",
    "n_iterations": "Iterations of a chain",
    "moves_per_iteration": "Moves in an iteration",
    "thinning": "Iterations between kept draws",
    "entropy_nats": "Entropy (nats)",
    "particle_weights": "Weights of the draws",
    "varsortability_of_consensus": "Varsortability of the graph",
}


def render_graph_report(
    posterior: GraphPosterior,
    *,
    title: str,
    data_summary: Mapping[str, Sequence[Any]] | None = None,
    source: str = "",
    warnings: Sequence[str] = (),
    effects: Sequence[EffectPosterior] = (),
    total_effects: pd.DataFrame | None = None,
    truth: Bool[np.ndarray, "d d"] | None = None,
) -> str:
    """Render the report as one HTML page without external files or scripts.

    Args:
        posterior: The result.
        title: Heading.
        data_summary: Columns of the table, as from ``Dataset.summary``.
        source: Where the table came from.
        warnings: Messages shown to the user during the run.
        effects: Effects to show.
        total_effects: Effects of all pairs to show.
        truth: The known graph, in the order of the columns, to compare with.

    Returns:
        HTML.
    """
    p = posterior.edge_probabilities()
    threshold = _drawn_from(p)
    ax, drawn = plot_graph(p, posterior.names, threshold=threshold)
    matrix_ax, _ = plot_edge_matrix(p, posterior.names)
    trace = None
    if posterior.trace:
        trace = svg_data_uri(plot_trace(posterior.trace)[0])
    pairs = posterior.adjacency_table(threshold=0.01).to_dict("records")
    strong = [r for r in pairs if r["adjacent"] >= 0.1]
    weak = pairs[len(strong) :]
    decided, open_ = directions(posterior)
    facts = [
        (
            _LABELS.get(k, k),
            likelihood_line(posterior.diagnostics) if k == "likelihood" else show(v),
        )
        for k, v in posterior.diagnostics.items()
        if k not in _HIDDEN and not isinstance(v, (dict, list, tuple))
    ]
    return render_page(
        "graph.html.j2",
        title=title,
        posterior=posterior,
        method=posterior.diagnostics.get("method", "unknown method"),
        doubts="; ".join(reasons_for_doubt(posterior)),
        words=graph_in_words(posterior),
        decided=decided,
        open=open_,
        graph=svg_data_uri(ax.figure),
        n_drawn=len(drawn),
        threshold=f"{threshold:.0%}",
        matrix=svg_data_uri(matrix_ax.figure),
        trace=trace,
        pairs=[_pair(posterior, r) for r in strong[:_MOST_PAIRS]],
        n_pairs=len(strong),
        weak_pairs=[_pair(posterior, r) for r in weak[:_MOST_PAIRS]],
        n_weak=len(weak),
        has_lag=posterior.lagged is not None,
        classes=class_rows(posterior),
        experiments=experiments(posterior),
        checks=sorted(check_posterior(posterior), key=_gravity),
        warnings=list(warnings),
        facts=facts,
        knowledge=yaml.safe_dump(posterior.knowledge.to_dict(), allow_unicode=True).strip()
        if posterior.knowledge.to_dict()
        else "",
        columns=column_rows(data_summary),
        source=source,
        effects=[effect_block(e) for e in effects],
        all_pairs=None if total_effects is None else all_pairs_block(total_effects),
        comparison=None if truth is None else _comparison(posterior, truth),
        config=as_yaml(posterior.diagnostics.get("config", {})),
    )


def _drawn_from(probabilities: np.ndarray) -> float:
    """Choose the least adjacency that is drawn: 10 %, or more where the drawing would be full."""
    adjacent = np.minimum(probabilities + probabilities.T, 1.0)
    d = len(adjacent)
    strongest = np.sort(adjacent[np.triu_indices(d, 1)])[::-1]
    most = max(12, 2 * d)
    # Rounded up to whole per cent, so that the caption says exactly what was drawn.
    return max(0.1, np.ceil(100 * float(strongest[most])) / 100 if len(strongest) > most else 0.1)


def _pair(posterior: GraphPosterior, row: Mapping[str, Any]) -> dict[str, Any]:
    """Write a row of the table of pairs."""
    a, b = row["a"], row["b"]
    return {
        "a": a,
        "b": b,
        "lag": row.get("lag"),
        "adjacent": short_probability(row["adjacent"]),
        "a_to_b": short_probability(row["a_to_b"]),
        "b_to_a": short_probability(row["b_to_a"]),
        "path_a_to_b": short_probability(posterior.path_probability(a, b)),
        "path_b_to_a": short_probability(posterior.path_probability(b, a)),
        "forth": round(60 * row["a_to_b"], 1),
        "back": round(60 * row["b_to_a"], 1),
        "decided": row["decided"] != "open",
    }


def _gravity(check: Check) -> int:
    """Put what is wrong before what is fine."""
    return ("bad", "look", "good").index(check.verdict)


def _comparison(posterior: GraphPosterior, truth: np.ndarray) -> dict[str, Any]:
    off = ~np.eye(len(truth), dtype=bool)
    curve = reliability(posterior.edge_probabilities()[off], truth[off])
    ax, _ = plot_reliability(curve.stated, curve.observed, curve.n_events)
    metrics = [(k.replace("_", " "), show(v)) for k, v in posterior.compare(truth).items()]
    return {"metrics": metrics, "image": svg_data_uri(ax.figure)}
