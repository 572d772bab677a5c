"""Rows in: any table as numbers with names, without judging whether it can be learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from aetia.data.checks import check_names
from aetia.data.dataset import Dataset
from aetia.data.tables import as_numbers, split_columns
from aetia.errors import InputError

__all__ = ["Rows", "read_rows"]


class Rows(NamedTuple):
    """Numbers of a table; NaN where a value is missing."""

    values: Float[np.ndarray, "n d"]
    names: tuple[str, ...]
    labels: tuple[Any, ...]
    """Labels of the rows of a pandas frame with an index of its own; empty otherwise."""


def read_rows(
    X: Any, *, names: Sequence[str] | None = None, expected_by: str = "the model"
) -> Rows:
    """Read a table; one row is enough, and columns may be constant or empty.

    Args:
        X: A pandas or polars frame, a two-dimensional array, the path of a CSV or Parquet file,
            or a Dataset.
        names: The columns that are expected, for instance those of a fit. Frames and files may
            have them in another order; arrays must have as many.
        expected_by: Who expects them, for messages.

    Returns:
        The rows, with the columns in the expected order.

    Raises:
        InputError: If a column is missing, too much, infinite, or no number.
    """
    if isinstance(X, Dataset):
        for name in X.levels:
            _refuse_text(name, len(X.levels[name]))
        rows = Rows(X.values, X.names, ())
    else:
        found, columns, _ = split_columns(X)
        check_names(found)
        numbers = []
        for name, column in zip(found, columns, strict=True):
            if column.dtype.kind in "OUS" and _is_text(column):
                _refuse_text(name, len({str(v) for v in column}))
            numbers.append(as_numbers(name, column))
        rows = Rows(np.stack(numbers, 1), tuple(found), _labels(X))
    if names is not None:
        rows = _in_order(rows, tuple(names), expected_by, is_array=not hasattr(X, "columns"))
    infinite = np.isinf(rows.values)
    if infinite.any():
        j = int(infinite.any(0).argmax())
        at = np.flatnonzero(infinite[:, j])
        raise InputError(
            f"column {rows.names[j]!r} contains infinity (inf) in {len(at)} row(s), the first is "
            f"row {at[0]}. Replace it by a number or by NaN (not observed)."
        )
    return rows


def _in_order(rows: Rows, names: tuple[str, ...], expected_by: str, *, is_array: bool) -> Rows:
    if rows.names == names:
        return rows
    if len(rows.names) == len(names) and is_array and rows.names[0] == "x0":
        return rows._replace(names=names)
    lacking = [n for n in names if n not in rows.names]
    extra = [n for n in rows.names if n not in names]
    if is_array and rows.names[0] == "x0":
        raise InputError(
            f"X has {len(rows.names)} features, but {expected_by} is expecting {len(names)} "
            f"features as input: {', '.join(names[:20])}."
        )
    if lacking or extra:
        raise InputError(
            f"the columns are not those of the fit: missing {lacking}, not known {extra}. Pass "
            "the same columns; cells whose value is unknown are NaN."
        )
    at = [rows.names.index(n) for n in names]
    return rows._replace(values=rows.values[:, at], names=names)


def _is_text(column: np.ndarray) -> bool:
    for value in column:
        if isinstance(value, str):
            try:
                float(value)
            except ValueError:
                return True
    return False


def _refuse_text(name: str, n_values: int) -> None:
    raise InputError(
        f"column {name!r} is text or categorical ({n_values} distinct values; argument must be a "
        "string or a real number). This method needs numbers: replace it by one 0/1 column for "
        f"each category (pandas.get_dummies(table, columns=[{name!r}])), or drop it."
    )


def _labels(X: Any) -> tuple[Any, ...]:
    index = getattr(X, "index", None)
    if index is None or not hasattr(index, "tolist") or not hasattr(X, "columns"):
        return ()
    labels = index.tolist()
    return () if labels == list(range(len(labels))) else tuple(labels)
