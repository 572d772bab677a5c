"""A graph of sensors from time series: answers, files, answer in words, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from aetia.discovery.rcgnn.series_answers import SeriesAnswers
from aetia.files import dump_json, write_atomically
from aetia.graphs import retrieval_scores
from aetia.plots import plot_imputed_series, plot_lagged_graph, plot_regime_shifts
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind
from aetia.report.numbers import show
from aetia.report.sections.blocks import (
    Bar,
    Block,
    Facts,
    Grid,
    Heading,
    Section,
    Table,
    Words,
    picture,
)
from aetia.report.sections.shared import knowledge
from aetia.report.sections.texts import cells, labelled, note, text
from aetia.results import GraphPosterior
from aetia.results.export import summary_networkx, to_dot, to_gml
from aetia.training import write_summary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SERIES", "compare_series", "series_in_words"]

_MOST_EDGES = 120
_SHOWN_FROM = 0.05
_NOISELESS = 0.002
"""Share of the variance: readings are taken as exact by a noise of 0.001, not of 0."""


_TABLES = ("edges", "regimes", "sensors", "spans")
_EARLIER_COLUMNS = {"set_aside": "flagged_outliers"}
"""Columns that folders of earlier versions have under another name."""
_LABELS = ("source", "target", "sensor", "recording", "regime")


def _kept(answers: SeriesAnswers) -> dict[str, Any]:
    names = ("roles", "n_gaps", "n_open", "truth")
    kept = {name: getattr(answers, name) for name in names}
    return {"graph": answers.graph.astype(int), **kept}


def _write(answers: SeriesAnswers, folder: Path) -> dict[str, Path]:
    posterior = answers.posterior
    posterior.save(folder / "posterior")
    files = {"posterior": folder / "posterior"}
    for name in (*_TABLES, "imputed"):
        table = getattr(answers, name)
        if table is not None and (name != "regimes" or len(table)):
            files[name] = write_atomically(folder / f"{name}.csv", table.to_csv(index=False))
    graph = summary_networkx(answers.graph, posterior.summary_probabilities(), posterior.names)
    files["graph_gml"] = write_atomically(folder / "graph.gml", to_gml(graph))
    files["graph_dot"] = write_atomically(folder / "graph.dot", to_dot(graph))
    if answers.history:
        lines = "".join(dump_json(row) + "\n" for row in answers.history)
        files["history"] = write_atomically(folder / "health.jsonl", lines)
        if answers.training:
            files["training"] = write_summary(folder, dict(answers.training))
    return files


def _read(folder: Path, summary: Mapping[str, Any]) -> SeriesAnswers:
    tables: dict[str, Any] = {name: _table(folder / f"{name}.csv") for name in _TABLES}
    return SeriesAnswers(
        posterior=GraphPosterior.load(folder / "posterior"),
        graph=np.array(summary["graph"], dtype=bool),
        n_gaps=int(summary["n_gaps"]),
        n_open=int(summary["n_open"]),
        roles=summary["roles"],
        truth=summary["truth"],
        **tables,
    )


def _table(file: Path) -> pd.DataFrame:
    import pandas as pd

    if file.name == "regimes.csv" and not file.exists():
        return pd.DataFrame()
    header = pd.read_csv(file, nrows=0).columns
    numbers = [name for name in header if name not in _LABELS]
    # A sensor may be called "NA": only empty cells of numbers are missing.
    table = pd.read_csv(
        file,
        dtype={name: str for name in header if name in _LABELS},
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
    )
    return table.rename(columns=_EARLIER_COLUMNS)


def _plain(answers: SeriesAnswers) -> dict[str, Any]:
    return {
        **{k: getattr(answers, k).to_dict("records") for k in ("edges", "regimes", "sensors")},
        "diagnostics": dict(answers.posterior.diagnostics),
        "gaps": answers.n_gaps,
        "gaps_left": answers.n_open,
    }


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


def _when(lag: int) -> str:
    return "within the step" if lag == 0 else "1 step later" if lag == 1 else f"{lag} steps later"


def _page(answers: SeriesAnswers, context: RunContext) -> list[Section]:
    posterior = answers.posterior
    roles = ", ".join(f"{k}: {v}" for k, v in answers.roles.items() if v)
    facts = [("Columns by role", roles)] if roles else []
    facts += labelled("series.quantities", posterior.diagnostics)
    return [
        _graphs(answers),
        _edges(answers),
        *_known(answers),
        *_imputed(answers),
        *_regimes(answers),
        _sensors(answers),
        Section("run", "", [Facts(facts), *knowledge(posterior.knowledge)]),
    ]


def _graphs(answers: SeriesAnswers) -> Section:
    """Draw the graph within a step, and that of later steps."""
    posterior = answers.posterior
    by_lag = np.concatenate(
        [posterior.edge_probabilities()[None], posterior.lagged_probabilities()]
    )
    longest = len(by_lag) - 1
    later = "One step later" if longest == 1 else f"1 to {longest} steps later"
    panels = {"Within a step": (0,), later: tuple(range(1, longest + 1))}
    drawn = []
    for heading, lags in panels.items():
        ax, frame = plot_lagged_graph(
            by_lag, posterior.names, lags=lags, threshold=0.3, chosen=answers.graph
        )
        n = int(np.count_nonzero(frame["chosen"]))
        alt = f"{heading}: causal graph with {n} edges; the table below lists them"
        drawn.append([Heading(heading), picture(ax, alt)])
    return Section("graph", "Graph", [Grid(drawn), note("series.drawing")])


def _edges(answers: SeriesAnswers) -> Section:
    edges: Any = answers.edges
    has_weights = bool(edges["weight"].notna().any())
    listed = edges[(edges["frequency"] >= _SHOWN_FROM) | edges["in_graph"]]
    found = (_edge_row(r) for r in listed.head(_MOST_EDGES).to_dict("records"))
    rows = cells("series.edge_columns", found, without=[] if has_weights else ["weight"])
    blocks: list[Block] = [Table(rows, names=["cause", "effect"], desk=[""], dense=True)]
    if len(listed) > len(rows):
        words = f"The first {len(rows)} of {len(listed)} edges; all are in edges.csv."
        blocks.append(Words(words, "note"))
    weights = text("series.weights") + " " if has_weights else ""
    return Section("edges", "Edges", [*blocks, note("series.edges", weights=weights)])


def _edge_row(row: Mapping[str, Any]) -> dict[str, Any]:
    # From an earlier step an edge cannot point the other way; early folders lack the column.
    reverse = None if row["lag"] else row.get("reverse_frequency")
    return {
        **row,
        "effect": "itself" if row["source"] == row["target"] else row["target"],
        "bar": Bar(float(row["frequency"])),
        "reverse": "" if reverse is None else f"{reverse:.2f}",
        "is_in": "yes" if row["in_graph"] else "",
    }


def _known(answers: SeriesAnswers) -> list[Section]:
    if answers.truth is None:
        return []
    rows = compare_series(answers, answers.truth)
    return [Section("known", "Against the known graph", [Facts(rows), note("series.known")])]


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
    rows += labelled("series.scores", scores)
    if exact:
        hit = sum(lag < len(answers.graph) and answers.graph[lag, i, j] for lag, i, j in exact)
        rows.append(("Known edges found at their lag", f"{hit} of {len(exact)}"))
    return rows


def _imputed(answers: SeriesAnswers) -> list[Section]:
    spans: Any = answers.spans
    if spans.empty:
        return []
    image = plot_imputed_series(spans)[0]
    band = " " + text("series.band") if bool(spans["lower"].notna().any()) else ""
    n = len(set(spans["sensor"]))
    small = note("series.imputed", n=n, n_gaps=answers.n_gaps, band=band)
    alt = "Readings of the sensors with most gaps, and imputed values"
    heading = "Gaps and what was put there"
    return [Section("imputed", heading, [picture(image, alt, "wide"), small])]


def _regimes(answers: SeriesAnswers) -> list[Section]:
    table: Any = answers.regimes
    if table.empty:
        return []
    once = table.drop_duplicates(["regime", "sensor"])
    names, regimes = list(answers.posterior.names), list(dict.fromkeys(table["regime"]))
    p, changed = (
        once.pivot(index="regime", columns="sensor", values=column).loc[regimes, names]
        for column in ("p_value", "changed")
    )
    ax, _ = plot_regime_shifts(p.to_numpy(float), changed.to_numpy(bool), names, regimes)
    moved: Any = table[table["difference"].notna()]
    rows = cells("series.regime_columns", moved.to_dict("records"))
    alt = "p-values of equal residuals by regime and sensor"
    blocks: list[Block] = [picture(ax, alt, "wide"), note("series.regimes")]
    if rows:
        is_linear = answers.posterior.diagnostics.get("backend") == "linear"
        units = "" if is_linear else ", in standardised units"
        blocks += [Table(rows, names=["regime", "edge"]), note("series.differences", units=units)]
    else:
        blocks.append(Words("No mechanism has weights of its own in a regime."))
    return [Section("regimes", "What differs between regimes", blocks)]


def _sensors(answers: SeriesAnswers) -> Section:
    rows = []
    for row in answers.sensors.to_dict("records"):
        is_noisy = row["noise_share"] > _NOISELESS
        rows.append(row if is_noisy else {**row, "noise_sd": None, "noise_share": None})
    table = Table(cells("series.sensor_columns", rows))
    return Section("sensors", "Sensors", [table, note("series.sensors")])


SERIES = RunKind[SeriesAnswers](
    name="series",
    facts=lambda answers: answers.posterior.facts,
    kept=_kept,
    write=_write,
    read=_read,
    words=series_in_words,
    plain=_plain,
    page=_page,
    footer="The graph is conditional on the model: no hidden common causes, delays of a whole "
    "number of steps, no cycle within a step.",
)
