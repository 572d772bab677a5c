"""Unbroken stretches of recordings: what windows and blocks are cut from, and glued back to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from aetia.errors import InputError

__all__ = [
    "Chain",
    "Padded",
    "Stretch",
    "break_rows",
    "chain_stretches",
    "covered",
    "cut_stretches",
    "join_windows",
    "pad_stretches",
    "without_empty_ends",
]

_LARGEST_PADDING = 2**29
"""Padded cells beyond which a ragged recording is refused (4 GiB in double precision)."""


class Stretch(NamedTuple):
    """Rows of one recording and one regime, a step apart from each other.

    Attributes:
        values: NaN where not observed.
        observed: True where a value was seen.
        regime: Code of the regime; 0 where there are none.
        series: Code of the recording.
        start: Steps from the start of the recording to the first row.
        window: Number of the first window that holds each row.
    """

    values: Float[np.ndarray, "time d"]
    observed: Bool[np.ndarray, "time d"]
    regime: int
    series: int
    start: int
    window: Int[np.ndarray, " time"]


class Padded(NamedTuple):
    """Stretches of one length, the shorter ones padded at their end with unobserved cells."""

    values: Float[np.ndarray, "n time d"]
    observed: Bool[np.ndarray, "n time d"]
    regime: Int[np.ndarray, " n"]
    series: Int[np.ndarray, " n"]
    start: Int[np.ndarray, " n"]


class Chain(NamedTuple):
    """Stretches one below the other, with rows between them in which nothing was seen.

    A product of row t and row t - lag never crosses a border as long as lag <= gap.

    Attributes:
        values: NaN where not observed, and in the gaps.
        observed: True where a value was seen; False in the gaps.
        regime: Code of the regime of each row; of the stretch above in the gaps.
        series: Code of the recording of each row; of the stretch above in the gaps.
        window: The first window that holds the row; -1 in the gaps.
    """

    values: Float[np.ndarray, "rows d"]
    observed: Bool[np.ndarray, "rows d"]
    regime: Int[np.ndarray, " rows"]
    series: Int[np.ndarray, " rows"]
    window: Int[np.ndarray, " rows"]


def covered(observed: Bool[np.ndarray, "n time d"]) -> Int[np.ndarray, " n"]:
    """Count the rows of each window up to the last in which anything was seen.

    Args:
        observed: True where a value was seen.

    Returns:
        Length without the padding at the end; 0 where nothing was seen.
    """
    seen = np.asarray(observed.any(2))
    return np.where(seen.any(-1), seen.shape[1] - seen[:, ::-1].argmax(-1), 0)


def break_rows(
    values: Float[np.ndarray, "rows d"],
    observed: Bool[np.ndarray, "rows d"],
    regime: Int[np.ndarray, " rows"],
    series: Int[np.ndarray, " rows"],
    step: Int[np.ndarray, " rows"],
) -> tuple[list[Stretch], Int[np.ndarray, "rows 2"]]:
    """Sort rows, and break them where the recording or the regime changes.

    Args:
        values: Rows in any order.
        observed: True where a value was seen.
        regime: Code of the regime of each row.
        series: Code of the recording of each row.
        step: Step of each row in its recording; no step occurs twice.

    Returns:
        Stretches by recording and time, in which steps that were left out are rows without a
        reading; and for each row the number of its stretch and its row in there.
    """
    n, d = values.shape
    order = np.lexsort((step, series))
    changes = (np.diff(series[order]) != 0) | (np.diff(regime[order]) != 0)
    borders = [0, *(np.flatnonzero(changes) + 1).tolist(), n]
    places = np.zeros((n, 2), dtype=int)
    stretches = []
    for k, (begin, end) in enumerate(pairwise(borders)):
        here = order[begin:end]
        at = step[here] - step[here[0]]
        length = int(at[-1]) + 1
        cells, seen = np.full((length, d), np.nan), np.zeros((length, d), dtype=bool)
        cells[at], seen[at] = values[here], observed[here]
        head = int(here[0])
        stretches.append(
            Stretch(
                cells,
                seen,
                int(regime[head]),
                int(series[head]),
                int(step[head]),
                np.full(length, k),
            )
        )
        places[here, 0], places[here, 1] = k, at
    return stretches, places


def without_empty_ends(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Drop the rows at the end of each stretch in which nothing was seen.

    Args:
        stretches: Unbroken stretches.

    Returns:
        Their beginnings; stretches in which nothing was seen at all are left out.
    """
    ends = [int(covered(stretch.observed[None])[0]) for stretch in stretches]
    return [
        stretch._replace(
            values=stretch.values[:end],
            observed=stretch.observed[:end],
            window=stretch.window[:end],
        )
        for stretch, end in zip(stretches, ends, strict=True)
        if end
    ]


