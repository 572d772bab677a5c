"""A graph of sensors from time series: answers, files, answer in words, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool

from aetia.files import dump_json, write_atomically
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind
from aetia.report.sections import Section
from aetia.results import GraphPosterior
from aetia.results.export import summary_networkx, to_dot, to_gml
from aetia.training import write_summary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SERIES", "SeriesAnswers", "collect_series", "series_in_words"]

_MOST_PANELS = 6
_SPAN = 160
_HALF_WIDTH = 1.6449
"""Of a band that holds 90 % of a normal distribution, in standard deviations."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SeriesAnswers:
    """What a method says about recordings.

    Attributes:
        posterior: Selected graphs.
        graph: The graph in force, within the step and at lag 1, 2, ...
        edges: Frame of edges: ``source``, ``target``, ``lag``, ``frequency``, ``path_frequency``,
            ``adjacent`` (either direction), ``reverse_frequency``, ``weight`` in units of the
            target per unit of the source, ``in_graph``.
        regimes: Frame of mechanisms by regime, empty without regimes: ``regime``, ``sensor``,
            ``changed``, ``noise_sd``, ``p_value``; where weights differ, a row for each of them
            with ``source``, ``lag`` and ``difference`` to what most regimes share (of the neural
            back end: in standardised units).
        sensors: Frame of sensors: readings, gaps, noise, outliers, drift.
        spans: Frame of what the drawings of imputed values show.
        n_gaps: Cells without a reading.
        n_open: Those of them that could not be filled.
        imputed: The user's table with its gaps filled; None once it lies in its file.
        roles: Columns by what they tell: ``time``, ``series``, ``regime``.
        truth: Known edges, ``source``, ``target`` and perhaps ``lag``, to compare with.
        history: Rows of the record of training.
        training: Its summary.
    """

    posterior: GraphPosterior
    graph: Bool[np.ndarray, "m d d"]
    edges: pd.DataFrame
    regimes: pd.DataFrame
    sensors: pd.DataFrame
    spans: pd.DataFrame
    n_gaps: int
    n_open: int
    imputed: pd.DataFrame | None = None
    roles: Mapping[str, str | None] = field(default_factory=dict)
    truth: Sequence[Mapping[str, Any]] | None = None
    history: Sequence[Mapping[str, Any]] = ()
    training: Mapping[str, Any] | None = None


def collect_series(
    estimator: Any,
    *,
    imputed: pd.DataFrame | None = None,
    roles: Mapping[str, str | None] | None = None,
    truth: Sequence[Mapping[str, Any]] | None = None,
) -> SeriesAnswers:
    """Ask a fitted estimator everything that its report shows.

    Args:
        estimator: A fitted ``RCGNN``. Of what a back end does not estimate its attribute is None
            (``weights_``, ``imputed_sd_``, ``outliers_``, ``drift_sd_``, ``information_``).
        imputed: The user's table with its gaps filled, for ``imputed.csv``.
        roles: Columns by what they tell: ``time``, ``series``, ``regime``.
        truth: Known edges, ``source``, ``target`` and perhaps ``lag``, to compare with.

    Returns:
        The answers.
    """
    windows = estimator.windows_
    graph = np.concatenate([estimator.adjacency_[None], estimator.lagged_adjacency_])
    live = _live(windows.observed)
    gaps = live & ~windows.observed
    return SeriesAnswers(
        posterior=estimator.posterior_,
        graph=graph,
        edges=_edges(estimator, graph),
        regimes=_regimes(estimator),
        sensors=_sensors(estimator, live),
        spans=_spans(estimator, gaps),
        n_gaps=int(gaps.sum()),
        n_open=int((gaps & np.isnan(estimator.imputed_)).sum()),
        imputed=imputed,
        roles=roles or {},
        truth=truth,
        history=estimator.history_,
        training=estimator.training_summary_,
    )


