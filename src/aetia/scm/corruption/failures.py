"""Spells in which a sensor fails: stuck, which nothing marks, or dead, which is seen."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from aetia.scm.corruption.options import Failures

__all__ = ["failing", "held"]


def failing(
    n_steps: int, options: Failures, generator: np.random.Generator
) -> Bool[np.ndarray, " n_steps"]:
    """Draw the spells of one sensor in one recording.

    Healthy and failing spells alternate, both of geometric length; the share of failing steps is
    ``rate`` from the first step on.

    Args:
        n_steps: Steps of the recording.
        options: Rate and mean length.
        generator: Source of randomness of this sensor in this recording.

    Returns:
        True where it fails.
    """
    ends = 1.0 / options.mean_length
    starts = ends * options.rate / (1 - options.rate)
    fails = np.zeros(n_steps, dtype=bool)
    is_failing = bool(generator.random() < options.rate)
    at = 0
    while at < n_steps:
        spell = int(generator.geometric(ends if is_failing else starts))
        fails[at : at + spell] = is_failing
        at, is_failing = at + spell, not is_failing
    return fails


def held(
    readings: Float[np.ndarray, " n_steps"], fails: Bool[np.ndarray, " n_steps"]
) -> Float[np.ndarray, " n_steps"]:
    """Repeat the last reading before each spell through it.

    Args:
        readings: Readings of one sensor in one recording; NaN where there is none.
        fails: True in spells.

    Returns:
        Readings in which every spell holds one value: the last reading before it, or its own
        first where there was none. NaN stays NaN.
    """
    seen = ~np.isnan(readings)
    at = np.arange(len(readings))
    source = np.maximum.accumulate(np.where(seen & ~fails, at, -1))
    first_seen = int(seen.argmax()) if seen.any() else 0
    source = np.where(source < 0, first_seen, source)
    return np.where(seen & fails, readings[source], readings)
