"""Training, validation and test windows that share no reading, in every regime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from aetia.data.recordings.pieces import Pieces
from aetia.data.recordings.stretches import covered
from aetia.errors import InputError

__all__ = ["WindowSplit", "split_windows"]

_LEFT_OUT = -1


class WindowSplit(NamedTuple):
    """Numbers of windows; those near a border between parts are in none."""

    train: Int[np.ndarray, " n_train"]
    validation: Int[np.ndarray, " n_validation"]
    test: Int[np.ndarray, " n_test"]


class _Places(NamedTuple):
    """Where windows lie: recording, first step, and the step after their last."""

    series: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    regime: np.ndarray


def split_windows(
    windows: Pieces,
    *,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    gap: int | None = None,
) -> WindowSplit:
    """Split windows into contiguous blocks of time, so that all parts hold every regime.

    Each stretch of a regime is split into three blocks, every other one backwards, so that the
    parts meet where one regime follows another. Stretches with too few windows for that are taken
    together, in time order; if a regime lacks a part then, each recording is split at the same
    times for all regimes. Windows of two parts in the same recording are at least ``gap`` steps
    apart, counted between rows in which anything was seen; what is closer is left out.

    Args:
        windows: What to split, windows or blocks of one length; they may overlap.
        fractions: Shares of training, validation and test; a test share of 0 makes two parts.
        gap: Steps between parts; None is the length of a window.

    Returns:
        Numbers of the windows of each part, ascending.

    Raises:
        InputError: If a regime has not one window for each part that can be kept apart, or none
            that are also apart from the parts of other regimes.
    """
    is_usable = len(fractions) == 3 and min(fractions[:2]) > 0 and fractions[2] >= 0
    if not is_usable or abs(sum(fractions) - 1) > 1e-9:
        raise InputError(
            "fractions are three shares with sum 1, of which only that of test may be 0, got "
            f"{fractions}."
        )
    if gap is not None and gap < 0:
        raise InputError(f"gap must be 0 or larger, got {gap}.")
    apart = windows.observed.shape[1] if gap is None else gap
    places = _Places(
        windows.series,
        windows.start,
        windows.start + np.maximum(covered(windows.observed), 1),
        np.zeros(len(windows.observed), dtype=int) if windows.regime is None else windows.regime,
    )
    plans: Sequence[Callable[[_Places, int, tuple[float, float, float]], np.ndarray]] = (
        _by_stretch,
        _by_regime,
        _by_recording,
    )
    n_parts = _n_parts(fractions)
    for plan in plans:
        part = _kept_apart(plan(places, apart, fractions), places, apart)
        if all(
            (part[places.regime == k] == p).any()
            for k in np.unique(places.regime)
            for p in range(n_parts)
        ):
            return WindowSplit(*(np.flatnonzero(part == p) for p in range(3)))
    raise _too_few(windows, places, gap, n_parts)


def _n_parts(fractions: tuple[float, float, float]) -> int:
    return 3 if fractions[2] > 0 else 2


def _by_stretch(places: _Places, gap: int, fractions: tuple[float, float, float]) -> np.ndarray:
    """Split every stretch that can be split, and the others of each regime together."""
    part = np.full(len(places.begin), _LEFT_OUT)
    final = _n_parts(fractions) - 1
    small: dict[int, list[np.ndarray]] = {}
    last: tuple[int, int] | None = None  # recording, and the part at the end of its last stretch
    for run in _runs(places):
        series, regime = int(places.series[run[0]]), int(places.regime[run[0]])
        backwards = last == (series, final)
        blocks = _blocks(run, places, gap, fractions, backwards=backwards)
        if blocks is None:
            small.setdefault(regime, []).append(run)
            continue
        for p, block in enumerate(blocks):
            part[block] = p
        last = (series, 0 if backwards else final)
    for runs in small.values():
        blocks = _blocks(np.concatenate(runs), places, gap, fractions)
        if blocks is None and len(runs) <= final:
            blocks = (np.concatenate(runs), [], [])
        for p, block in enumerate(blocks or ()):
            part[np.asarray(block, dtype=int)] = p
    return part


def _by_regime(places: _Places, gap: int, fractions: tuple[float, float, float]) -> np.ndarray:
    """Split all windows of a regime in time order, whatever stretch they are from."""
    part = np.full(len(places.begin), _LEFT_OUT)
    order = _in_time(places)
    for regime in np.unique(places.regime):
        blocks = _blocks(order[places.regime[order] == regime], places, gap, fractions)
        for p, block in enumerate(blocks or ()):
            part[block] = p
    return part


def _by_recording(places: _Places, gap: int, fractions: tuple[float, float, float]) -> np.ndarray:
    """Split every recording at two times that all its regimes share."""
    part = np.full(len(places.begin), _LEFT_OUT)
    order = _in_time(places)
    for series in np.unique(places.series):
        blocks = _blocks(order[places.series[order] == series], places, gap, fractions)
        for p, block in enumerate(blocks or ()):
            part[block] = p
    return part


def _in_time(places: _Places) -> np.ndarray:
    return np.lexsort((places.begin, places.series))


def _runs(places: _Places) -> list[np.ndarray]:
    """Windows of one recording and regime without another regime in between, in time order."""
    order = _in_time(places)
    new = (np.diff(places.series[order]) != 0) | (np.diff(places.regime[order]) != 0)
    return np.split(order, np.flatnonzero(new) + 1)


def _blocks(
    order: np.ndarray,
    places: _Places,
    gap: int,
    fractions: tuple[float, float, float],
    *,
    backwards: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Cut a sequence of windows into blocks that are apart; None if there is no way."""
    begin, end, series = places.begin[order], places.end[order], places.series[order]
    if backwards:
        order, series = order[::-1], series[::-1]
        begin, end = -end[::-1], -begin[::-1]
    m = len(order)
    following = _next_apart(series, begin, end, gap)
    reaches = np.flatnonzero(following < m)
    if not len(reaches):
        return None
    lost = int(np.median(following[reaches] - reaches - 1))
    if _n_parts(fractions) == 2:
        train = int(np.clip(round(fractions[0] * max(m - lost, 2)) - 1, 0, reaches[-1]))
        return order[: train + 1], order[following[train] :], order[:0]
    latest_val = int(reaches[-1])
    before = np.flatnonzero(following <= latest_val)
    if not len(before):
        return None
    latest_train = int(before[-1])
    usable = max(m - 2 * lost, 3)
    train = int(np.clip(round(fractions[0] * usable) - 1, 0, latest_train))
    first_val = int(following[train])
    val = int(np.clip(first_val + round(fractions[1] * usable) - 1, first_val, latest_val))
    return order[: train + 1], order[first_val : val + 1], order[following[val] :]


