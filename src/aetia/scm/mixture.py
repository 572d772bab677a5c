"""Weights of mixtures and draws from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from aetia.errors import InputError

__all__ = ["mixture_weights", "pick"]


def mixture_weights(parts: Sequence[Any], weights: Sequence[float] | None) -> tuple[float, ...]:
    """Normalise the weights of a mixture.

    Args:
        parts: What is mixed.
        weights: One non-negative number for each, or None for equal ones.

    Returns:
        Probabilities.

    Raises:
        InputError: If nothing is mixed, or the weights do not fit.
    """
    if not parts:
        raise InputError("a mixture needs at least one entry in `of`.")
    w = [1.0] * len(parts) if weights is None else [float(x) for x in weights]
    if len(w) != len(parts) or min(w) < 0 or not sum(w) > 0 or not math.isfinite(sum(w)):
        raise InputError(
            f"a mixture of {len(parts)} needs as many non-negative weights, got {weights!r}."
        )
    return tuple(x / sum(w) for x in w)


def pick(weights: Sequence[float], rng: np.random.Generator) -> int:
    """Draw an index.

    Args:
        weights: Probabilities.
        rng: Source of randomness.

    Returns:
        An index of ``weights``.
    """
    cumulative = np.cumsum(weights)
    return min(int(np.searchsorted(cumulative, rng.random(), "right")), len(cumulative) - 1)
