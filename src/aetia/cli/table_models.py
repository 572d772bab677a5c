"""What the verbs ``impute`` and ``generate`` share: the table, the model, a dry run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from aetia.cli.methods import find_method, table_methods
from aetia.cli.options_file import read_options
from aetia.cli.tables import split_names, table_frame
from aetia.data import Rows, as_dataset, read_rows, text_columns
from aetia.errors import InputError
from aetia.files import plain_json
from aetia.options import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "TableRequest", "dry_run", "make_model", "read_table"]


_NOT_OPTIONS = ("random_state", "device", "progress")


@dataclass(frozen=True, kw_only=True)
class TableRequest:
    """What the user asked ``impute`` or ``generate`` for; the command line's words."""

    table: str
    exclude: tuple[str, ...] = ()
    method: str = "bgm"
    missingness: str | None = None
    n_draws: int = 200
    fill: str = "mean"
    check_share: float = 0.1
    rows: int = 1000
    level: float = 0.9
    config: Path | None = None
    settings: tuple[str, ...] = ()
    seed: int | None = None
    out: Path = Path("run")
    as_json: bool = False
    dry_run: bool = False
    progress: bool | None = None
    force: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """The columns that are modelled, and the others."""

    frame: pd.DataFrame
    rows: Rows
    left_out: tuple[str, ...]
    source: str
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Labels of text columns, whose values in ``rows`` are codes."""

    def summary(self) -> dict[str, list[Any]]:
        """Describe every column.

        Returns:
            Lists by field.
        """
        columns = [column[~np.isnan(column)] for column in self.rows.values.T]
        return {
            "column": list(self.rows.names),
            "missing": [len(self.rows.values) - len(c) for c in columns],
            "mean": [float(c.mean()) for c in columns],
            "sd": [float(c.std(ddof=1)) if len(c) > 1 else 0.0 for c in columns],
            "min": [float(c.min()) for c in columns],
            "max": [float(c.max()) for c in columns],
        }

    def described(self) -> str:
        """Say where the table came from.

        Returns:
            One line.
        """
        n, d = self.rows.values.shape
        return f"{self.source}, {n:,} rows, {d} columns"


def make_model(request: TableRequest) -> Any:
    """Build the estimator from options.

    Args:
        request: What the user asked for.

    Returns:
        The estimator, not fitted.

    Raises:
        InputError: If an option is unknown or impossible.
    """
    methods = table_methods()
    options = read_options(request.method, request.config, request.settings, methods)
    if request.missingness is not None:
        if request.missingness not in ("mar", "mnar"):
            raise InputError(
                f"--missingness takes mar or mnar, got {request.missingness!r}."
                + nearest(request.missingness, ["mar", "mnar"])
            )
        if request.method != "bgm":
            raise InputError(
                f"--missingness is an option of bgm; {request.method} assumes that whether a "
                "cell is missing depends only on what was seen."
            )
        options["missingness"] = request.missingness
    cls, config = find_method(request.method, methods)
    config(**options)  # all checks here
    if not 0.0 < request.level < 1.0:
        raise InputError(f"--level must lie strictly between 0 and 1, got {request.level!r}.")
    return cls(**options, random_state=request.seed, progress=request.progress)


def read_table(request: TableRequest) -> Table:
    """Read the columns that are modelled.

    Args:
        request: What the user asked for.

    Returns:
        The table.

    Raises:
        InputError: If a column is text, or none is left.
    """
    frame, source = table_frame(request.table)
    names = [str(c) for c in frame.columns]
    excluded = split_names("--exclude", request.exclude, names)
    kept = frame.drop(columns=excluded)
    if not len(kept.columns):
        raise InputError("no columns are left in the table.")
    text = text_columns(kept)
    if text and request.method == "dddm":
        return _with_codes(kept, text, tuple(excluded), source)
    if text:
        first = next(iter(text))
        n_levels = len({str(v) for v in kept[first] if v == v})
        others = f" (and {len(text) - 1} more)" if len(text) > 1 else ""
        raise InputError(
            f"column {first!r}{others} is text ({n_levels} distinct values), and the model needs "
            f"numbers. Leave it out with --exclude {','.join(map(repr, text))}, replace it by one "
            "0/1 column for each value, or use --method dddm, which takes text."
        )
    return Table(frame=kept, rows=read_rows(kept), left_out=tuple(excluded), source=source)


def _with_codes(
    frame: pd.DataFrame, text: Sequence[str], left_out: tuple[str, ...], source: str
) -> Table:
    data = as_dataset(frame, categorical=text, relations=False)
    rows = Rows(data.values, data.names, ())
    return Table(frame=frame, rows=rows, left_out=left_out, source=source, levels=data.levels)


def dry_run(request: TableRequest, estimator: Any, table: Table, n_fits: int) -> None:
    """Time a few steps to estimate the whole; print, write nothing.

    Args:
        request: What the user asked for.
        estimator: Not fitted.
        table: The table.
        n_fits: How often the model will be fitted.
    """
    from sklearn.base import clone

    is_bgm = request.method == "bgm"
    times = []
    for few in (5, 45):
        short: Any = clone(estimator)
        training = {"n_steps": few, "n_egm_steps": 0} if is_bgm else {"n_training_steps": few}
        short.set_params(**training, progress=False)
        started = time.perf_counter()
        short.fit(table.frame)
        times.append(time.perf_counter() - started)
    steps = _training_steps(request, estimator)
    estimate = n_fits * (times[0] + max(times[1] - times[0], 0.0) / 40 * steps)
    n, d = table.rows.values.shape
    facts = {
        "method": request.method,
        "rows": n,
        "columns": list(table.rows.names),
        "left_out": list(table.left_out),
        "missing_cells": int(np.isnan(table.rows.values).sum()),
        "estimated_seconds": estimate,
        "out": str(request.out),
    }
    if request.as_json:
        typer.echo(json.dumps(plain_json(facts)))
        return
    typer.echo(
        f"would run {request.method} on {n:,} rows and {d} columns into {request.out}/: about "
        f"{estimate:.0f} s for the training. Nothing was written."
    )


def _training_steps(request: TableRequest, estimator: Any) -> int:
    """Count the updates of a fit; DDDM calls those of the sampler n_steps."""
    if request.method == "bgm":
        return estimator.n_steps + estimator.n_egm_steps
    _, config = find_method(request.method, table_methods())
    options = {k: v for k, v in estimator.get_params().items() if k not in _NOT_OPTIONS}
    return int(config(**options).value("n_training_steps"))
