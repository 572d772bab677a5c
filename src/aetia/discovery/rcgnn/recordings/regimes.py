"""Means over the blocks of each regime."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["RegimeMeans", "means_by_regime"]


class RegimeMeans(NamedTuple):
    """Means of each regime, and how much was averaged."""

    mean: Float[Tensor, "k d"]
    """0 for regimes that hold nothing."""
    counts: Float[Tensor, "k _"]


def means_by_regime(
    sums: Float[Tensor, "n d"],
    counts: Float[Tensor, "n _"],
    regime: Int[Tensor, " n"],
    n_regimes: int,
) -> RegimeMeans:
    """Average what was summed over the rows of blocks (or over single rows).

    Args:
        sums: Sums over the rows of each block that count.
        counts: How many these are, for all variables or for each.
        regime: Code of the regime of each block.
        n_regimes: Number of regimes.

    Returns:
        Means of each regime and variable.
    """
    total = sums.new_zeros(n_regimes, sums.shape[1]).index_add(0, regime, sums)
    count = counts.new_zeros(n_regimes, counts.shape[1]).index_add(0, regime, counts)
    return RegimeMeans(total / count.clamp_min(1), count)