def _next_apart(
    series: np.ndarray, begin: np.ndarray, end: np.ndarray, gap: int
) -> Int[np.ndarray, " m"]:
    """For each window, the first later one that is apart from it and from all before it."""
    m = len(begin)
    following = np.full(m, m)
    borders = [0, *(np.flatnonzero(np.diff(series)) + 1).tolist(), m]
    for a, b in pairwise(borders):
        reached = np.maximum.accumulate(end[a:b]) + gap
        following[a:b] = a + np.searchsorted(np.maximum.accumulate(begin[a:b]), reached)
    return following


def _kept_apart(part: np.ndarray, places: _Places, gap: int) -> np.ndarray:
    """Leave out windows too close to another part of their recording, from the larger part."""
    part = part.copy()
    counts = {
        (k, p): int((part[places.regime == k] == p).sum())
        for k in np.unique(places.regime).tolist()
        for p in range(3)
    }
    order = _in_time(places)
    order = order[part[order] != _LEFT_OUT]
    series, begin = places.series[order], places.begin[order]
    # Windows of another part within reach exist only up to the next change of part.
    kinds = part[order]
    change = np.append(np.flatnonzero(np.diff(kinds)) + 1, len(order))
    for a in range(len(order)):
        i = int(order[a])
        b = int(change[np.searchsorted(change, a, side="right")])
        while (
            part[i] != _LEFT_OUT
            and b < len(order)
            and series[b] == series[a]
            and begin[b] < places.end[i] + gap
        ):
            j = int(order[b])
            b += 1
            if part[j] in (_LEFT_OUT, part[i]):
                continue
            keys = [(int(places.regime[k]), int(part[k])) for k in (i, j)]
            loser, key = (i, keys[0]) if counts[keys[0]] >= counts[keys[1]] else (j, keys[1])
            part[loser] = _LEFT_OUT
            counts[key] -= 1
    return part


def _too_few(windows: Pieces, places: _Places, gap: int | None, n_parts: int) -> InputError:
    """Name the regime with the fewest windows apart, and a length that would do."""
    length = windows.observed.shape[1]
    apart = length if gap is None else gap
    order = _in_time(places)
    spans, counts = {}, {}
    for run in _runs(places):
        k, span = int(places.regime[run[0]]), int(places.end[run].max() - places.begin[run].min())
        spans[k] = max(span, spans.get(k, 0))
    for k in spans:
        mine = order[places.regime[order] == k]
        following = _next_apart(places.series[mine], places.begin[mine], places.end[mine], apart)
        at, count = 0, 0
        while at < len(mine):
            at, count = int(following[at]), count + 1
        counts[k] = (count, len(mine))
    worst = min(counts, key=lambda k: (counts[k][0], spans[k]))
    label = f"regime {windows.regime_names[worst]!r}" if windows.regime_names else "the recording"
    if counts[worst][0] >= n_parts:
        return InputError(
            f"each regime has {n_parts} windows that are {apart} steps apart, but regimes follow "
            "each other so closely that no split keeps the parts of all of them apart (tightest: "
            f"{label}, stretches of up to {spans[worst]} steps). Pass a smaller gap, or a shorter "
            "length."
        )
    fits = _length_that_fits(spans[worst], length, gap, n_parts)
    advice = (
        f"Its longest stretch has {spans[worst]} steps: length={fits} would do"
        if fits
        else f"Its longest stretch has {spans[worst]} steps, too few to cut: record more of it, or "
        "merge it with another regime"
    )
    return InputError(
        f"a split needs {n_parts} windows of every regime that are {apart} steps apart; {label} "
        f"has {counts[worst][0]} such among its {counts[worst][1]} windows of {length} "
        f"steps. {advice}; or pass a smaller gap."
    )


def _length_that_fits(steps: int, length: int, gap: int | None, n_parts: int) -> int | None:
    """Find the longest window of which one for each part fits, cut without overlap."""
    for shorter in range(min(length - 1, steps), 0, -1):
        apart = shorter if gap is None else gap
        stride = -(-(shorter + apart) // shorter) * shorter
        if (n_parts - 1) * stride + shorter <= steps:
            return shorter
    return None
