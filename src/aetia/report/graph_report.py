"""The one-file HTML report of a graph posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from jaxtyping import Bool

from aetia.diagnostics import reliability
from aetia.plots import plot_edge_matrix, plot_graph, plot_reliability, plot_trace
from aetia.report.checks import check_posterior
from aetia.report.figures import svg_data_uri
from aetia.report.page import as_yaml, column_rows, render_page, show
from aetia.results import EffectPosterior, GraphPosterior

__all__ = ["render_graph_report"]

_HIDDEN = {"config", "calibration_badge", "method"}
_LABELS = {
    "likelihood": "Likelihood",
    "n_rows": "Rows",
    "share_cyclic": "Share of cyclic draws",
    "n_cyclic": "Cyclic draws",
    "ess_weights": "Effective number of draws",
    "n_distinct": "Distinct graphs",
    "scaling": "Scaling of the columns",
    "seed": "Seed",
    "device": "Device",
    "version": "Version of aetia",
    "wall_time_s": "Time (seconds)",
    "n_graphs": "Graphs enumerated",
    "log_evidence": "Log evidence",
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
        truth: The known graph, in the order of the columns, to compare with.

    Returns:
        HTML.
    """
    p = posterior.edge_probabilities()
    ax, drawn = plot_graph(p, posterior.names)
    matrix_ax, _ = plot_edge_matrix(p, posterior.names)
    trace = None
    if posterior.trace:
        trace = svg_data_uri(plot_trace(posterior.trace)[0])
    table = posterior.edge_table(threshold=0.01)
    facts = [
        (_LABELS.get(k, k), show(v))
        for k, v in posterior.diagnostics.items()
        if k not in _HIDDEN and not isinstance(v, (dict, list))
    ]
    return render_page(
        "graph.html.j2",
        title=title,
        posterior=posterior,
        method=posterior.diagnostics.get("method", "unknown method"),
        headline=_headline(posterior),
        graph=svg_data_uri(ax.figure),
        n_drawn=len(drawn),
        matrix=svg_data_uri(matrix_ax.figure),
        trace=trace,
        edges=table.head(200).to_dict("records"),
        n_edges=len(table),
        checks=check_posterior(posterior),
        warnings=list(warnings),
        facts=facts,
        knowledge=yaml.safe_dump(posterior.knowledge.to_dict(), allow_unicode=True).strip()
        if posterior.knowledge.to_dict()
        else "",
        columns=column_rows(data_summary),
        source=source,
        effects=[_effect(e) for e in effects],
        comparison=None if truth is None else _comparison(posterior, truth),
        config=as_yaml(posterior.diagnostics.get("config", {})),
    )


def _headline(posterior: GraphPosterior) -> str:
    table = posterior.edge_table()
    sure = table[table["probability"] >= 0.9]
    open_ = table[(table["probability"] < 0.9) & (table["probability"] >= 0.1)]
    return (
        f"{len(sure)} edge(s) with probability of at least 90 %, {len(open_)} between 10 % and "
        f"90 %. Read a probability as: given this table, the model's assumptions and the prior, "
        "how likely it is that the cause acts directly on the effect."
    )


def _comparison(posterior: GraphPosterior, truth: np.ndarray) -> dict[str, Any]:
    off = ~np.eye(len(truth), dtype=bool)
    curve = reliability(posterior.edge_probabilities()[off], truth[off])
    ax, _ = plot_reliability(curve.stated, curve.observed, curve.n_events)
    metrics = [(k.replace("_", " "), show(v)) for k, v in posterior.compare(truth).items()]
    return {"metrics": metrics, "image": svg_data_uri(ax.figure)}


def _effect(effect: EffectPosterior) -> dict[str, Any]:
    ax, _ = effect.plot()
    row = effect.frame().iloc[0]
    return {
        "image": svg_data_uri(ax.figure),
        "text": (
            f"Setting {effect.treatment} from {effect.control:g} to {effect.treated:g} changes "
            f"{effect.outcome} by {row['mean']:.4g} on average (90 % credible interval "
            f"{row['lower']:.4g} to {row['upper']:.4g}); probability of a causal path "
            f"{effect.probability_of_effect or 0.0:.0%}."
        ),
    }