def join_windows(
    values: Float[np.ndarray, "n time d"],
    observed: Bool[np.ndarray, "n time d"],
    regime: Int[np.ndarray, " n"],
    series: Int[np.ndarray, " n"],
    start: Int[np.ndarray, " n"],
) -> list[Stretch]:
    """Glue windows that overlap or follow each other back to stretches, every cell once.

    A cell that several windows hold is taken from the first that observed it. Rows at the end of a
    stretch in which nothing was seen are padding, and are dropped.

    Args:
        values: Windows.
        observed: True where a value was seen.
        regime: Code of each window.
        series: Recording of each window.
        start: First step of each window in its recording.

    Returns:
        Stretches, by recording and time; windows in which nothing was seen at all are not in any.
    """
    length = values.shape[1]
    runs: list[list[int]] = []
    previous = -1
    for i in np.lexsort((start, series)).tolist():
        follows = (
            previous >= 0
            and series[i] == series[previous]
            and regime[i] == regime[previous]
            and start[i] <= start[previous] + length
        )
        if follows:
            runs[-1].append(i)
        else:
            runs.append([i])
        previous = i
    return [s for s in (_join(run, values, observed, regime, series, start) for run in runs) if s]


def _join(
    run: list[int],
    values: np.ndarray,
    observed: np.ndarray,
    regime: np.ndarray,
    series: np.ndarray,
    start: np.ndarray,
) -> Stretch | None:
    _, length, d = values.shape
    first = int(start[run[0]])
    rows = int(start[run[-1]]) + length - first
    cells, seen = np.full((rows, d), np.nan), np.zeros((rows, d), dtype=bool)
    window = np.full(rows, -1)
    for i in run:
        here = slice(int(start[i]) - first, int(start[i]) - first + length)
        new = observed[i] & ~seen[here]
        cells[here][new] = values[i][new]
        seen[here] |= new
        window[here] = np.where(window[here] < 0, i, window[here])
    end = int(covered(seen[None])[0])
    if end == 0:
        return None
    head = run[0]
    return Stretch(
        cells[:end], seen[:end], int(regime[head]), int(series[head]), first, window[:end]
    )


def pad_stretches(stretches: Sequence[Stretch]) -> Padded:
    """Bring stretches to one length by unobserved cells at their end.

    Args:
        stretches: One stretch or more.

    Returns:
        One window for each.

    Raises:
        InputError: If the padding would not fit into memory.
    """
    n, d = len(stretches), stretches[0].values.shape[1]
    lengths = [len(s.values) for s in stretches]
    longest = max(lengths)
    if n * longest * d > max(_LARGEST_PADDING, 4 * sum(lengths) * d):
        raise InputError(
            f"{n:,} stretches of {min(lengths):,} to {longest:,} steps, padded to the longest, "
            f"would take {n * longest * d * 8 / 2**30:.0f} GiB. Pass length= to cut them into "
            "windows."
        )
    values = np.full((n, longest, d), np.nan)
    observed = np.zeros((n, longest, d), dtype=bool)
    for i, stretch in enumerate(stretches):
        values[i, : lengths[i]] = stretch.values
        observed[i, : lengths[i]] = stretch.observed
    return Padded(
        values,
        observed,
        np.array([s.regime for s in stretches]),
        np.array([s.series for s in stretches]),
        np.array([s.start for s in stretches]),
    )


def cut_stretches(stretches: Sequence[Stretch], length: int, stride: int) -> list[Stretch]:
    """Cut stretches into windows that lie inside one stretch each.

    Args:
        stretches: What to cut.
        length: Steps of a window.
        stride: Steps from the start of a window to the start of the next.

    Returns:
        Windows; rows at the end of a stretch that fill no window are in none.
    """
    return [
        Stretch(
            stretch.values[at : at + length],
            stretch.observed[at : at + length],
            stretch.regime,
            stretch.series,
            stretch.start + at,
            stretch.window[at : at + length],
        )
        for stretch in stretches
        for at in range(0, len(stretch.values) - length + 1, stride)
    ]


def chain_stretches(stretches: Sequence[Stretch], gap: int, d: int) -> Chain:
    """Put stretches one below the other.

    Args:
        stretches: What to chain.
        gap: Rows between two of them in which nothing was seen.
        d: Number of columns.

    Returns:
        One long table.
    """
    rows = sum(len(s.values) for s in stretches) + gap * max(len(stretches) - 1, 0)
    chain = Chain(
        np.full((rows, d), np.nan),
        np.zeros((rows, d), dtype=bool),
        np.zeros(rows, dtype=int),
        np.zeros(rows, dtype=int),
        np.full(rows, -1),
    )
    at = 0
    for stretch in stretches:
        end = at + len(stretch.values)
        chain.values[at:end] = stretch.values
        chain.observed[at:end] = stretch.observed
        chain.window[at:end] = stretch.window
        chain.regime[at : end + gap] = stretch.regime
        chain.series[at : end + gap] = stretch.series
        at = end + gap
    return chain
