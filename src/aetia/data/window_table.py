"""Time series in: from tables, arrays and files to checked :class:`Windows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from aetia.data.checks import check_columns
from aetia.data.seasonal import remove_season, seasonal_profile
from aetia.data.stretches import Stretch
from aetia.data.window_rows import WindowRows, number_regimes, read_rows
from aetia.data.windows import Windows, windows_of_stretches
from aetia.errors import InputError

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
    rows = read_rows(X, observed, time, series, regime, exclude)
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


def _check(rows: WindowRows, seen: np.ndarray) -> None:
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


def _broken(rows: WindowRows, seen: np.ndarray) -> tuple[list[Stretch], Int[np.ndarray, "rows 2"]]:
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
        codes, names = number_regimes(regime, windows.n)
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
