"""All answers of a fitted RC-GNN: edges, mechanisms by regime, sensors, gaps to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool

from aetia.results import GraphPosterior

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SeriesAnswers", "collect_series"]

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
    n_gaps, n_open = _count_gaps(estimator)
    return SeriesAnswers(
        posterior=estimator.posterior_,
        graph=np.concatenate([estimator.adjacency_[None], estimator.lagged_adjacency_]),
        edges=_edge_table(estimator),
        regimes=_regime_table(estimator),
        sensors=_sensor_table(estimator),
        spans=_gap_spans(estimator),
        n_gaps=n_gaps,
        n_open=n_open,
        imputed=imputed,
        roles=roles or {},
        truth=truth,
        history=estimator.history_,
        training=estimator.training_summary_,
    )


def _count_gaps(estimator: Any) -> tuple[int, int]:
    """Count the cells without a reading.

    Args:
        estimator: A fitted ``RCGNN``.

    Returns:
        The number of gaps, and how many of them could not be filled.
    """
    gaps = estimator.windows_.gaps
    return int(gaps.sum()), int((gaps & np.isnan(estimator.imputed_)).sum())


def _edge_table(estimator: Any) -> pd.DataFrame:
    """List the edges that were ever selected, or that are in the graph.

    Args:
        estimator: A fitted ``RCGNN``.

    Returns:
        ``source``, ``target``, ``lag``, ``frequency``, ``path_frequency``, ``adjacent`` (either
        direction), ``reverse_frequency``, ``weight`` in units of the target per unit of the source
        (NaN where the back end estimates none), ``in_graph``.
    """
    import pandas as pd

    posterior = estimator.posterior_
    graph = np.concatenate([estimator.adjacency_[None], estimator.lagged_adjacency_])
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


def _regime_table(estimator: Any) -> pd.DataFrame:
    """List the mechanisms by regime.

    Args:
        estimator: A fitted ``RCGNN``.

    Returns:
        ``regime``, ``sensor``, ``changed``, ``noise_sd``, ``p_value``; where weights differ, a row
        for each of them with ``source``, ``lag`` and ``difference``. Empty without regimes.
    """
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


def _sensor_table(estimator: Any) -> pd.DataFrame:
    """Describe the sensors: readings, gaps, noise, outliers, drift.

    Args:
        estimator: A fitted ``RCGNN``.

    Returns:
        A row for each sensor; NaN for what the back end does not estimate.
    """
    import pandas as pd

    windows = estimator.windows_
    n_live, gaps = int(windows.live.sum()), windows.gaps
    seen = windows.observed.sum((0, 1))
    facts = windows.summary()
    values, outliers = windows.values, estimator.outliers_
    sd = np.array([np.std(values[:, :, j][windows.observed[:, :, j]]) for j in range(windows.d)])
    return pd.DataFrame(
        {
            "sensor": list(windows.names),
            "readings": seen,
            "share_observed": seen / max(n_live, 1),
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


def _gap_spans(estimator: Any) -> pd.DataFrame:
    """Take, of the sensors with most gaps, a stretch of time with gaps and readings to draw.

    Args:
        estimator: A fitted ``RCGNN``.

    Returns:
        ``sensor``, ``recording``, ``step``, ``reading``, ``flagged_outliers``, ``imputed``,
        ``lower``, ``upper``; empty without gaps that were filled.
    """
    import pandas as pd

    windows, sd, outliers = estimator.windows_, estimator.imputed_sd_, estimator.outliers_
    filled = windows.gaps & ~np.isnan(estimator.imputed_)
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
                    "flagged_outliers": False if outliers is None else outliers[w, part, j],
                    "imputed": imputed,
                    "lower": np.where(gap, imputed - half, np.nan),
                    "upper": np.where(gap, imputed + half, np.nan),
                }
            )
        )
    if parts:
        return pd.concat(parts, ignore_index=True)
    found = ["sensor", "recording", "step", "reading", "flagged_outliers"]
    return pd.DataFrame(columns=[*found, "imputed", "lower", "upper"])


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
