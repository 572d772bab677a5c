"""What users ask about: rows, columns and values by name, as numbers of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.generation.diffusion.tables.codec import Codec, read_table
from aetia.generation.diffusion.tables.fitted import Fitted
from aetia.generation.diffusion.tables.masks import Pattern
from aetia.options import nearest

__all__ = [
    "check_trained",
    "index_of",
    "read_rows_of_fit",
    "table_of_values",
    "values_of",
    "with_all_columns",
]


def index_of(name: str, names: Sequence[str], argument: str) -> int:
    """Find a column.

    Args:
        name: Its name.
        names: Names of the columns.
        argument: Where it was asked for, for the message.

    Returns:
        Its number.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in names:
        raise InputError(f"{argument}: {name!r} is not a column.{nearest(str(name), list(names))}")
    return list(names).index(name)


def read_rows_of_fit(X: Any, names: tuple[str, ...]) -> Dataset:
    """Read rows whose columns are among those of the fit.

    Args:
        X: A frame, array, Dataset or path.
        names: Columns of the fit; those of an array of that width.

    Returns:
        The rows.

    Raises:
        InputError: If there are other columns.
    """
    data = read_table(X)
    if data.names != names and data.d == len(names) and data.source == "array":
        return replace(data, names=names)
    extra = [name for name in data.names if name not in names]
    if extra:
        raise InputError(f"the fit had no columns {extra}; it had {list(names)}.")
    return data


def with_all_columns(data: Dataset, names: tuple[str, ...]) -> Dataset:
    """Fill columns that are not there with NaN.

    Args:
        data: Rows with some columns of the fit.
        names: Columns of the fit.

    Returns:
        Rows with all columns.
    """
    lacking = [name for name in names if name not in data.names]
    if not lacking:
        return data
    empty = np.full((data.n, len(lacking)), np.nan)
    return replace(
        data,
        values=np.concatenate([data.values, empty], 1),
        observed=np.concatenate([data.observed, np.zeros_like(empty, dtype=bool)], 1),
        names=(*data.names, *lacking),
        kinds=(*data.kinds, *("continuous" for _ in lacking)),
    )


def values_of(codec: Codec, named: Mapping[str, Any], argument: str) -> dict[int, float]:
    """Read values by name.

    Args:
        codec: Columns of the fit.
        named: Value, or label of a level, by name of the column.
        argument: Where they were given, for messages.

    Returns:
        Values by number of the column; levels as codes.

    Raises:
        InputError: If a column or level is unknown, or a value is no finite number.
    """
    values: dict[int, float] = {}
    for name, value in named.items():
        j = index_of(name, codec.encoding.names, argument)
        levels = codec.encoding.levels[j]
        if levels:
            if str(value) not in levels:
                raise InputError(
                    f"{argument}: column {name!r} has no level {value!r}; it has {list(levels)}."
                )
            values[j] = float(levels.index(str(value)))
            continue
        try:
            values[j] = float(value)
        except (TypeError, ValueError):
            raise InputError(
                f"{argument}: column {name!r} needs a number, got {value!r}."
            ) from None
        if not np.isfinite(values[j]):
            raise InputError(f"{argument}: column {name!r} needs a finite number.")
    return values


def table_of_values(codec: Codec, named: Mapping[str, Any]) -> Dataset:
    """Make one row of which some values are given.

    Args:
        codec: Columns of the fit.
        named: Values by name; all others are missing.

    Returns:
        A table of one row.
    """
    values = np.full((1, codec.d), np.nan)
    for j, value in values_of(codec, named, "given").items():
        values[:, j] = value
    return codec.dataset(values)


def check_trained(fit: Fitted, pattern: Pattern) -> None:
    """Refuse questions that the network was not trained for.

    Args:
        fit: The fitted network.
        pattern: What is to be drawn.

    Raises:
        InputError: If a target was none in training.
    """
    if fit.patterns is None:
        return
    asked = pattern.target.any(0)
    possible = fit.patterns.target.any(0)
    if bool((asked & ~possible).any()):
        names = fit.names
        strange = [n for n, a, p in zip(names, asked, possible, strict=True) if a and not p]
        raise InputError(
            f"columns {strange} were asked for, but this model was fitted to draw "
            f"{[n for n, p in zip(names, possible, strict=True) if p]} only; fit with "
            "targets='any' and without a dag, or name the columns to draw: sample(columns=...)."
        )
