"""Time series in, row by row: readings with the recording, step and regime of each row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from aetia.data.checks import check_names
from aetia.data.recordings.time_steps import step_numbers, time_numbers
from aetia.data.tables import as_numbers, split_columns
from aetia.errors import InputError
from aetia.options import nearest

__all__ = ["RecordedRows", "number_regimes", "read_recorded_rows"]


class RecordedRows(NamedTuple):
    """Readings one below the other, with the recording, step and regime of each row."""

    values: Float[np.ndarray, "rows d"]
    names: tuple[str, ...]
    series: Int[np.ndarray, " rows"]
    series_names: tuple[str, ...]
    step: Int[np.ndarray, " rows"]
    regime: Int[np.ndarray, " rows"] | None
    regime_names: tuple[str, ...]
    source: str


def read_recorded_rows(
    X: Any, observed: Any, time: str | None, series: str | None, regime: Any, exclude: Sequence[str]
) -> RecordedRows:
    """Read time series.

    Args:
        X: A table, its path, an array, or a list of recordings, as for ``as_windows``.
        observed: False where a cell was not seen; in the shape of the sensors.
        time: Name of the column of times.
        series: Name of the column that says to which recording a row belongs.
        regime: Name of the column of regimes, or labels.
        exclude: Columns to leave out.

    Returns:
        The rows in their order.

    Raises:
        InputError: If they cannot be read; the message names the column and the remedy.
    """
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
    codes, names = number_regimes(labels, len(rows.values))
    return rows._replace(regime=codes, regime_names=names)


def _is_recording(x: Any) -> bool:
    return getattr(x, "ndim", None) == 2 or (hasattr(x, "columns") and hasattr(x, "shape"))


def _read_table(
    X: Any, observed: Any, time: str | None, series: str | None, regime: Any, exclude: Sequence[str]
) -> RecordedRows:
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
        regimes, regime_names = number_regimes(taken["regime"][1], n, taken["regime"][0])
    elif regime is not None:
        regimes, regime_names = number_regimes(regime, n)
    return RecordedRows(values, tuple(table), codes, labels, steps, regimes, regime_names, source)


def _read_list(
    X: Sequence[Any], observed: Any, regime: Any, exclude: Sequence[str]
) -> tuple[RecordedRows, Any]:
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
    rows = RecordedRows(
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
) -> tuple[RecordedRows, Any]:
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


def number_regimes(
    value: Any, n: int, name: str | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number regimes in the order of their labels, numbers by size.

    Args:
        value: A label for each of something.
        n: How many there are.
        name: Name of the column, for messages.

    Returns:
        A code for each, and the labels of the codes.

    Raises:
        InputError: If labels are missing, or are not as many.
    """
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
