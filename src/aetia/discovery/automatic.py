"""``aetia.discover``: a table in, a posterior over causal graphs out, with the method chosen."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from aetia.data import Dataset, Recordings, Windows, as_dataset, text_columns
from aetia.data.checks import check_text
from aetia.data.tables import split_columns
from aetia.discovery.methods import METHODS
from aetia.errors import DataWarning, InputError
from aetia.graphs import MAX_COLUMNS, Knowledge
from aetia.options import nearest
from aetia.randomness import RandomState
from aetia.results import GraphPosterior

__all__ = ["ChosenMethod", "choose_method", "discover", "read_discovery_table"]

_MOST_CODES = 8

EXACT_COLUMNS = 20
"""Up to this many columns the exact posterior needs no choice of candidate parents."""


class ChosenMethod(NamedTuple):
    """A method and why it was chosen."""

    name: str
    """As in ``method=``."""
    reason: str


def choose_method(
    n_columns: int, *, is_series: bool = False, has_missing: bool = False
) -> ChosenMethod:
    """Choose the method for a table.

    Args:
        n_columns: Number of columns.
        is_series: Whether the rows are steps of recordings.
        has_missing: Whether cells are missing.

    Returns:
        The method, with one sentence for people.
    """
    if is_series:
        return ChosenMethod("rcgnn", "the rows are steps of recordings")
    if has_missing and n_columns <= MAX_COLUMNS:
        return ChosenMethod("exact", "cells are missing: they are drawn together with the graph")
    if n_columns <= EXACT_COLUMNS:
        return ChosenMethod(
            "exact", f"{n_columns} columns: all graphs can be summed, so nothing is approximate"
        )
    return ChosenMethod(
        "order-mcmc",
        f"{n_columns} columns are too many to sum all graphs (the limit is {EXACT_COLUMNS}): "
        "chains over orders, with their agreement reported",
    )


def read_discovery_table(
    X: Any,
    *,
    intervened: Any = None,
    regime: Any = None,
    categorical: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Dataset:
    """Read a table for discovery: columns of text become categories.

    Args:
        X: A frame, array, Dataset, or path of a CSV or Parquet file.
        intervened: What was set by intervention: a boolean table, or the name of a column.
        regime: Environment of each row: integers or labels, or the name of a column.
        categorical: Columns of numbers that are codes of categories.
        exclude: Columns to leave out.

    Returns:
        The table.
    """
    categorical, exclude = _names(categorical), _names(exclude)
    if isinstance(X, Dataset):
        return as_dataset(
            X, intervened=intervened, regime=regime, categorical=categorical, exclude=exclude
        )
    roles = {name for name in (intervened, regime) if isinstance(name, str)} | set(exclude)
    text = text_columns(X)
    found = [name for name in (*text, *_category_columns(X)) if name not in {*roles, *categorical}]
    if found:
        names, columns, _ = split_columns(X)
        for name in found:
            if name in text:
                check_text(name, columns[names.index(name)])
    data = as_dataset(
        X,
        intervened=intervened,
        regime=regime,
        categorical=list(dict.fromkeys([*categorical, *found])),
        exclude=exclude,
    )
    _warn_of_one_column(data)
    codes = [name for name, kind in zip(data.names, data.kinds, strict=True) if kind == "count"]
    codes = [name for name in codes if _look_like_codes(data.column(name))]
    if codes:
        warnings.warn(
            f"column(s) {', '.join(map(repr, codes))} hold a few whole numbers, which are taken as "
            "amounts. If they are codes of categories, say so with "
            f"categorical={codes!r} (--categorical).",
            DataWarning,
            stacklevel=3,
        )
    return data


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    """One name alone is a name, not a sequence of letters."""
    return (names,) if isinstance(names, str) else tuple(names)


def _category_columns(X: Any) -> list[str]:
    """Columns of a frame that its user declared as categories, whatever their labels are."""
    if isinstance(X, np.ndarray) or not (hasattr(X, "columns") and hasattr(X, "shape")):
        return []
    types = {str(name): str(getattr(X[name], "dtype", "")).lower() for name in X.columns}
    return [name for name, kind in types.items() if kind.startswith(("categor", "enum"))]


def _warn_of_one_column(data: Dataset) -> None:
    if data.d > 1:
        return
    name = data.names[0]
    mark = next((m for m in ";\t|" if m in name), None)
    if mark is not None:
        raise InputError(
            f"the table has one column, named {name!r}: its cells seem to be separated by "
            f"{mark!r}. Save it with commas between cells and points in decimals, or read it "
            f"with pandas.read_csv(FILE, sep={mark!r}, decimal=',') and pass the frame."
        )
    warnings.warn(
        f"the table has one column, {name!r}: there is no graph to learn. Check how the file "
        "separates its cells, and what was left out.",
        DataWarning,
        stacklevel=4,
    )


def _look_like_codes(column: np.ndarray) -> bool:
    """Three to eight values without gaps, from 0 or 1."""
    seen = np.unique(column[~np.isnan(column)])
    return 3 <= len(seen) <= _MOST_CODES and seen[0] in (0, 1) and seen[-1] - seen[0] < len(seen)


def discover(
    X: Any,
    knowledge: Knowledge | Mapping[str, Any] | None = None,
    method: str = "auto",
    likelihood: Any = "auto",
    *,
    intervened: Any = None,
    regime: Any = None,
    time: str | None = None,
    series: str | None = None,
    categorical: Sequence[str] = (),
    exclude: Sequence[str] = (),
    random_state: RandomState = None,
    **options: Any,
) -> GraphPosterior:
    """Compute the posterior over causal graphs of a table.

    Args:
        X: A frame, array, Dataset, Recordings, Windows, or path of a CSV or Parquet file. Columns
            of text are categories.
        knowledge: What is known about the graph.
        method: ``"auto"`` sums all graphs up to 20 columns, runs chains over orders beyond, and
            gives time series to RC-GNN; or the name of a method.
        likelihood: ``"auto"`` chooses by the kinds of the columns and the table's own evidence.
        intervened: What was set by intervention: a boolean table, or the name of a column.
        regime: Environment of each row, or the name of a column.
        time: Name of the column of times; makes the table a time series.
        series: Name of the column that identifies the recordings; makes it one too.
        categorical: Columns of numbers that are codes of categories.
        exclude: Columns to leave out.
        random_state: Seed of the run.
        **options: Further options of the method.

    Returns:
        The posterior; ``diagnostics`` says what was chosen and why.

    Raises:
        InputError: If table, options or knowledge cannot be used.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> rain = rng.normal(size=400)
        >>> wet = rain + rng.normal(size=400)
        >>> posterior = discover(np.column_stack([rain, wet]), random_state=0)
        >>> bool(posterior.edge_probabilities().sum() > 0.99)  # adjacent; the direction stays open
        True
    """
    is_series = isinstance(X, (Recordings, Windows)) or time is not None or series is not None
    if is_series:
        name, reason = choose_method(0, is_series=True) if method == "auto" else (method, "")
        cls = _estimator(name)
        asked = {
            "likelihood": likelihood != "auto",
            "intervened": intervened is not None,
            "categorical": len(categorical) > 0,
            "exclude": len(exclude) > 0,
        }
        _check_series(name, cls, [option for option, given in asked.items() if given])
        _check_options(name, cls().get_params(), options)
        return _said(
            cls(random_state=random_state, **options)
            .fit(X, time=time, series=series, regime=regime, knowledge=knowledge)
            .posterior_,
            reason,
        )
    data = read_discovery_table(
        X, intervened=intervened, regime=regime, categorical=categorical, exclude=exclude
    )
    name, reason = (
        choose_method(data.d, has_missing=data.has_missing) if method == "auto" else (method, "")
    )
    cls = _estimator(name)
    known = cls().get_params()
    if likelihood != "auto":
        if "likelihood" not in known:
            raise InputError(
                f"{name} has no option 'likelihood': it predicts with trained weights."
            )
        options["likelihood"] = likelihood
    _check_options(name, known, options)
    if "random_state" in known:
        options["random_state"] = random_state
    return _said(cls(**options).fit(data, knowledge=knowledge).posterior_, reason)


def _estimator(name: str) -> Any:
    if name not in METHODS:
        raise InputError(
            f"method={name!r} is not one of auto, {', '.join(METHODS)}."
            f"{nearest(name, ['auto', *METHODS])}"
        )
    return METHODS[name][0]


def _check_options(name: str, known: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse options that the method does not have."""
    for option in options:
        if option not in known:
            raise InputError(
                f"{name} has no option {option!r}.{nearest(option, list(known))} "
                f"Options: {', '.join(known)}."
            )


def _check_series(name: str, cls: Any, asked: Sequence[str]) -> None:
    """Refuse what a method for time series, or this method, has no use for."""
    if "time" not in inspect.signature(cls.fit).parameters:
        takes = [other for other, (known, _) in METHODS.items() if known is not cls]
        takes = [m for m in takes if "time" in inspect.signature(METHODS[m][0].fit).parameters]
        raise InputError(
            f"{name} takes a table of independent rows, not a time series: leave time= and "
            f"series= out, or use method={' or '.join(map(repr, takes))}."
        )
    if asked:
        raise InputError(
            f"{name} has no use for {', '.join(asked)} on a time series: leave it out, and choose "
            "the columns before the call."
        )


def _said(posterior: GraphPosterior, reason: str) -> GraphPosterior:
    """Write the reason for the method beside the other facts."""
    if not reason:
        return posterior
    return replace(posterior, diagnostics={**posterior.diagnostics, "method_reason": reason})
