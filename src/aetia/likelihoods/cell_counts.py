r"""Sums over the cells of contingency tables of many sets of columns at once.

Scores of discrete variables depend on a set of columns only through
:math:`\sum_c f_q(N_c)`, where the cells c are the combinations of levels, :math:`N_c` is the
number of rows in a cell and q is the number of cells. Empty cells add nothing
(:math:`f_q(0) = 0`), so only the cells that some row has matter; there are at most n of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64

from aetia.likelihoods.binary_counts import binary_tables, count_ones

__all__ = ["CellTerms", "sum_over_cells"]

CellTerms = Callable[[int, int], tuple[Float64[np.ndarray, " counts"], float]]
"""Number of rows and of cells to f for the counts 0 to n, and a constant of the whole table."""

_BATCH = 1 << 21
"""Rows times sets that are counted at once: 16 MB of codes."""
_PART_CELLS = 1 << 22
"""Rows times subsets of one part of the columns whose codes are kept."""
_PART_COLUMNS = 10
_MOST_BINARY = 22
"""Binary columns whose subsets are counted in one array."""


def sum_over_cells(
    codes: Int64[np.ndarray, "n k"],
    levels: tuple[int, ...],
    subsets: Int64[np.ndarray, " m"],
    terms: CellTerms,
) -> Float64[np.ndarray, " m"]:
    """Sum a function of the count over the cells of every subset of columns.

    Tables with few cells are counted densely, tables with more cells than two for each row by
    sorting the codes of the rows. The cost is O(n) for each subset, times log n where it sorts.
    Small tables of binary columns cost O(n / 64 + cells).

    Args:
        codes: Level of every row and column.
        levels: Number of levels of each column.
        subsets: Bit b is set where column b belongs to the subset.
        terms: Gives f for the counts 0 to n (0 for an empty cell), and a constant added once.

    Returns:
        One sum for each subset.
    """
    n = len(codes)
    out = np.zeros(len(subsets))
    if n == 0:
        return out
    cells = np.ones(len(subsets), dtype=np.int64)
    for bit, count in enumerate(levels):
        cells *= np.where((subsets >> bit) & 1, count, 1)
    order = np.argsort(cells, kind="stable")
    binary = all(count == 2 for count in levels) and len(levels) <= _MOST_BINARY
    if binary:
        few = order[: np.searchsorted(cells[order], n, side="right")]
        out[few] = _binary_sums(codes, subsets[few], cells[few], terms)
        order = order[len(few) :]
    if not len(order):
        return out
    parts = _part_codes(codes, levels)
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    step = max(1, _BATCH // n)
    for group in np.split(order, starts[1:]):
        q = int(cells[group[0]])
        f, constant = terms(n, q)
        for at in range(0, len(group), step):
            chosen = group[at : at + step]
            rows = _row_codes(parts, subsets[chosen])
            sums = _dense_sums(rows, q, f) if q <= 2 * n + 64 else _sorted_sums(rows, f)
            out[chosen] = sums + constant
    return out


def _binary_sums(
    codes: np.ndarray, subsets: np.ndarray, cells: np.ndarray, terms: CellTerms
) -> Float64[np.ndarray, " m"]:
    out = np.empty(len(subsets))
    ones = count_ones(codes, subsets)
    for q in np.unique(cells):
        f, constant = terms(len(codes), int(q))
        group = np.flatnonzero(cells == q)
        step = max(1, _BATCH // int(q))
        for at in range(0, len(group), step):
            chosen = group[at : at + step]
            tables = binary_tables(ones, subsets[chosen], int(q).bit_length() - 1)
            out[chosen] = f[tables].sum(1) + constant
    return out


_Part = tuple[int, Int64[np.ndarray, " sets"], Int64[np.ndarray, "sets n"]]


def _part_codes(codes: np.ndarray, levels: tuple[int, ...]) -> list[_Part]:
    """Split the columns into parts and code the rows by every subset of a part."""
    n, k = codes.shape
    width = int(np.clip(np.log2(_PART_CELLS / n), 1, _PART_COLUMNS))
    parts = []
    for at in range(0, k, width):
        table = np.zeros((1, n), dtype=np.int64)
        cells = np.ones(1, dtype=np.int64)
        for b in range(at, min(at + width, k)):
            # Products of many levels may overflow, but only in subsets that nobody asks for.
            table = np.concatenate([table, table * levels[b] + codes[:, b]])
            cells = np.concatenate([cells, cells * levels[b]])
        parts.append((at, cells, table))
    return parts


def _row_codes(parts: list[_Part], subsets: np.ndarray) -> Int64[np.ndarray, "m n"]:
    rows = None
    for at, cells, table in parts:
        member = (subsets >> at) & (len(cells) - 1)
        if rows is None:
            rows = table[member]
        else:
            rows *= cells[member, None]
            rows += table[member]
    assert rows is not None
    return rows


def _dense_sums(rows: np.ndarray, q: int, f: np.ndarray) -> np.ndarray:
    m = len(rows)
    rows += (np.arange(m) * q)[:, None]
    counts = np.bincount(rows.ravel(), minlength=m * q)
    return f[counts].reshape(m, q).sum(1)


def _sorted_sums(rows: np.ndarray, f: np.ndarray) -> np.ndarray:
    m, n = rows.shape
    rows.sort(axis=1)
    first = np.ones((m, n), dtype=bool)
    np.not_equal(rows[:, 1:], rows[:, :-1], out=first[:, 1:])
    starts = np.flatnonzero(first)
    counts = np.diff(starts, append=m * n)
    return np.bincount(starts // n, weights=f[counts], minlength=m)
