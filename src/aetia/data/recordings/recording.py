"""Recordings as unbroken stretches, and where the rows of a table lie in them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from aetia.data.recordings.seasonal import SeasonalProfile, remove_season, seasonal_profile
from aetia.data.recordings.stretches import Stretch
from aetia.data.recordings.windows import Windows, windows_of_stretches
from aetia.errors import InputError

__all__ = ["Places", "Recordings"]


class Places(NamedTuple):
    """Where the rows of a table lie: for each row its stretch, and its row in there."""

    stretch: Int[np.ndarray, " rows"]
    step: Int[np.ndarray, " rows"]


def _nowhere() -> Places:
    return Places(np.zeros(0, dtype=int), np.zeros(0, dtype=int))


@dataclass(frozen=True, eq=False, kw_only=True)
class Recordings:
    """Recordings of sensors, broken where the recording or its regime changes.

    Attributes:
        stretches: Unbroken stretches, by recording and time.
        names: Names of the sensors.
        series_names: Labels of the recordings.
        regime_names: Labels of the regimes; empty if there is one regime only.
        places: Stretch and step of each row of the table, in the order of the table; empty if the
            recordings were not made from one.
        source: Origin of the readings, for reports.
        season: What was subtracted as seasonal, or None.
    """

    stretches: tuple[Stretch, ...]
    names: tuple[str, ...]
    series_names: tuple[str, ...]
    regime_names: tuple[str, ...] = ()
    places: Places = field(default_factory=_nowhere)
    source: str = "array"
    season: SeasonalProfile | None = None

    @classmethod
    def of_windows(cls, windows: Windows) -> Recordings:
        """Glue windows back to stretches, every cell once.

        Args:
            windows: They may overlap.

        Returns:
            The recordings that they were cut from, as far as windows hold them.
        """
        return cls(
            stretches=tuple(windows.stretches()),
            names=windows.names,
            series_names=windows.series_names,
            regime_names=windows.regime_names,
            source=windows.source,
            season=windows.season,
        )

    @property
    def d(self) -> int:
        """Number of sensors."""
        return len(self.names)

    @property
    def n_rows(self) -> int:
        """Number of rows of the table that the recordings were made from."""
        return len(self.places.step)

    @cached_property
    def windows(self) -> Windows:
        """One window per stretch, the shorter ones padded; refused if that would not fit."""
        return self.cut(None)

    @property
    def window(self) -> Int[np.ndarray, " rows"]:
        """Window of each row of the table in :attr:`windows`."""
        return self.places.stretch

    @property
    def step(self) -> Int[np.ndarray, " rows"]:
        """Step of each row of the table in that window."""
        return self.places.step

    def cut(self, length: int | None, stride: int | None = None) -> Windows:
        """Cut the stretches into windows.

        Args:
            length: Steps of a window; None makes every stretch one window.
            stride: Steps from one start to the next; by default ``length``, so that no reading is
                in two windows.

        Returns:
            Windows that lie inside one stretch each.

        Raises:
            InputError: If no stretch is that long, or padding would not fit into memory.
        """
        return windows_of_stretches(self._no_windows(), self.stretches, length, stride)

    def at_rows(self, values: Shaped[np.ndarray, "n time ..."]) -> Shaped[np.ndarray, "rows ..."]:
        """Bring what was computed for :attr:`windows` into the order of the table.

        Args:
            values: One entry, or one for each sensor, for each row of each window.

        Returns:
            The same for each row of the table.
        """
        return values[self.places.stretch, self.places.step]

    def without_season(self, periods: Sequence[int]) -> Recordings:
        """Subtract the profile of each recording, sensor and phase of a period.

        Args:
            periods: Steps of each period.

        Returns:
            The same recordings; ``season`` is the way back.

        Raises:
            InputError: If a season was subtracted before, or a period is shorter than two steps.
        """
        if self.season is not None:
            raise InputError(
                f"season={tuple(periods)}, but a season of {self.season.periods} steps was already "
                "subtracted from these recordings."
            )
        profile = seasonal_profile(self.stretches, periods, self.names, len(self.series_names))
        return replace(
            self, stretches=tuple(remove_season(self.stretches, profile)), season=profile
        )

    def __iter__(self) -> Iterator[Any]:
        """Unpack as windows, window and step, the named tuple of earlier versions."""
        warnings.warn(
            "unpacking what place_rows returns is deprecated and ends with the next release; use "
            "the attributes .windows, .window and .step of Recordings.",
            FutureWarning,
            stacklevel=2,
        )
        return iter((self.windows, self.window, self.step))

    def _no_windows(self) -> Windows:
        """Make windows with all names and without a row, to be filled."""
        nothing = np.zeros(0, dtype=int)
        has_regimes = bool(self.regime_names) or any(s.regime for s in self.stretches)
        return Windows(
            values=np.zeros((0, 0, self.d)),
            observed=np.zeros((0, 0, self.d), dtype=bool),
            names=self.names,
            regime=nothing if has_regimes else None,
            regime_names=self.regime_names,
            series=nothing,
            series_names=self.series_names,
            start=nothing,
            source=self.source,
            season=self.season,
        )
