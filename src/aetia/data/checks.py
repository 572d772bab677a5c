"""The checks of a table at the boundary: each names the column and the remedy."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from aetia.errors import DataWarning, InputError

__all__ = ["check_columns", "check_names", "check_text"]

_MAX_ROWS_COMPARED = 50_000
_LARGEST, _SMALLEST = 1e307, 1e-150
"""Sums of squares overflow above; squares lose their digits where values are below."""
_MANY_VALUES = 10
"""Rows that agree in columns with this many values are copies rather than chance."""
_REPEATED_SHARE = 0.05
_RUNNING_ROWS = 20
"""So many different whole numbers in ascending order number the rows."""
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T].*)?|\d\d?[./]\d\d?[./]\d{2,4}")
_COMMAS = re.compile(r"[-+]?\d+(,\d+)+(\.\d*)?|[-+]?\d+(\.\d+)*,\d+")


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


def check_text(name: str, column: np.ndarray) -> None:
    """Refuse text that is numbers or dates in most cells: it is no category.

    Args:
        name: Name of the column, for messages.
        column: Cells of the column.

    Raises:
        InputError: Naming the cells in the way, and what to do.
    """
    seen = [(row, v) for row, v in enumerate(column) if v is not None and v == v]
    cells = [(row, str(v).strip()) for row, v in seen]
    other = [(row, text) for row, text in cells if not _is_number(text)]
    keep = f"If it is a category all the same, pass categorical=[{name!r}] (--categorical)."
    if 2 * len(other) < len(cells):
        row, _ = other[0]
        distinct = list(dict.fromkeys(repr(text) for _, text in other))
        shown = ", ".join(distinct[:3]) + (", ..." if len(distinct) > 3 else "")
        raise InputError(
            f"column {name!r} holds numbers, but text in {len(other)} of {len(cells)} cells "
            f"({shown}; the first is row {row}). Leave cells empty where nothing was seen, and "
            f"delete rows that hold units. {keep}"
        )
    for pattern, what, remedy in (
        (_COMMAS, "numbers with commas", "Write decimals with points and thousands without marks"),
        (_DATE, "dates", "Turn it into a number, such as days since the first"),
    ):
        found = [text for _, text in cells if pattern.fullmatch(text)]
        if 2 * len(found) > len(cells):
            raise InputError(
                f"column {name!r} holds {what}, such as {found[0]!r}, in {len(found)} of "
                f"{len(cells)} cells. "
                f"{remedy}, or leave the column out with exclude=[{name!r}]. {keep}"
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
        kinds: Kind of each column; none where rows are steps of recordings.
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
            raise InputError(_constant(names[j], kinds[j] if kinds else "continuous", seen, n))
        largest = np.abs(seen).max()
        if largest > math.sqrt(_LARGEST / n) or largest < _SMALLEST:
            raise InputError(
                f"column {names[j]!r} has values of size {largest:.2g}, beyond what squares can be "
                f"computed of. Give it in other units, or drop it with exclude=[{names[j]!r}]."
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
    if observed.all() and d > 1 and n > 2:  # two rows are always on a line
        _check_linear_relations(values, names)
    if kinds:  # rows of recordings have none: they may well repeat, and run on
        _warn_of_repeated_rows(values, observed, kinds)
        _warn_of_running_numbers(values, observed, names, kinds)
    if n <= d:
        warnings.warn(
            f"{n} rows for {d} columns: the data cannot distinguish the graphs, and the answer "
            "will mostly repeat the prior. Collect more rows or choose fewer columns.",
            DataWarning,
            stacklevel=4,
        )


def _constant(name: str, kind: str, seen: np.ndarray, n: int) -> str:
    what = "one level only" if kind == "categorical" else f"{seen[0]:g}"
    rows = f"all {n} rows" if len(seen) == n else f"all {len(seen)} rows that have a value"
    hint = ""
    if kind == "categorical" and len(seen) < n:
        hint = (
            " The words None, NA, null and nan in a file are read as missing: if one of them is a "
            "level, give it another name. Otherwise drop the column"
        )
    return (
        f"column {name!r} is constant ({what} in {rows}): nothing can be learned about it."
        f"{hint or ' Drop it'} with exclude=[{name!r}]."
    )


def _warn_of_repeated_rows(values: np.ndarray, observed: np.ndarray, kinds: Sequence[str]) -> None:
    """Rows that repeat in columns of many values are copies, and copies are no evidence.

    Equal rows of columns with few values are different units, so repeats are counted only beyond
    ten times what columns without any relation would show.
    """
    rows = values[observed.all(1)]
    n = len(rows)
    if n < _RUNNING_ROWS:
        return
    key = _standardised(rows) @ np.random.default_rng(0).normal(size=values.shape[1])
    counts = np.unique(key, return_counts=True)[1]
    repeated = n - len(counts)
    if repeated < _REPEATED_SHARE * n:
        return
    shares = [np.unique(rows[:, j], return_counts=True)[1] / n for j in range(rows.shape[1])]
    measured = [
        k == "continuous" and len(s) >= _MANY_VALUES for k, s in zip(kinds, shares, strict=True)
    ]
    chance = float(np.prod([(share**2).sum() for share in shares])) * n * n / 2
    pairs = float((counts * (counts - 1.0) / 2).sum())
    if sum(measured) >= 2 and pairs > 10.0 * chance:
        warnings.warn(
            f"{repeated} of {n} rows repeat another row in every column. Copies are no new "
            "evidence, but they are counted as if they were: probabilities come out too near 0 "
            "and 1. If rows were pasted or merged twice, keep one of each.",
            DataWarning,
            stacklevel=5,
        )


def _warn_of_running_numbers(
    values: np.ndarray, observed: np.ndarray, names: Sequence[str], kinds: Sequence[str]
) -> None:
    """Identifiers that count the rows are no variables."""
    if len(values) < _RUNNING_ROWS:
        return
    for j, name in enumerate(names):
        column = values[:, j]
        if kinds[j] not in ("count", "continuous") or not observed[:, j].all():
            continue
        steps = np.diff(column)
        if (column == np.floor(column)).all() and ((steps > 0).all() or (steps < 0).all()):
            warnings.warn(
                f"column {name!r} holds whole numbers that run on from row to row, as an "
                "identifier or a time does. If it measures nothing, leave it out with "
                f"exclude=[{name!r}].",
                DataWarning,
                stacklevel=5,
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
