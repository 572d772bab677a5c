"""Seasonal profiles of recordings: the mean of each phase of a period."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from aetia.data.recordings.stretches import Stretch
from aetia.errors import DataWarning, InputError

__all__ = ["SeasonalProfile", "remove_season", "seasonal_profile"]

_FEWEST = 2
"""A phase seen less often is left alone: its mean would be the reading itself."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SeasonalProfile:
    """What is added to a reading by its place in the period, in the user's units.

    Attributes:
        periods: Steps of each period.
        profiles: One array for each period, recordings x phases x sensors; their sum is the season.
    """

    periods: tuple[int, ...]
    profiles: tuple[Float[np.ndarray, "n_series _ d"], ...]

    def at(
        self, series: int | Int[np.ndarray, "*#batch"], step: int | Int[np.ndarray, "*#batch"]
    ) -> Float[np.ndarray, "*_ d"]:
        """Look the season up.

        Args:
            series: Codes of recordings; broadcast against ``step``.
            step: Steps since the start of these recordings.

        Returns:
            What was subtracted from each sensor there; add it to go back to the user's units.
        """
        parts = [
            profile[series, np.asarray(step) % period]
            for period, profile in zip(self.periods, self.profiles, strict=True)
        ]
        return np.sum(parts, axis=0)

    def columns(self, at: Sequence[int]) -> SeasonalProfile:
        """Keep some sensors.

        Args:
            at: Positions of the sensors.

        Returns:
            The profile of these.
        """
        return SeasonalProfile(
            periods=self.periods, profiles=tuple(p[:, :, list(at)] for p in self.profiles)
        )


def seasonal_profile(
    stretches: Sequence[Stretch], periods: Sequence[int], names: Sequence[str], n_series: int
) -> SeasonalProfile:
    """Average the observed cells of each recording, sensor and phase.

    Profiles are centred on the mean of the sensor, which therefore stays. Several periods are
    taken one after the other, each from what the ones before left.

    Args:
        stretches: Unbroken stretches, every cell once.
        periods: Steps of each period; a phase is the step number modulo the period.
        names: Names of the sensors.
        n_series: Number of recordings.

    Returns:
        The profile; 0 for phases seen fewer than two times, with a warning that counts them.

    Raises:
        InputError: If a period is shorter than two steps.
    """
    d = len(names)
    for period in periods:
        if isinstance(period, bool) or not isinstance(period, (int, np.integer)) or period < 2:
            raise InputError(f"season: a period has at least 2 steps, got {period!r}.")
    rest = [s.values for s in stretches]
    profiles = []
    for period in periods:
        totals, counts = np.zeros((n_series, period, d)), np.zeros((n_series, period, d))
        for stretch, cells in zip(stretches, rest, strict=True):
            phase = (stretch.start + np.arange(len(cells))) % period
            seen = np.where(stretch.observed, cells, 0.0)
            np.add.at(totals[stretch.series], phase, seen)
            np.add.at(counts[stretch.series], phase, stretch.observed)
        usable = counts >= _FEWEST
        _warn_of_rare_phases(usable, counts, period, names)
        totals, counts = np.where(usable, totals, 0.0), np.where(usable, counts, 0.0)
        mean = totals.sum(1, keepdims=True) / np.maximum(counts.sum(1, keepdims=True), 1.0)
        profile = np.where(usable, totals / np.maximum(counts, 1.0) - mean, 0.0)
        rest = [
            cells - profile[s.series][(s.start + np.arange(len(cells))) % period]
            for s, cells in zip(stretches, rest, strict=True)
        ]
        profiles.append(profile)
    return SeasonalProfile(periods=tuple(int(p) for p in periods), profiles=tuple(profiles))


def remove_season(stretches: Sequence[Stretch], season: SeasonalProfile) -> list[Stretch]:
    """Subtract the season.

    Args:
        stretches: Unbroken stretches.
        season: Profile of these stretches.

    Returns:
        The same stretches without it; their ``start`` tells where to add it again.
    """
    return [
        s._replace(values=s.values - season.at(np.full(len(s.values), s.series), _steps(s)))
        for s in stretches
    ]


def _steps(stretch: Stretch) -> np.ndarray:
    return stretch.start + np.arange(len(stretch.values))


def _warn_of_rare_phases(
    usable: np.ndarray, counts: np.ndarray, period: int, names: Sequence[str]
) -> None:
    rare = ~usable & (counts.sum(1, keepdims=True) > 0)
    if not rare.any():
        return
    worst = int(rare.sum((0, 1)).argmax())
    warnings.warn(
        f"season={period}: {int(rare.sum()):,} of {rare.size:,} phases (recordings x steps of the "
        f"period x sensors) were seen fewer than {_FEWEST} times and are not adjusted, most of "
        f"them of {names[worst]!r}. Pass a shorter period, or leave season out.",
        DataWarning,
        stacklevel=4,
    )
