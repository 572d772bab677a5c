"""The one-file HTML report of a causal graph of sensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import yaml

from aetia.graphs import retrieval_scores
from aetia.plots import plot_imputed_series, plot_lagged_graph, plot_regime_shifts
from aetia.report.before.figures import svg_data_uri
from aetia.report.before.page import as_yaml, render_page, show
from aetia.report.before.series_answers import SeriesAnswers
from aetia.report.before.series_checks import check_series

__all__ = ["compare_series", "render_series_report", "series_in_words"]

_MOST_EDGES = 120
_SHOWN_FROM = 0.05
_NOISELESS = 0.002
"""Share of the variance: readings are taken as exact by a noise of 0.001, not of 0."""
_LABELS = {
    "backend": "Back end",
    "n_rows": "Steps used",
    "n_regimes": "Regimes",
    "observed_share": "Share of cells with a reading",
    "information": "Information (share of innovations that readings determine)",
    "sensor_noise_share": "Noise of sensors (mean share of the variance)",
    "has_drift": "Drift",
    "n_outliers": "Readings set aside",
    "threshold": "Threshold of the selection frequency",
    "n_edges": "Edges at any lag",
    "n_changed_mechanisms": "Mechanisms that differ in a regime",
    "seed": "Seed",
    "version": "Version of aetia",
    "wall_time_s": "Time (seconds)",
}
_SCORES = {
    "f1": "F1 of directed edges",
    "precision": "Precision",
    "recall": "Recall",
    "shd": "Wrong pairs (SHD)",
    "skeleton_f1": "F1 of adjacencies",
    "orientation": "Right direction, of found adjacencies",
    "auroc": "AUROC of the frequencies",
    "average_precision": "Average precision of the frequencies",
    "prevalence": "Average precision by chance",
    "n_edges": "Edges found",
}


def render_series_report(
    answers: SeriesAnswers,
    *,
    title: str,
    source: str = "",
    roles: Mapping[str, str | None] | None = None,
    warnings: Sequence[str] = (),
    truth: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """Render the report as one HTML page without external files or scripts.

    Args:
        answers: What the method said.
        title: Heading.
        source: Where the table came from.
        roles: Columns by what they tell: ``time``, ``series``, ``regime``.
        warnings: Messages shown to the user during the run.
        truth: Known edges, ``source``, ``target`` and perhaps ``lag``, to compare with.

    Returns:
        HTML.
    """
    posterior = answers.posterior
    facts, spans = posterior.diagnostics, answers.spans
    images, n_drawn = _graphs(answers)
    edges: Any = answers.edges
    listed = edges[(edges["frequency"] >= _SHOWN_FROM) | edges["in_graph"]]
    known = posterior.knowledge.to_dict()
    return render_page(
        "series.html.j2",
        title=title,
        method=facts.get("method", "unknown method"),
        source=source,
        roles=", ".join(f"{k}: {v}" for k, v in (roles or {}).items() if v),
        words=series_in_words(answers),
        graphs=images,
        n_drawn=n_drawn,
        edges=[_edge_row(r) for r in listed.head(_MOST_EDGES).to_dict("records")],
        n_edges=len(listed),
        has_weights=bool(edges["weight"].notna().any()),
        imputed=None if spans.empty else svg_data_uri(plot_imputed_series(spans)[0]),
        has_band=bool(spans["lower"].notna().any()),
        n_panels=spans["sensor"].nunique(),
        n_gaps=f"{answers.n_gaps:,}",
        regimes=_regimes(answers),
        sensors=[_sensor_row(r) for r in answers.sensors.to_dict("records")],
        comparison=None if truth is None else compare_series(answers, truth),
        checks=check_series(answers),
        warnings=list(warnings),
        knowledge=yaml.safe_dump(known, allow_unicode=True).strip() if known else "",
        facts=[(text, show(facts[k])) for k, text in _LABELS.items() if facts.get(k) is not None],
        config=as_yaml(facts.get("config", {})),
    )


def series_in_words(answers: SeriesAnswers) -> list[str]:
    """Say what was found.

    Args:
        answers: What the method said.

    Returns:
        Sentences: how many edges, which are most stable, and what differs between regimes.
    """
    d, graph = len(answers.posterior.names), answers.graph
    off = ~np.eye(d, dtype=bool)
    n_any, n_now = int((graph.any(0) & off).sum()), int(graph[0].sum())
    n_past = int((graph[1:].any(0) & off).sum())
    threshold = float(answers.posterior.diagnostics.get("threshold", 0.5))
    sentences = [
        f"{n_any} edge(s) between {d} sensors: {n_now} act within a step, {n_past} from earlier "
        f"steps. Each was selected in at least {threshold:.0%} of "
        f"{len(answers.posterior.graphs)} resamples"
        + (", or is required." if answers.posterior.knowledge.required else ".")
    ]
    if not n_any:
        sentences[0] = (
            f"No edge between the {d} sensors was selected in {threshold:.0%} of the "
            f"{len(answers.posterior.graphs)} resamples. That is no proof that there is none: see "
            "how much the readings can tell."
        )
    table: Any = answers.edges
    found = table[table["in_graph"] & (table["source"] != table["target"])]
    strongest = [
        f"{r['source']} → {r['target']} ({_when(int(r['lag']))}, {r['frequency']:.2f})"
        for r in found.head(3).to_dict("records")
    ]
    if strongest:
        sentences.append(f"Selected most often: {', '.join(strongest)}.")
    if len(answers.regimes):
        regimes: Any = answers.regimes
        once = regimes.drop_duplicates(["regime", "sensor"])
        moved = once[once["changed"].astype(bool)]
        shown = ", ".join(
            f"{s} in {r}"
            for s, r in zip(moved["sensor"].head(5), moved["regime"].head(5), strict=True)
        )
        sentences.append(
            f"Of {once['regime'].nunique()} regimes, "
            + (
                f"{len(moved)} mechanism(s) differ from what the others share: {shown}"
                + (", ..." if len(moved) > 5 else "")
                + "."
                if len(moved)
                else "none has weights of its own."
            )
        )
    return sentences


def compare_series(
    answers: SeriesAnswers, truth: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Score the summary graph against known edges; a sensor's own past does not count.

    Args:
        answers: What the method said.
        truth: Known edges, ``source``, ``target`` and perhaps ``lag``.

    Returns:
        Names and values for a table.
    """
    names = answers.posterior.names
    graph = np.zeros((len(names), len(names)), dtype=bool)
    exact = []
    for edge in truth:
        i, j = names.index(edge["source"]), names.index(edge["target"])
        if i != j:
            graph[i, j] = True
            if edge.get("lag") is not None:
                exact.append((int(edge["lag"]), i, j))
    scores = retrieval_scores(
        torch.from_numpy(graph),
        torch.from_numpy(answers.graph.any(0)),
        torch.from_numpy(answers.posterior.summary_probabilities()),
    )
    rows = [("Known edges", show(int(graph.sum())))]
    rows += [(text, show(scores[k])) for k, text in _SCORES.items()]
    if exact:
        hit = sum(lag < len(answers.graph) and answers.graph[lag, i, j] for lag, i, j in exact)
        rows.append(("Known edges found at their lag", f"{hit} of {len(exact)}"))
    return rows


