"""Columns with levels as integer codes, and what a score says about columns it cannot take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from aetia.data import Dataset
from aetia.errors import InputError

__all__ = ["ColumnCodes", "check_columns", "column_codes"]


class ColumnCodes(NamedTuple):
    """Integer codes of columns with levels."""

    codes: Int64[np.ndarray, "n k"]
    """``codes[a, i]`` lies in 0 to ``levels[i] - 1``."""
    levels: tuple[int, ...]
    """Number of levels of each column, including levels that no row has."""


def check_columns(data: Dataset, kinds: Sequence[str], score: str, remedy: str) -> None:
    """Refuse tables with missing cells or with columns that a score cannot take.

    Args:
        data: The table.
        kinds: Kinds of columns that the score takes.
        score: Its name, for the message.
        remedy: What to do about columns of another kind, as the end of the message.

    Raises:
        InputError: Naming the columns and their kinds, or the columns with missing cells.
    """
    pairs = zip(data.names, data.kinds, strict=True)
    others = [f"{name!r} is {kind}" for name, kind in pairs if kind not in kinds]
    if others:
        raise InputError(
            f"the score {score!r} takes {' and '.join(kinds)} columns, but {_some(others)} "
            f"({len(others)} of {data.d} columns). {remedy}"
        )
    if data.has_missing:
        gaps = (~data.observed).sum(0)
        found = [f"{name!r} ({gaps[i]})" for i, name in enumerate(data.names) if gaps[i]]
        raise InputError(
            f"the score {score!r} needs a complete table, but cells are missing in "
            f"{_some(found)} of {data.n} rows. Impute them first, or drop these rows or columns."
        )


def column_codes(data: Dataset, columns: Sequence[int]) -> ColumnCodes:
    """Number the levels of binary and categorical columns from 0.

    Args:
        data: A complete table.
        columns: Indices of the columns.

    Returns:
        The codes. A binary column may hold any two values; the smaller one becomes 0. The levels
        of a categorical column are those that ``data.levels`` lists, or else those it holds.

    Raises:
        InputError: If a binary column holds more than two values, or a code is not in the list.
    """
    codes = np.zeros((data.n, len(columns)), dtype=np.int64)
    levels = []
    for k, i in enumerate(columns):
        name, column = data.names[i], data.values[:, i]
        found, ranks = np.unique(column, return_inverse=True)
        if data.kinds[i] == "binary":
            if len(found) > 2:
                raise InputError(
                    f"column {name!r} is declared binary but holds {len(found)} values "
                    f"({', '.join(f'{v:g}' for v in found[:4])}, ...). Declare it categorical."
                )
            codes[:, k], count = ranks, 2
        elif name in data.levels:
            count = len(data.levels[name])
            if found[0] < 0 or found[-1] >= count or (found != np.rint(found)).any():
                raise InputError(
                    f"column {name!r} has {count} levels, so its codes are 0 to {count - 1}, but "
                    f"it holds {found[0]:g} to {found[-1]:g}. Pass the labels, not the codes."
                )
            codes[:, k] = column.astype(np.int64)
        else:
            codes[:, k], count = ranks, len(found)
        levels.append(count)
    return ColumnCodes(codes, tuple(levels))


def _some(items: list[str]) -> str:
    return ", ".join(items[:5]) + (f" and {len(items) - 5} more" if len(items) > 5 else "")
