r"""Contingency tables of many sets of binary columns from counts of ones.

The number of rows in which all columns of a set are one is a population count of 64 rows at a
time. A table of s columns follows from the counts of its :math:`2^s` subsets by inclusion and
exclusion, one difference for each column. Every subset is counted once for all sets above it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

__all__ = ["binary_tables", "count_ones"]

_BATCH = 1 << 21
_PART_WORDS = 1 << 22
_PART_COLUMNS = 10
_ONES = np.array([i.bit_count() for i in range(1 << 8)], dtype=np.uint8)
_ONES = (_ONES[:, None] + _ONES).ravel()  # ones in each number of 16 bits


def count_ones(
    codes: Int64[np.ndarray, "n k"], subsets: Int64[np.ndarray, " m"]
) -> Int64[np.ndarray, " sets"]:
    """Count the rows in which all columns of a set are one.

    Args:
        codes: Zeros and ones.
        subsets: Bit b is set where column b belongs to the set.

    Returns:
        Counts by the bits of all ``2^k`` sets, right for the given sets and all sets within them.
    """
    k = codes.shape[1]
    wanted = np.zeros(1 << k, dtype=bool)
    wanted[subsets] = True
    for bit in range(k):
        halves = wanted.reshape(-1, 2, 1 << bit)
        halves[:, 0] |= halves[:, 1]
    wanted = np.flatnonzero(wanted)
    parts = _part_words(codes)
    counts = np.zeros(1 << k, dtype=np.int64)
    step = max(1, _BATCH // parts[0][1].shape[1])
    for at in range(0, len(wanted), step):
        sets = wanted[at : at + step]
        words = parts[0][1][sets & (len(parts[0][1]) - 1)]
        for shift, table in parts[1:]:
            words &= table[(sets >> shift) & (len(table) - 1)]
        counts[sets] = _ONES[words.view(np.uint16)].sum(1, dtype=np.int64)
    return counts


def binary_tables(
    ones: Int64[np.ndarray, " sets"], subsets: Int64[np.ndarray, " m"], size: int
) -> Int64[np.ndarray, "m cells"]:
    """Turn counts of ones into the contingency tables of sets of equal size.

    Args:
        ones: Result of :func:`count_ones`.
        subsets: Sets of ``size`` columns.
        size: Number of columns of each set.

    Returns:
        Rows in each of the ``2^size`` cells.
    """
    k = len(ones).bit_length() - 1
    bits = 1 << np.nonzero((subsets[:, None] >> np.arange(k)) & 1)[1].reshape(len(subsets), size)
    within = np.zeros((len(subsets), 1), dtype=np.int64)
    for b in range(size):
        within = np.concatenate([within, within + bits[:, b, None]], axis=1)
    tables = ones[within]
    for b in range(size):
        halves = tables.reshape(len(subsets), -1, 2, 1 << b)
        halves[:, :, 0] -= halves[:, :, 1]
    return tables


def _part_words(codes: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Pack the rows into words and combine them over every subset of a part of the columns."""
    n, k = codes.shape
    n_words = -(-n // 64)
    padded = np.zeros((k + 1, 64 * n_words), dtype=bool)
    padded[:k, :n] = codes.T
    padded[k, :n] = True  # the empty set: every row
    words = np.packbits(padded, axis=1).view(np.uint64)
    width = int(np.clip(np.log2(_PART_WORDS / n_words), 1, _PART_COLUMNS))
    parts = []
    for at in range(0, max(k, 1), width):
        table = words[k:]
        for b in range(at, min(at + width, k)):
            table = np.concatenate([table, table & words[b]])
        parts.append((at, table))
    return parts
