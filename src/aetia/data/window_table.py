"""Time series in: from tables, arrays and files to checked :class:`Windows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from aetia.data.checks import check_columns, check_names
from aetia.data.seasonal import remove_season, seasonal_profile
from aetia.data.stretches import Stretch
from aetia.data.tables import as_numbers, split_columns
from aetia.data.time_steps import step_numbers, time_numbers
from aetia.data.windows import Windows, windows_of_stretches
from aetia.errors import InputError
from aetia.options import nearest

__all__ = ["Placed", "as_windows", "place_rows"]


class Placed(NamedTuple):
    """A recording that is not cut, and where the rows of the table lie in it.

    Attributes:
        windows: One window per unbroken stretch.
        window: For each row of the table, its window.
        step: ... and its row in there.
    """

    windows: Windows
    window: Int[np.ndarray, " rows"]
    step: Int[np.ndarray, " rows"]


class _Rows(NamedTuple):
    """Readings one below the other, with the recording, step and regime of each row."""

    values: Float[np.ndarray, "rows d"]
    names: tuple[str, ...]
    series: Int[np.ndarray, " rows"]
    series_names: tuple[str, ...]
    step: Int[np.ndarray, " rows"]
    regime: Int[np.ndarray, " rows"] | None
    regime_names: tuple[str, ...]
    source: str


def as_windows(
    X: Any,
    *,
    observed: Any = None,
    time: str | None = None,
    series: str | None = None,
    regime: Any = None,
    length: int | None = None,
    stride: int | None = None,
    exclude: Sequence[str] = (),
    season: int | Sequence[int] | None = None,
) -> Windows:
    """Turn time series into checked :class:`Windows`.

    Rows are sorted by time inside each recording. Steps that are left out become rows that are not
    observed. A change of regime inside a recording starts a new stretch, and no window crosses it.

    Args:
        X: A pandas or polars frame, the path of a CSV or Parquet file, an array ``[n, d]`` (one
            recording) or ``[n, time, d]`` (separate recordings of equal length), a list of arrays
            ``[T_k, d]`` or of frames (one recording each), or Windows.
        observed: False where a cell was not seen, whatever it holds; in the shape of the sensors.
        time: Name of the column of times: numbers, dates, or text that holds dates. By default
            rows are in order, a step apart.
        series: Name of the column that tells recordings apart.
        regime: Environment: the name of a column; or labels, one for each row of a table, array
            or recording, or one for each window of ``[n, time, d]`` or recording of a list.
        length: Steps of a window; by default every unbroken stretch is one window.
        stride: Steps from the start of a window to the start of the next; by default ``length``.
        exclude: Columns to leave out.
        season: Steps of a period, or of several, whose profile is subtracted from each recording
            (its own, see ``seasonal_profile``); it is kept as ``.season`` for the way back.

    Returns:
        The windows, with every check of the boundary passed.

    Raises:
        InputError: If they cannot be used; the message names the column and the remedy.

    Example:
        >>> readings = np.random.default_rng(0).normal(size=(96, 3))
        >>> as_windows(readings, length=24).values.shape
        (4, 24, 3)
    """
    if isinstance(X, Windows):
        return _as_given(X, observed, time, series, regime, length, stride, exclude, season)
    whole, stretches, _ = _stretches(X, observed, time, series, regime, exclude)
    return _finished(whole, stretches, length, stride, season)


def place_rows(
    X: Any,
    *,
    time: str | None = None,
    series: str | None = None,
    regime: str | None = None,
    exclude: Sequence[str] = (),
) -> Placed:
    """Turn a table into windows that are not cut, and keep where its rows went.

    Args:
        X: A table, as for ``as_windows``.
        time: Name of the column of times.
        series: Name of the column that tells recordings apart.
        regime: Name of the column of regimes.
        exclude: Columns to leave out.

    Returns:
        The windows, with the place of every row in them.

    Raises:
        InputError: If the table cannot be used.
    """
    whole, stretches, places = _stretches(X, None, time, series, regime, exclude)
    windows = windows_of_stretches(whole, stretches, None, None)
    return Placed(windows, places[:, 0], places[:, 1])


def _stretches(
    X: Any, observed: Any, time: str | None, series: str | None, regime: Any, exclude: Sequence[str]
) -> tuple[Windows, list[Stretch], Int[np.ndarray, "rows 2"]]:
    """Read, check, and break into stretches; the first is a template without windows."""
    rows = _read_rows(X, observed, time, series, regime, exclude)
    seen = ~np.isnan(rows.values)
    _check(rows, seen)
    stretches, places = _broken(rows, seen)
    d = len(rows.names)
    nothing = np.zeros(0, dtype=int)
    template = Windows(
        values=np.zeros((0, 0, d)),
        observed=np.zeros((0, 0, d), dtype=bool),
        names=rows.names,
        regime=None if rows.regime is None else nothing,
        regime_names=rows.regime_names,
        series=nothing,
        series_names=rows.series_names,
        start=nothing,
        source=rows.source,
    )
    return template, stretches, places


def _finished(
    like: Windows,
    stretches: list[Stretch],
    length: int | None,
    stride: int | None,
    season: int | Sequence[int] | None,
) -> Windows:
    periods = _periods(season)
    if periods:
        profile = seasonal_profile(stretches, periods, like.names, len(like.series_names))
        stretches = remove_season(stretches, profile)
        like = replace(like, season=profile)
    return windows_of_stretches(like, stretches, length, stride)


def _periods(season: int | Sequence[int] | None) -> tuple[int, ...]:
    if season is None:
        return ()
    return tuple(season) if isinstance(season, (tuple, list, np.ndarray)) else (season,)  # pyright: ignore[reportReturnType]


def _read_rows(
    X: Any, observed: Any, time: str | None, series: str | None, regime: Any, exclude: Sequence[str]
) -> _Rows:
    is_list = isinstance(X, (list, tuple)) and len(X) > 0 and all(_is_recording(x) for x in X)
    if is_list:
        rows, labels = _read_list(X, observed, regime, exclude)
    elif getattr(X, "ndim", 2) == 3:
        rows, labels = _read_cube(np.asarray(X), observed, regime, exclude)
    else:
        return _read_table(X, observed, time, series, regime, exclude)
    for argument, given in (("time", time), ("series", series)):
        if given is not None:
            raise InputError(
                f"{argument}={given!r} names a column of one table, but X is "
                f"{'a list of recordings' if is_list else 'an array [n, time, d]'}, whose rows are "
                f"in order. Leave {argument} out, or pass one table."
            )
    if labels is None:
        return rows
    codes, names = _regimes(labels, len(rows.values))
    return rows._replace(regime=codes, regime_names=names)


def _is_recording(x: Any) -> bool:
    return getattr(x, "ndim", None) == 2 or (hasattr(x, "columns") and hasattr(x, "shape"))


def _read_table(
    X: Any, observed: Any, time: str | None, series: str | None, regime: Any, exclude: Sequence[str]
) -> _Rows:
    names, columns, source = split_columns(X)
    check_names(names)
    table = dict(zip(names, columns, strict=True))
    taken: dict[str, tuple[str, np.ndarray]] = {}
    by_name = {"time": time, "series": series, "regime": regime}
    for argument, name in by_name.items():
        if name is None or (argument == "regime" and not isinstance(name, str)):
            continue
        if not isinstance(name, str):
            raise InputError(
                f"{argument} is the name of a column, got {type(name).__name__}. Put it into the "
                "table as a column."
            )
        for other, (other_name, _) in taken.items():
            if other_name == name:
                raise InputError(f"{argument} and {other} both name the column {name!r}.")
        taken[argument] = (name, _take(table, name, argument))
    for name in exclude:
        _take(table, name, "exclude")
    values = _numbers(table, _mask(observed, tuple(table), X, len(columns[0]) if columns else 0))
    n = len(values)
    if "series" in taken:
        codes, labels = _in_order(*taken["series"])
    else:
        codes, labels = np.zeros(n, dtype=int), ("0",)
    if "time" in taken:
        name, column = taken["time"]
        steps = step_numbers(name, time_numbers(name, column), column, codes, labels)
    else:
        steps = _row_numbers(codes)
    regimes, regime_names = None, ()
    if "regime" in taken:
        regimes, regime_names = _regimes(taken["regime"][1], n, taken["regime"][0])
    elif regime is not None:
        regimes, regime_names = _regimes(regime, n)
    return _Rows(values, tuple(table), codes, labels, steps, regimes, regime_names, source)


def _read_list(
    X: Sequence[Any], observed: Any, regime: Any, exclude: Sequence[str]
) -> tuple[_Rows, Any]:
    if observed is not None and len(observed) != len(X):
        raise InputError(f"observed has {len(observed)} recordings, X has {len(X)}.")
    parts = [
        _read_table(x, None if observed is None else observed[k], None, None, None, exclude)
        for k, x in enumerate(X)
    ]
    for k, part in enumerate(parts):
        if part.names != parts[0].names:
            raise InputError(
                f"recording {k} has the columns {', '.join(part.names)}, recording 0 has "
                f"{', '.join(parts[0].names)}. All recordings have the same sensors in the same "
                "order."
            )
    sizes = [len(part.values) for part in parts]
    labels = regime
    if regime is not None:
        if len(regime) != len(X):
            raise InputError(f"regime has {len(regime)} entries for {len(X)} recordings.")
        each = [
            np.full(size, label, dtype=object) if np.ndim(label) == 0 else np.asarray(label, object)
            for size, label in zip(sizes, regime, strict=True)
        ]
        for k, (size, label) in enumerate(zip(sizes, each, strict=True)):
            if label.shape != (size,):
                raise InputError(
                    f"regime of recording {k} has shape {label.shape}, the recording has {size} "
                    "rows. Pass one label for each row, or one for the recording."
                )
        labels = np.concatenate(each)
    rows = _Rows(
        np.concatenate([part.values for part in parts]),
        parts[0].names,
        np.repeat(np.arange(len(X)), sizes),
        tuple(str(k) for k in range(len(X))),
        np.concatenate([np.arange(size) for size in sizes]),
        None,
        (),
        f"list of {len(X)} recordings",
    )
    return rows, labels


def _read_cube(
    X: np.ndarray, observed: Any, regime: Any, exclude: Sequence[str]
) -> tuple[_Rows, Any]:
    n, time, d = X.shape
    if n * time * d == 0:
        raise InputError(f"the array is empty: shape {X.shape} is [windows, time, sensors].")
    mask = None
    if observed is not None:
        mask = np.asarray(observed)
        if mask.shape != X.shape:
            raise InputError(f"observed has shape {mask.shape}, X has shape {X.shape}.")
        mask = mask.reshape(n * time, d)
    flat = _read_table(X.reshape(n * time, d), mask, None, None, None, exclude)
    labels = regime
    if regime is not None:
        labels = np.asarray(regime)
        if labels.shape != (n,):
            raise InputError(
                f"regime must have one entry for each of {n} windows, got shape {labels.shape}."
            )
        labels = np.repeat(labels, time)
    rows = flat._replace(
        series=np.repeat(np.arange(n), time),
        series_names=tuple(str(k) for k in range(n)),
        step=np.tile(np.arange(time), n),
    )
    return rows, labels


def _numbers(table: dict[str, np.ndarray], mask: np.ndarray | None) -> np.ndarray:
    if len(table) < 2:
        shown = f" ({next(iter(table))!r})" if table else ""
        raise InputError(
            f"{len(table)} sensor(s) are left{shown} (n_features = {len(table)}); causes among "
            "sensors need at least 2. "
            "Columns named by time, series, regime and exclude are no sensors."
        )
    columns = []
    for j, (name, column) in enumerate(table.items()):
        if mask is not None and column.dtype == object:  # a hidden cell may hold any text
            column = np.where(mask[:, j], column, np.nan)
        _refuse_text(name, column)
        cells = as_numbers(name, column)
        columns.append(cells if mask is None else np.where(mask[:, j], cells, np.nan))
    return np.stack(columns, axis=1)


def _refuse_text(name: str, column: np.ndarray) -> None:
    if column.dtype.kind in "mM":
        raise InputError(
            f"column {name!r} holds dates or durations. Pass time={name!r} if it is the time of "
            f"the rows, or drop it with exclude=[{name!r}]."
        )
    if column.dtype.kind not in "OSU":
        return
    texts = [v for v in column if isinstance(v, (str, bytes))]
    try:
        column.astype(np.float64)
    except (TypeError, ValueError):
        if not texts:
            return
        distinct = sorted({str(v) for v in texts})
        shown = ", ".join(repr(v) for v in distinct[:3]) + (", ..." if len(distinct) > 3 else "")
        raise InputError(
            f"column {name!r} is text ({len(distinct)} distinct values: {shown}). Sensors are "
            f"numbers: pass time={name!r}, series={name!r} or regime={name!r} if it says when, in "
            f"which recording or in which regime a row was read, or drop it with "
            f"exclude=[{name!r}]."
        ) from None


def _mask(
    observed: Any, names: tuple[str, ...], X: Any, n: int
) -> Bool[np.ndarray, "rows d"] | None:
    if observed is None:
        return None
    if hasattr(observed, "columns"):
        given = [str(c) for c in observed.columns]
        lacking = [name for name in names if name not in given]
        if lacking:
            raise InputError(f"observed: no column {lacking[0]!r}; columns: {', '.join(given)}.")
        mask = np.stack([np.asarray(observed[name]) for name in names], axis=1)
    else:
        mask = np.asarray(observed)
        all_names = [str(c) for c in X.columns] if hasattr(X, "columns") else None
        if all_names is None and not isinstance(X, (str, Path)):
            all_names = [f"x{i}" for i in range(np.shape(X)[1])]
        if all_names is not None and mask.ndim == 2 and mask.shape[1] == len(all_names):
            mask = mask[:, [all_names.index(name) for name in names]]
    if mask.shape != (n, len(names)):
        raise InputError(
            f"observed has shape {mask.shape}; {n} rows and {len(names)} sensors "
            f"({', '.join(names[:8])}{', ...' if len(names) > 8 else ''}) need {(n, len(names))}."
        )
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise InputError("observed must hold only True and False (or 1 and 0).")
    return mask.astype(bool)


def _take(table: dict[str, np.ndarray], name: str, argument: str) -> np.ndarray:
    if name not in table:
        raise InputError(
            f"{argument}: {name!r} is not a column.{nearest(name, list(table))} "
            f"Columns: {', '.join(table)}."
        )
    return table.pop(name)


def _in_order(name: str, column: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number labels in the order in which they appear."""
    texts = _labels(f"series column {name!r}", column)
    distinct, first, inverse = np.unique(texts, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return rank[inverse], tuple(str(t) for t in distinct[np.argsort(first)])


def _regimes(value: Any, n: int, name: str | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number regimes in the order of their labels, numbers by size."""
    what = "regime" if name is None else f"regime column {name!r}"
    column = np.asarray(value)
    if column.shape != (n,):
        raise InputError(
            f"{what} must have one entry for each of {n} rows, got shape {column.shape}."
        )
    texts = _labels(what, column)
    distinct, inverse = np.unique(texts, return_inverse=True)
    try:
        order = np.argsort(distinct.astype(float), kind="stable")
    except ValueError:
        order = np.arange(len(distinct))
    return np.argsort(order)[inverse], tuple(str(t) for t in distinct[order])


def _labels(what: str, column: np.ndarray) -> np.ndarray:
    if column.dtype.kind == "f":
        missing = np.isnan(column)
        is_whole = bool((column[~missing] == np.rint(column[~missing])).all())
        texts = [
            str(int(v)) if is_whole and not m else str(v)
            for v, m in zip(column, missing, strict=True)
        ]
    else:
        texts = [str(v).strip() for v in column]
        missing = np.array(
            [
                v is None or t in ("", "nan", "NaN", "<NA>", "NaT")
                for v, t in zip(column, texts, strict=True)
            ]
        )
    if missing.any():
        raise InputError(
            f"{what}: row {int(missing.argmax())} has no label ({int(missing.sum())} such row(s)). "
            "Fill them in, or drop these rows."
        )
    return np.array(texts)


def _row_numbers(series: np.ndarray) -> np.ndarray:
    """Number the rows of each recording in their order."""
    order = np.argsort(series, kind="stable")
    first = np.r_[True, np.diff(series[order]) != 0]
    at = np.arange(len(series))
    numbers = np.empty(len(series), dtype=int)
    numbers[order] = at - np.maximum.accumulate(np.where(first, at, 0))
    return numbers


def _check(rows: _Rows, seen: np.ndarray) -> None:
    if len(rows.values) < 2:
        n = len(rows.values)
        raise InputError(
            f"{n} row(s) (n_samples = {n}): at least 2 steps are needed, and many more."
        )
    if len(rows.series_names) > 1 and np.isinf(rows.values).any():
        row, j = np.argwhere(np.isinf(rows.values))[0]
        raise InputError(
            f"column {rows.names[j]!r} contains infinity (inf), first in recording "
            f"{rows.series_names[rows.series[row]]!r}, step {rows.step[row]}. Replace it by a "
            "number or by NaN (not observed)."
        )
    check_columns(rows.values, seen, rows.names, ())


def _broken(rows: _Rows, seen: np.ndarray) -> tuple[list[Stretch], Int[np.ndarray, "rows 2"]]:
    """Break rows into stretches of one recording and one regime, and say where each row went."""
    n, d = rows.values.shape
    regime = np.zeros(n, dtype=int) if rows.regime is None else rows.regime
    order = np.lexsort((rows.step, rows.series))
    changes = (np.diff(rows.series[order]) != 0) | (np.diff(regime[order]) != 0)
    borders = [0, *(np.flatnonzero(changes) + 1).tolist(), n]
    places = np.zeros((n, 2), dtype=int)
    stretches = []
    for k, (begin, end) in enumerate(pairwise(borders)):
        here = order[begin:end]
        at = rows.step[here] - rows.step[here[0]]
        values, observed = np.full((at[-1] + 1, d), np.nan), np.zeros((at[-1] + 1, d), dtype=bool)
        values[at], observed[at] = rows.values[here], seen[here]
        head = int(here[0])
        stretches.append(
            Stretch(
                values,
                observed,
                int(regime[head]),
                int(rows.series[head]),
                int(rows.step[head]),
                np.full(len(values), k),
            )
        )
        places[here, 0], places[here, 1] = k, at
    return stretches, places


def _as_given(
    windows: Windows,
    observed: Any,
    time: Any,
    series: Any,
    regime: Any,
    length: int | None,
    stride: int | None,
    exclude: Sequence[str],
    season: Any,
) -> Windows:
    for argument, given in (("time", time), ("series", series)):
        if given is not None:
            raise InputError(f"{argument} is decided when Windows are made, not afterwards.")
    if observed is not None:
        mask = np.asarray(observed)
        if mask.shape != windows.values.shape:
            raise InputError(
                f"observed has shape {mask.shape}, the windows have {windows.values.shape}."
            )
        seen = windows.observed & mask.astype(bool)
        windows = replace(windows, values=np.where(seen, windows.values, np.nan), observed=seen)
    if exclude:
        windows.columns(exclude)
        windows = windows.columns([name for name in windows.names if name not in exclude])
    if regime is not None:
        codes, names = _regimes(regime, windows.n)
        windows = replace(windows, regime=codes, regime_names=names)
    if _periods(season):
        if windows.season is not None:
            raise InputError(
                f"season={season!r}, but a season of {windows.season.periods} steps was already "
                "subtracted from these windows."
            )
        if length is None and stride is None:
            profile = seasonal_profile(
                windows.stretches(), _periods(season), windows.names, len(windows.series_names)
            )
            told = replace(windows, season=profile)
            return replace(told, values=windows.values - told.seasonal())
        return _finished(windows, windows.stretches(), length, stride, season)
    if length is None and stride is None:
        return windows
    return windows_of_stretches(windows, windows.stretches(), length, stride)
