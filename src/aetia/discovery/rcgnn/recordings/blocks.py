"""Recordings cut into blocks of equal length, and what was computed on them put back into place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from aetia.data import Recordings, SensorScaling, Windows
from aetia.data.recordings.stretches import without_empty_ends
from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.errors import InputError

__all__ = ["RecordingBlocks", "cut_blocks"]


@dataclass(frozen=True, eq=False)
class RecordingBlocks:
    """Blocks of readings, by recording and time; none crosses a change of regime.

    Blocks are ``Pieces`` of recordings, as windows are: they can be split and scaled.

    Attributes:
        readings: Readings of all blocks.
        names: Names of the sensors.
        series: Code of the recording that each block comes from.
        start: Steps from the start of the recording to the first row of each block.
        regime_names: Labels of the regimes that have a block, in the order of their codes.
    """

    readings: Readings
    names: tuple[str, ...]
    series: Int[np.ndarray, " n"]
    start: Int[np.ndarray, " n"]
    regime_names: tuple[str, ...]

    @property
    def values(self) -> Float[np.ndarray, "n time d"]:
        """The readings; 0 where there is none."""
        return self.readings.values.numpy()

    @property
    def observed(self) -> Bool[np.ndarray, "n time d"]:
        """True where there is a reading."""
        return self.readings.observed.numpy()

    @property
    def regime(self) -> Int[np.ndarray, " n"]:
        """Code of the regime of each block."""
        return self.readings.regime.numpy()

    @property
    def n_steps(self) -> int:
        """Number of rows of all blocks, without those after the end of short ones."""
        return int(self.readings.live.sum())

    def scaled(self, scaling: SensorScaling) -> RecordingBlocks:
        """Scale the readings.

        Args:
            scaling: Brings them to the scale of the fit.

        Returns:
            The same blocks; 0 where not observed.
        """
        centre, scale = torch.from_numpy(scaling.centre), torch.from_numpy(scaling.scale)
        values, observed = self.readings.values, self.readings.observed
        scaled = torch.where(observed, (values - centre) / scale, 0.0)
        return replace(self, readings=self.readings._replace(values=scaled))

    def into_windows(
        self, values: Float[np.ndarray, "n time d"], windows: Windows
    ) -> Float[np.ndarray, "windows length d"]:
        """Bring what was computed for the cells of the blocks into the shape of windows.

        Args:
            values: One number for each cell of the blocks.
            windows: Windows of the recordings that the blocks were cut from; they may overlap.

        Returns:
            The same in the shape of the windows; NaN in padding.
        """
        out = np.full(windows.values.shape, np.nan)
        flat, live = values.reshape(-1, windows.d), self.readings.live.numpy()
        length = values.shape[1]
        for series in np.unique(windows.series):
            # For each step of the recording its row among those of all blocks; -1 for none.
            of_series = np.flatnonzero(windows.series == series)
            last = int((windows.start[of_series]).max()) + windows.length
            row = np.full(last + length, -1)
            for b in np.flatnonzero(self.series == series):
                n = int(live[b].sum())
                row[self.start[b] : self.start[b] + n] = b * length + np.arange(n)
            at = row[windows.start[of_series][:, None] + np.arange(windows.length)]
            out[of_series] = np.where((at >= 0)[..., None], flat[at], np.nan)
        return out


def cut_blocks(
    recordings: Recordings, length: int | Literal["auto"], n_lags: int
) -> RecordingBlocks:
    """Cut the unbroken stretches of recordings into blocks.

    Args:
        recordings: Recordings, in the user's units.
        length: Steps of a block; the last of a stretch may be shorter. ``"auto"`` makes forty
            blocks, of at least 20 and at most 50 steps.
        n_lags: Longest lag; stretches without a row that has its whole past are left out.

    Returns:
        The blocks, in the user's units.

    Raises:
        InputError: If fewer than four blocks are left.
    """
    stretches = without_empty_ends(recordings.stretches)
    total = sum(len(s.values) for s in stretches)
    size = int(np.clip(total // 40, max(20, 4 * n_lags), 50)) if length == "auto" else length
    values, observed, regime, series, start = [], [], [], [], []
    for stretch in stretches:
        for part in _block_slices(len(stretch.values), size, n_lags + 2):
            values.append(stretch.values[part])
            observed.append(stretch.observed[part])
            regime.append(stretch.regime)
            series.append(stretch.series)
            start.append(stretch.start + part.start)
    if len(values) < 4:
        raise InputError(
            f"{total:,} steps make {len(values)} block(s) of {size}; stability selection needs at "
            "least 4. Pass longer recordings, or a smaller block_length."
        )
    shape = (len(values), size, recordings.d)
    x, seen = np.zeros(shape), np.zeros(shape, dtype=bool)
    live = np.zeros(shape[:2], dtype=bool)
    for k, (v, o) in enumerate(zip(values, observed, strict=True)):
        x[k, : len(v)], seen[k, : len(v)] = np.where(o, v, 0.0), o
        live[k, : len(v)] = True
    codes, regimes = np.unique(regime, return_inverse=True)
    names = tuple(recordings.regime_names[c] for c in codes) if recordings.regime_names else ()
    return RecordingBlocks(
        Readings(
            torch.from_numpy(x),
            torch.from_numpy(seen),
            torch.from_numpy(live),
            torch.from_numpy(regimes.astype(np.int64)),
        ),
        recordings.names,
        np.array(series, dtype=np.int64),
        np.array(start, dtype=np.int64),
        names,
    )


def _block_slices(length: int, size: int, fewest: int) -> list[slice]:
    """Cut rows into parts of ``size``, the last shorter; evenly if that would be too short."""
    borders = [*range(0, length, size), length]
    n = len(borders) - 1
    if 0 < length % size < fewest <= length // n:
        borders = np.linspace(0, length, n + 1).round().astype(int).tolist()
    parts = [slice(first, last) for first, last in pairwise(borders)]
    return [part for part in parts if part.stop - part.start >= fewest]
