"""Sums and products over every subset of a few numbers, in the order of the subsets' bits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

__all__ = ["subset_products", "subset_totals"]


def subset_products(levels: Int64[np.ndarray, " k"]) -> Float64[np.ndarray, " sets"]:
    """Multiply the number of levels over every subset of columns.

    Args:
        levels: Number of levels of each column.

    Returns:
        Number of cells of each of the ``2^k`` subsets by their bits, exact up to 2^53.
    """
    cells = np.ones(1)
    for count in levels:
        cells = np.concatenate([cells, cells * count])
    return cells


def subset_totals(values: Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " sets"]:
    """Add integers over every subset: bits to unions, ones to sizes.

    Args:
        values: One integer for each member.

    Returns:
        ``2^k`` sums.
    """
    sums = np.zeros(1, dtype=np.int64)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums
