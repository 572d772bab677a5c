"""What ``impute`` and ``generate`` share: the table, the model, and how long it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aetia.cli.estimates import by_steps
from aetia.cli.method_options import Method, read_method
from aetia.cli.request import Request
from aetia.cli.runner import Plan
from aetia.cli.tables import split_names, table_frame
from aetia.data import Rows, as_dataset, read_rows, text_columns
from aetia.errors import InputError
from aetia.generation import METHODS
from aetia.options import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableModel", "read_table_model"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TableModel:
    """A table, and the model that will be fitted to it.

    Attributes:
        method: The method and its options.
        estimator: Not fitted yet.
        frame: The columns that are modelled.
        rows: The same as numbers; labels of text are codes.
        source: Where the table came from.
        left_out: Columns that are not modelled.
    """

    method: Method
    estimator: Any
    frame: pd.DataFrame
    rows: Rows
    source: str
    left_out: tuple[str, ...]

    def job(self, title: str, n_fits: int = 1) -> dict[str, Any]:
        """Say what a job is made of, whatever the verb.

        Args:
            title: Heading of the report.
            n_fits: How often the model will be fitted.

        Returns:
            Arguments of ``Job``.
        """
        n, d = self.rows.values.shape
        context = {
            "title": title,
            "source": f"{self.source}, {n:,} rows, {d} columns",
            "data_summary": _summary(self.rows),
            "left_out": self.left_out,
        }
        return {
            "method": self.method.name,
            "options": self.method.options,
            "plan": partial(_plan, self, n_fits),
            "context": context,
            "save": {"model": self.estimator.save},
        }


def read_table_model(asked: Request) -> TableModel:
    """Read options and table, and build the model, not fitted yet."""
    method = read_method(asked, METHODS, "bgm")
    missingness = getattr(asked, "missingness", None)
    if missingness is not None:
        if missingness not in ("mar", "mnar"):
            raise InputError(
                f"--missingness takes mar or mnar, got {missingness!r}."
                + nearest(missingness, ["mar", "mnar"])
            )
        if method.name != "bgm":
            raise InputError(
                f"--missingness is an option of bgm; {method.name} assumes that whether a cell is "
                "missing depends only on what was seen."
            )
        method = method._replace(options=method.options | {"missingness": missingness})
        method.config(**method.options)
    frame, source = table_frame(asked.table)
    excluded = split_names("--exclude", asked.exclude, [str(c) for c in frame.columns])
    kept = frame.drop(columns=excluded)
    if not len(kept.columns):
        raise InputError("no columns are left in the table.")
    return TableModel(
        method=method,
        estimator=method.make(asked),
        frame=kept,
        rows=_rows(kept, method.name),
        source=source,
        left_out=tuple(excluded),
    )


def _rows(frame: pd.DataFrame, method: str) -> Rows:
    text = text_columns(frame)
    if not text:
        return read_rows(frame)
    if method == "dddm":
        data = as_dataset(frame, categorical=text, relations=False)
        return Rows(data.values, data.names, ())
    first = next(iter(text))
    n_levels = len({str(v) for v in frame[first] if v == v})
    others = f" (and {len(text) - 1} more)" if len(text) > 1 else ""
    raise InputError(
        f"column {first!r}{others} is text ({n_levels} distinct values), and the model needs "
        f"numbers. Leave it out with --exclude {','.join(map(repr, text))}, replace it by one "
        "0/1 column for each value, or use --method dddm, which takes text."
    )


def _summary(rows: Rows) -> Mapping[str, list[Any]]:
    columns = [column[~np.isnan(column)] for column in rows.values.T]
    return {
        "column": list(rows.names),
        "missing": [len(rows.values) - len(c) for c in columns],
        "mean": [float(c.mean()) for c in columns],
        "sd": [float(c.std(ddof=1)) if len(c) > 1 else 0.0 for c in columns],
        "min": [float(c.min()) for c in columns],
        "max": [float(c.max()) for c in columns],
    }


def _plan(model: TableModel, n_fits: int) -> Plan:
    """Estimate the time of the training from short ones."""
    from sklearn.base import clone

    estimator, config = model.estimator, model.method.config
    is_bgm = model.method.name == "bgm"
    if is_bgm:
        steps = estimator.n_steps + estimator.n_egm_steps
    else:  # some of its options are "auto"
        given = estimator.get_params()
        options = config(**{f.name: given[f.name] for f in fields(config) if f.name in given})
        steps = int(options.value("n_training_steps"))

    def short(few: int) -> object:
        one: Any = clone(estimator)
        training = {"n_steps": few, "n_egm_steps": 0} if is_bgm else {"n_training_steps": few}
        return one.set_params(**training, progress=False).fit(model.frame)

    seconds = n_fits * by_steps(short, 5, 45, steps)
    n, d = model.rows.values.shape
    return Plan(
        on=f"{n:,} rows and {d} columns",
        seconds=seconds,
        sure="for the training alone",
        facts={
            "rows": n,
            "columns": model.rows.names,
            "left_out": model.left_out,
            "missing_cells": int(np.isnan(model.rows.values).sum()),
        },
    )