def _live(observed: Bool[np.ndarray, "n time d"]) -> Bool[np.ndarray, "n time d"]:
    """Mark the rows before the padding at the end of windows."""
    seen = np.asarray(observed.any(2))
    last = np.where(seen.any(1), seen.shape[1] - seen[:, ::-1].argmax(1), 0)
    live = np.arange(seen.shape[1]) < last[:, None]
    return np.broadcast_to(live[..., None], observed.shape)


def _edges(estimator: Any, graph: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    posterior = estimator.posterior_
    table = posterior.edge_table().rename(
        columns={
            "probability": "frequency",
            "path_probability": "path_frequency",
            "reverse_probability": "reverse_frequency",
        }
    )
    for name in ("frequency", "path_frequency", "adjacent", "reverse_frequency"):
        table[name] = table[name].round(12)  # weights add up to 1 but for rounding
    place = {name: k for k, name in enumerate(posterior.names)}
    at = (table["lag"], table["source"].map(place), table["target"].map(place))
    listed = np.zeros(graph.shape, dtype=bool)
    listed[at] = True
    lag, i, j = np.nonzero(graph & ~listed)  # required by knowledge, and never selected
    reverse = np.where(lag == 0, posterior.edge_probabilities()[j, i], 0.0).round(12)
    never = pd.DataFrame(
        {
            "source": [posterior.names[k] for k in i],
            "target": [posterior.names[k] for k in j],
            "lag": lag,
            "frequency": 0.0,
            "path_frequency": [
                posterior.path_probability(posterior.names[a], posterior.names[b])
                for a, b in zip(i, j, strict=True)
            ],
            "adjacent": reverse,
            "reverse_frequency": reverse,
        }
    )
    if len(never):
        table = pd.concat([table, never], ignore_index=True)
        at = tuple(np.concatenate([x, y]) for x, y in zip(at, (lag, i, j), strict=True))
    weights = estimator.weights_
    table["weight"] = np.nan if weights is None else np.where(graph[at], weights[at], np.nan)
    table["in_graph"] = graph[at]
    return table


def _regimes(estimator: Any) -> pd.DataFrame:
    import pandas as pd

    columns = ["regime", "sensor", "changed", "noise_sd", "p_value", "source", "lag", "difference"]
    rows = []
    names = estimator.posterior_.names
    regimes = estimator.regime_names_ if len(estimator.regime_names_) > 1 else ()
    for k, regime in enumerate(regimes):
        for j, sensor in enumerate(names):
            common = {
                "regime": regime,
                "sensor": sensor,
                "changed": bool(estimator.changed_mechanisms_[k, j]),
                "noise_sd": float(np.sqrt(estimator.noise_variance_[k, j])),
                "p_value": float(estimator.residual_invariance_[k, j]),
            }
            delta = estimator.regime_deltas_[k, :, :, j]
            moved = [(int(lag), int(i)) for lag, i in zip(*np.nonzero(delta), strict=True)]
            rows += [
                common | {"source": names[i], "lag": lag, "difference": float(delta[lag, i])}
                for lag, i in moved
            ]
            if not moved:
                rows.append(common)
    return pd.DataFrame(rows, columns=columns).astype({"lag": "Int64"})


def _sensors(estimator: Any, live: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    windows = estimator.windows_
    n_live = live.sum((0, 1))
    seen = windows.observed.sum((0, 1))
    gaps = live & ~windows.observed
    facts = windows.summary()
    values, outliers = windows.values, estimator.outliers_
    sd = np.array([np.std(values[:, :, j][windows.observed[:, :, j]]) for j in range(windows.d)])
    return pd.DataFrame(
        {
            "sensor": list(windows.names),
            "readings": seen,
            "share_observed": seen / np.maximum(n_live, 1),
            "longest_gap": [_longest(gaps[:, :, j]) for j in range(windows.d)],
            "mean": facts["mean"],
            "sd": facts["sd"],
            "noise_sd": estimator.sensor_noise_,
            "noise_share": (estimator.sensor_noise_ / np.where(sd > 0, sd, np.nan)) ** 2,
            "outliers": 0 if outliers is None else outliers.sum((0, 1)),
            "drift_sd": _or_unknown(estimator.drift_sd_, windows.d),
            "information": _or_unknown(estimator.information_, windows.d),
        }
    )


def _or_unknown(values: np.ndarray | None, n: int) -> np.ndarray:
    return np.full(n, np.nan) if values is None else values


def _longest(gap: Bool[np.ndarray, "n time"]) -> int:
    """Count the steps of the longest unbroken run of True in a row."""
    longest, run = 0, np.zeros(len(gap), dtype=int)
    for t in range(gap.shape[1]):
        run = np.where(gap[:, t], run + 1, 0)
        longest = max(longest, int(run.max(initial=0)))
    return longest


def _spans(estimator: Any, gaps: np.ndarray) -> pd.DataFrame:
    """Take, of the sensors with most gaps, a stretch of time with gaps and readings."""
    import pandas as pd

    windows, sd, outliers = estimator.windows_, estimator.imputed_sd_, estimator.outliers_
    filled = gaps & ~np.isnan(estimator.imputed_)
    count = filled.sum((0, 1))
    order = [int(j) for j in np.argsort(-count, kind="stable") if count[j]][:_MOST_PANELS]
    parts = []
    for j in order:
        w, part = _busiest(filled[:, :, j], windows.observed[:, :, j])
        imputed, gap = estimator.imputed_[w, part, j], filled[w, part, j]
        half = np.nan if sd is None else _HALF_WIDTH * sd[w, part, j]
        n_series = len(windows.series_names)
        parts.append(
            pd.DataFrame(
                {
                    "sensor": windows.names[j],
                    "recording": windows.series_names[windows.series[w]] if n_series > 1 else "",
                    "step": windows.start[w] + np.arange(part.start, part.stop),
                    "reading": np.where(windows.observed[w, part, j], imputed, np.nan),
                    "set_aside": False if outliers is None else outliers[w, part, j],
                    "imputed": imputed,
                    "lower": np.where(gap, imputed - half, np.nan),
                    "upper": np.where(gap, imputed + half, np.nan),
                }
            )
        )
    columns = ["sensor", "recording", "step", "reading", "set_aside", "imputed", "lower", "upper"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _busiest(
    gap: Bool[np.ndarray, "n time"], observed: Bool[np.ndarray, "n time"]
) -> tuple[int, slice]:
    """Find the window, and the span in it, with the most gaps that have as many readings."""
    length = min(_SPAN, gap.shape[1])
    sums = [
        np.pad(np.cumsum(x, 1), ((0, 0), (1, 0)))[:, length:]
        - np.pad(np.cumsum(x, 1), ((0, 0), (1, 0)))[:, : gap.shape[1] - length + 1]
        for x in (gap, observed)
    ]
    score = np.minimum(*sums) + 1e-3 * sums[0]
    w, first = np.unravel_index(int(score.argmax()), score.shape)
    known = np.flatnonzero((gap | observed)[w, first : first + length])
    return int(w), slice(int(first), int(first) + int(known[-1]) + 1)


_TABLES = ("edges", "regimes", "sensors", "spans")
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
    return SeriesAnswers(
        posterior=GraphPosterior.load(folder / "posterior"),
        graph=np.array(summary["graph"], dtype=bool),
        n_gaps=int(summary["n_gaps"]),
        n_open=int(summary["n_open"]),
        roles=summary["roles"],
        truth=summary["truth"],
        **{name: _table(folder / f"{name}.csv") for name in _TABLES},
    )


def _table(file: Path) -> pd.DataFrame:
    import pandas as pd

    if file.name == "regimes.csv" and not file.exists():
        return pd.DataFrame()
    header = pd.read_csv(file, nrows=0).columns
    numbers = [name for name in header if name not in _LABELS]
    # A sensor may be called "NA": only empty cells of numbers are missing.
    return pd.read_csv(
        file,
        dtype={name: str for name in header if name in _LABELS},
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
    )


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
    return []


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
