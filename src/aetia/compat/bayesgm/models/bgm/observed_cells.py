"""Which cells were seen, and intervals of those that were not."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from aetia.errors import InputError

__all__ = ["missing_intervals", "observed_mask"]


def observed_mask(indices: Any, n: int, p: int) -> Bool[np.ndarray, "n p"]:
    """Read indices of seen columns.

    Args:
        indices: A list for each row; an array ``(n, k)``; one list for all rows; None for all
            columns.
        n: Rows.
        p: Columns.

    Returns:
        True where a cell was seen.

    Raises:
        InputError: If rows or columns do not exist.
    """
    if indices is None:
        return np.ones((n, p), dtype=bool)
    ragged = isinstance(indices, (list, tuple)) and any(np.ndim(row) for row in indices)
    rows = list(indices) if ragged else np.asarray(indices)
    if not ragged:
        assert isinstance(rows, np.ndarray)
        if rows.ndim not in (1, 2):
            raise InputError(f"ind_x1 must have one or two dimensions, got {rows.ndim}.")
        rows = [rows] * n if rows.ndim == 1 else list(rows)
    if len(rows) != n:
        raise InputError(f"ind_x1 has {len(rows)} rows, the data have {n}.")
    mask = np.zeros((n, p), dtype=bool)
    for i, row in enumerate(rows):
        columns = np.asarray(row, dtype=np.int64)
        if len(columns) and (columns.min() < 0 or columns.max() >= p):
            raise InputError(f"ind_x1 names a column outside 0 to {p - 1} in row {i}.")
        mask[i, columns] = True
    return mask


def missing_intervals(ends: Float[np.ndarray, "n p two"], missing: Bool[np.ndarray, "n p"]) -> Any:
    """Keep the intervals of missing cells.

    Args:
        ends: Lower and upper ends of all cells.
        missing: True where a cell was not seen.

    Returns:
        ``(n, m, 2)`` if all rows miss the same columns, otherwise a list of ``(m_i, 2)``.
    """
    if (missing == missing[0]).all():
        return ends[:, missing[0]]
    return [row[gaps] for row, gaps in zip(ends, missing, strict=True)]
