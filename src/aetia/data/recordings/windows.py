"""Windows of time series, checked once, with the names of their sensors: :class:`Windows`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from aetia.data.recordings.seasonal import SeasonalProfile
from aetia.data.recordings.stretches import (
    Chain,
    Padded,
    Stretch,
    chain_stretches,
    covered,
    cut_stretches,
    join_windows,
    pad_stretches,
)
from aetia.errors import DataWarning, InputError

__all__ = ["Windows", "windows_of_stretches"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Windows:
    """Windows of one or several recordings, a step apart from row to row. No truth inside.

    A recording that is not cut is one window per unbroken stretch (same recording, same regime);
    shorter ones end in cells that are not observed.

    Attributes:
        values: The readings; NaN where not observed.
        observed: True where a value was seen.
        names: Names of the sensors.
        regime: Code of the regime of each window, or None.
        regime_names: Labels of the codes.
        series: Code of the recording that each window comes from.
        series_names: Labels of the codes.
        start: Steps from the start of the recording to the first row of each window.
        source: Origin of the readings, for reports.
        season: What was subtracted as seasonal, or None. ``values[i, t] + season.at(series[i],
            start[i] + t)`` is back in the user's units, for imputed cells too; so is
            ``values + seasonal()``.
    """

    values: Float[np.ndarray, "n time d"]
    observed: Bool[np.ndarray, "n time d"]
    names: tuple[str, ...]
    series: Int[np.ndarray, " n"]
    series_names: tuple[str, ...]
    start: Int[np.ndarray, " n"]
    regime: Int[np.ndarray, " n"] | None = None
    regime_names: tuple[str, ...] = ()
    source: str = "array"
    season: SeasonalProfile | None = None

    @property
    def n(self) -> int:
        """Number of windows."""
        return self.values.shape[0]

    @property
    def length(self) -> int:
        """Steps of a window."""
        return self.values.shape[1]

    @property
    def d(self) -> int:
        """Number of sensors."""
        return self.values.shape[2]

    @property
    def has_missing(self) -> bool:
        """Whether any cell was not observed."""
        return not bool(self.observed.all())

    @property
    def live(self) -> Bool[np.ndarray, "n time"]:
        """True for the rows up to the last in which anything was seen; the others are padding."""
        return np.arange(self.length) < covered(self.observed)[:, None]

    @property
    def gaps(self) -> Bool[np.ndarray, "n time d"]:
        """True for cells without a reading, those of the padding left out."""
        return self.live[..., None] & ~self.observed

    def select(
        self, rows: Sequence[int] | Int[np.ndarray, " k"] | Bool[np.ndarray, " n"]
    ) -> Windows:
        """Keep some windows, in the given order; codes of regimes and recordings stay.

        Args:
            rows: Numbers of the windows, or a mask over all of them.

        Returns:
            These windows.
        """
        at = np.asarray(rows) if len(rows) else np.zeros(0, dtype=int)
        return replace(
            self,
            values=self.values[at],
            observed=self.observed[at],
            regime=None if self.regime is None else self.regime[at],
            series=self.series[at],
            start=self.start[at],
        )

    def columns(self, names: Sequence[str]) -> Windows:
        """Keep some sensors, in the given order.

        Args:
            names: Names of sensors.

        Returns:
            Windows with these sensors.

        Raises:
            InputError: If a name is not a sensor.
        """
        for name in names:
            if name not in self.names:
                raise InputError(f"no column {name!r}; columns: {', '.join(self.names)}.")
        at = [self.names.index(name) for name in names]
        return replace(
            self,
            values=self.values[:, :, at],
            observed=self.observed[:, :, at],
            names=tuple(names),
            season=None if self.season is None else self.season.columns(at),
        )

    def summary(self) -> dict[str, list]:
        """Describe every sensor.

        Returns:
            Lists by field: ``column``, ``observed``, ``mean``, ``sd``, ``min`` and ``max``; NaN
            where there are too few observed cells.
        """
        seen = [self.values[:, :, j][self.observed[:, :, j]] for j in range(self.d)]
        return {
            "column": list(self.names),
            "observed": [len(cells) for cells in seen],
            "mean": [float(cells.mean()) if len(cells) else np.nan for cells in seen],
            "sd": [float(cells.std(ddof=1)) if len(cells) > 1 else np.nan for cells in seen],
            "min": [float(cells.min()) if len(cells) else np.nan for cells in seen],
            "max": [float(cells.max()) if len(cells) else np.nan for cells in seen],
        }

    def seasonal(self) -> Float[np.ndarray, "n time d"]:
        """Look up what was subtracted as seasonal.

        Returns:
            What brings every cell back to the user's units; 0 without a season.
        """
        if self.season is None:
            return np.zeros(self.values.shape)
        steps = self.start[:, None] + np.arange(self.length)
        return self.season.at(np.broadcast_to(self.series[:, None], steps.shape), steps)

    def stretches(self) -> list[Stretch]:
        """Glue the windows back to unbroken stretches, every cell once.

        Returns:
            By recording and time.
        """
        regime = np.zeros(self.n, dtype=int) if self.regime is None else self.regime
        return join_windows(self.values, self.observed, regime, self.series, self.start)

    def cut(self, length: int, stride: int | None = None) -> Windows:
        """Cut the stretches into windows.

        Args:
            length: Steps of a window.
            stride: Steps from one start to the next; by default ``length``, so that no reading is
                in two windows.

        Returns:
            Windows that lie inside one stretch each.

        Raises:
            InputError: If no stretch is that long.
        """
        return windows_of_stretches(self, self.stretches(), length, stride)

    def chain(self, gap: int) -> Chain:
        """Put the stretches one below the other, to form lagged products that cross no border.

        Args:
            gap: Rows without observations between two stretches; at least the largest lag.

        Returns:
            One long table with every cell once.

        Raises:
            InputError: If ``gap`` is negative.
        """
        if gap < 0:
            raise InputError(f"chain: gap must be 0 or larger, got {gap}.")
        return chain_stretches(self.stretches(), gap, self.d)


def windows_of_stretches(
    like: Windows, stretches: Sequence[Stretch], length: int | None, stride: int | None
) -> Windows:
    """Make windows of stretches, cut if a length is given.

    Args:
        like: Names, source and season are taken from it.
        stretches: Unbroken stretches.
        length: Steps of a window; None leaves every stretch whole.
        stride: Steps from one start to the next; None is ``length``.

    Returns:
        Windows, by recording and time.

    Raises:
        InputError: If no stretch is that long.
    """
    if length is None:
        if stride is not None:
            raise InputError(f"stride={stride} needs length=, the steps of a window.")
        return _replaced(like, pad_stretches(stretches))
    stride = length if stride is None else stride
    for name, steps in (("length", length), ("stride", stride)):
        if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
            raise InputError(f"{name} must be a whole number of steps from 1, got {steps!r}.")
    pieces = cut_stretches(stretches, length, stride)
    if not pieces:
        longest = max((len(s.values) for s in stretches), default=0)
        raise InputError(
            f"no window of {length} steps fits: the longest of {len(stretches)} unbroken "
            f"stretch(es) has {longest} steps. Pass length={longest} or shorter."
        )
    _warn_of_rows_left_out(like, stretches, length, stride)
    return _replaced(like, pad_stretches(pieces))


def _replaced(like: Windows, padded: Padded) -> Windows:
    return replace(
        like,
        values=padded.values,
        observed=padded.observed,
        regime=padded.regime if like.regime is not None else None,
        series=padded.series,
        start=padded.start,
    )


def _warn_of_rows_left_out(
    like: Windows, stretches: Sequence[Stretch], length: int, stride: int
) -> None:
    left_out, kept = 0, set()
    for stretch in stretches:
        rows = len(stretch.values)
        count = max((rows - length) // stride + 1, 0)
        left_out += rows - (min(length, stride) * (count - 1) + length if count else 0)
        if count:
            kept.add(stretch.regime)
    lost = sorted({s.regime for s in stretches} - kept)
    if left_out:
        total = sum(len(s.values) for s in stretches)
        gone = ", ".join(repr(like.regime_names[k]) for k in lost) if like.regime_names else ""
        warnings.warn(
            f"{left_out:,} of {total:,} rows are in no window of {length} steps (stride {stride}): "
            "they are shorter than a window, or left over at the end of a stretch."
            + (f" Nothing is left of regime(s) {gone}; pass a shorter length." if gone else ""),
            DataWarning,
            stacklevel=4,
        )
