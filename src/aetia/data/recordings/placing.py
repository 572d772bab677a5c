"""Time series in: from tables, arrays and files to :class:`Recordings` and :class:`Windows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from aetia.data.checks import check_columns
from aetia.data.recordings.recording import Places, Recordings
from aetia.data.recordings.rows import RecordedRows, number_regimes, read_recorded_rows
from aetia.data.recordings.stretches import break_rows
from aetia.data.recordings.windows import Windows, windows_of_stretches
from aetia.errors import InputError

__all__ = ["as_windows", "place_rows"]


def place_rows(
    X: Any,
    *,
    observed: Any = None,
    time: str | None = None,
    series: str | None = None,
    regime: Any = None,
    exclude: Sequence[str] = (),
    season: int | Sequence[int] | None = None,
) -> Recordings:
    """Read time series, break them into stretches, and keep where the rows of the table went.

    Rows are sorted by time inside each recording. Steps that are left out become rows that are not
    observed. A change of regime inside a recording starts a new stretch.

    Args:
        X: A pandas or polars frame, the path of a CSV or Parquet file, an array ``[n, d]`` (one
            recording) or ``[n, time, d]`` (separate recordings of equal length), a list of arrays
            ``[T_k, d]`` or of frames (one recording each), or Recordings, which are returned.
        observed: False where a cell was not seen, whatever it holds; in the shape of the sensors.
        time: Name of the column of times: numbers, dates, or text that holds dates. By default
            rows are in order, a step apart.
        series: Name of the column that says to which recording a row belongs.
        regime: Environment: the name of a column; or labels, one for each row of a table, array
            or recording, or one for each recording of ``[n, time, d]`` or of a list.
        exclude: Columns to leave out.
        season: Steps of a period, or of several, whose profile is subtracted from each recording
            (its own, see ``seasonal_profile``); it is kept as ``.season`` for the way back.

    Returns:
        The recordings, with every check of the boundary passed.

    Raises:
        InputError: If they cannot be used; the message names the column and the remedy.

    Example:
        >>> readings = np.random.default_rng(0).normal(size=(96, 3))
        >>> placed = place_rows(readings, regime=["dry"] * 60 + ["wet"] * 36)
        >>> [len(stretch.values) for stretch in placed.stretches]
        [60, 36]
        >>> placed.at_rows(placed.windows.values).shape
        (96, 3)
    """
    if isinstance(X, Recordings):
        given = {"observed": observed, "time": time, "series": series, "regime": regime}
        for argument, value in {**given, "exclude": exclude or None}.items():
            if value is not None:
                raise InputError(
                    f"{argument} is decided when the rows of a table are placed, not afterwards."
                )
        recordings = X
    else:
        recordings = _placed(read_recorded_rows(X, observed, time, series, regime, exclude))
    periods = _periods(season)
    return recordings.without_season(periods) if periods else recordings


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
            ``[T_k, d]`` or of frames (one recording each), Recordings, or Windows.
        observed: False where a cell was not seen, whatever it holds; in the shape of the sensors.
        time: Name of the column of times: numbers, dates, or text that holds dates. By default
            rows are in order, a step apart.
        series: Name of the column that says to which recording a row belongs.
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
    placed = place_rows(
        X,
        observed=observed,
        time=time,
        series=series,
        regime=regime,
        exclude=exclude,
        season=season,
    )
    if length is None and stride is None:
        return placed.windows
    return placed.cut(length, stride)


def _periods(season: int | Sequence[int] | None) -> tuple[int, ...]:
    if season is None:
        return ()
    return tuple(season) if isinstance(season, (tuple, list, np.ndarray)) else (season,)  # pyright: ignore[reportReturnType]


def _check(rows: RecordedRows, seen: np.ndarray) -> None:
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


def _placed(rows: RecordedRows) -> Recordings:
    seen = ~np.isnan(rows.values)
    _check(rows, seen)
    regime = np.zeros(len(seen), dtype=int) if rows.regime is None else rows.regime
    stretches, places = break_rows(rows.values, seen, regime, rows.series, rows.step)
    return Recordings(
        stretches=tuple(stretches),
        names=rows.names,
        series_names=rows.series_names,
        regime_names=rows.regime_names,
        places=Places(places[:, 0], places[:, 1]),
        source=rows.source,
    )


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
    periods = _periods(season)
    if not periods and length is None and stride is None:
        return windows
    recordings = Recordings.of_windows(windows)
    if periods:
        recordings = recordings.without_season(periods)
        windows = replace(windows, season=recordings.season)
        if length is None and stride is None:  # windows that overlap stay as they were cut
            return replace(windows, values=windows.values - windows.seasonal())
    return windows_of_stretches(windows, recordings.stretches, length, stride)