def _graphs(answers: SeriesAnswers) -> tuple[list[dict[str, str]], int]:
    posterior = answers.posterior
    by_lag = np.concatenate(
        [posterior.edge_probabilities()[None], posterior.lagged_probabilities()]
    )
    longest = len(by_lag) - 1
    panels = {
        "Within a step": (0,),
        "One step later" if longest == 1 else f"1 to {longest} steps later": range(1, longest + 1),
    }
    images, n_drawn = [], 0
    for heading, lags in panels.items():
        ax, frame = plot_lagged_graph(
            by_lag, posterior.names, lags=tuple(lags), threshold=0.3, chosen=answers.graph
        )
        n = int(np.count_nonzero(frame["chosen"]))
        images.append({"heading": heading, "image": svg_data_uri(ax.figure), "n": str(n)})
        n_drawn += n
    return images, n_drawn


def _when(lag: int) -> str:
    return "within the step" if lag == 0 else "1 step later" if lag == 1 else f"{lag} steps later"


def _edge_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "source": row["source"],
        "target": row["target"],
        "lag": int(row["lag"]),
        "frequency": float(row["frequency"]),
        "weight": show(float(row["weight"])),
        "path": float(row["path_frequency"]),
        # Folders written before this column existed can still be shown.
        "reverse": _reverse(int(row["lag"]), row.get("reverse_frequency")),
        "in_graph": bool(row["in_graph"]),
        "own": row["source"] == row["target"],
    }


def _reverse(lag: int, frequency: float | None) -> str:
    """Write how often the edge pointed the other way; from an earlier step it cannot."""
    return "" if lag or frequency is None else f"{float(frequency):.2f}"


def _regimes(answers: SeriesAnswers) -> dict[str, Any] | None:
    table: Any = answers.regimes
    if table.empty:
        return None
    once = table.drop_duplicates(["regime", "sensor"])
    names, regimes = answers.posterior.names, list(dict.fromkeys(table["regime"]))
    p = once.pivot(index="regime", columns="sensor", values="p_value").loc[regimes, list(names)]
    changed = once.pivot(index="regime", columns="sensor", values="changed")
    ax, _ = plot_regime_shifts(
        p.to_numpy(float), changed.loc[regimes, list(names)].to_numpy(bool), names, regimes
    )
    moved = table[table["difference"].notna()]
    is_linear = answers.posterior.diagnostics.get("backend") == "linear"
    rows = [
        {
            "regime": r["regime"],
            "edge": f"{r['source']} → {r['sensor']}",
            "lag": str(int(r["lag"])),
            "difference" if is_linear else "difference (standardised)": show(
                float(r["difference"])
            ),
        }
        for r in moved.to_dict("records")
    ]
    return {"image": svg_data_uri(ax.figure), "rows": rows}


def _sensor_row(row: Mapping[str, Any]) -> dict[str, str]:
    share = float(row["noise_share"])
    information = float(row["information"])
    is_noisy = share > _NOISELESS
    return {
        "sensor": str(row["sensor"]),
        "readings": f"{int(row['readings']):,}",
        "share": f"{row['share_observed']:.0%}",
        "longest gap": f"{int(row['longest_gap']):,}",
        "sd": show(float(row["sd"])),
        "noise sd": show(float(row["noise_sd"])) if is_noisy else "–",
        "noise share": f"{share:.1%}" if is_noisy else "–",
        "outliers": f"{int(row['outliers']):,}",
        "drift sd": show(float(row["drift_sd"])),
        "information": "–" if information != information else f"{information:.0%}",
    }
