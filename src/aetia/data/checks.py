"""The checks of a table at the boundary: each names the column and the remedy."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from aetia.errors import DataWarning, InputError

__all__ = ["check_columns", "check_names"]

_MAX_ROWS_COMPARED = 50_000


def check_names(names: Sequence[str]) -> None:
    """Refuse names that occur twice.

    Args:
        names: Column names.

    Raises:
        InputError: Naming the duplicates.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            f"column names must be unique, but {', '.join(map(repr, twice))} occur(s) more than "
            "once. Rename the columns."
        )


def check_columns(
    values: np.ndarray,
    observed: np.ndarray,
    names: Sequence[str],
    kinds: Sequence[str],
    *,
    relations: bool = True,
) -> None:
    """Refuse infinite, empty, constant and duplicate columns; warn of collinear ones.

    Args:
        values: The table.
        observed: True where a value was seen.
        names: Column names.
        kinds: Kind of each column.
        relations: Whether columns must vary, and differ from each other.

    Raises:
        InputError: Naming the first column that cannot be used.
    """
    n, d = values.shape
    infinite = np.isinf(values)
    if infinite.any():
        j = int(infinite.any(0).argmax())
        rows = np.flatnonzero(infinite[:, j])
        raise InputError(
            f"column {names[j]!r} contains infinity (inf) in {len(rows)} row(s), the first is row "
            f"{rows[0]}. Replace it by a number or by NaN (not observed)."
        )
    for j in range(d):
        seen = values[observed[:, j], j]
        if not len(seen) and relations:
            raise InputError(
                f"column {names[j]!r} has no observed value; drop it with exclude=[{names[j]!r}]."
            )
        if not relations:
            continue
        if d > 1 and seen.min() == seen.max():
            raise InputError(
                f"column {names[j]!r} is constant ({seen[0]:g} in all {len(seen)} rows): nothing "
                f"can be learned about it. Drop it with exclude=[{names[j]!r}]."
            )
        spread, size = seen.std(), np.abs(seen).max()
        if d > 1 and spread < 1e-12 * size:
            raise InputError(
                f"column {names[j]!r} varies by less than floating-point precision (sd "
                f"{spread:.2g} around {seen.mean():.6g}). "
                "Subtract an offset before saving it, or drop it."
            )
    if not relations:
        return
    if observed.all() and d > 1:
        _check_linear_relations(values, names)
    if n <= d:
        warnings.warn(
            f"{n} rows for {d} columns: the data cannot tell the graphs apart, and the answer "
            "will mostly repeat the prior. Collect more rows or choose fewer columns.",
            DataWarning,
            stacklevel=4,
        )


def _check_linear_relations(values: np.ndarray, names: Sequence[str]) -> None:
    # Rank and correlations of a large table are settled by its first rows, unless the rest
    # breaks the relation, so a relation found there is verified on all rows.
    head = values[:_MAX_ROWS_COMPARED]
    scaled = _standardised(head)
    n, d = scaled.shape
    correlation = scaled.T @ scaled / n
    for i in range(d):
        for j in range(i + 1, d):
            if abs(correlation[i, j]) > 1 - 1e-10:
                whole = _standardised(values[:, [i, j]])
                if abs((whole[:, 0] * whole[:, 1]).mean()) > 1 - 1e-10:
                    raise InputError(
                        f"columns {names[i]!r} and {names[j]!r} are the same up to scale and "
                        "shift: no data can tell which of them causes the others. Drop one with "
                        f"exclude=[{names[j]!r}]."
                    )
    if n <= d:
        return
    smallest, vectors = np.linalg.eigh(correlation)
    if smallest[0] < 1e-10:
        whole = _standardised(values) @ vectors[:, 0]
        if whole.std() < 1e-4:
            involved = [names[i] for i in np.flatnonzero(np.abs(vectors[:, 0]) > 1e-4).tolist()]
            warnings.warn(
                f"columns {involved} are perfectly collinear (one is a linear combination of the "
                "others). Edges among them are not identified; consider dropping one with "
                f"exclude=[{involved[-1]!r}].",
                DataWarning,
                stacklevel=5,
            )


def _standardised(values: np.ndarray) -> np.ndarray:
    scale = values.std(0)
    return (values - values.mean(0)) / np.where(scale > 0, scale, 1.0)
