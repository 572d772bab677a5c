"""What ``discover`` does with recordings: a method for time series."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aetia.cli.method_options import Method
from aetia.cli.request import Request
from aetia.cli.runner import Job, Plan
from aetia.cli.tables import choose_columns, read_truth, table_frame
from aetia.data import Recordings, place_rows
from aetia.graphs import Knowledge
from aetia.report import SeriesAnswers, collect_series

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["series_job"]


def series_job(asked: Request, method: Method, knowledge: Knowledge | None, title: str) -> Job:
    """Prepare a run of a method for time series."""
    frame, source = table_frame(asked.table)
    columns = [str(c) for c in frame.columns]
    roles = {"time": asked.time, "series": asked.series, "regime": asked.regime}
    exclude = choose_columns(asked, columns, roles).exclude
    placed = place_rows(frame, exclude=exclude, **roles)
    names = placed.names
    truth = read_truth(asked.truth, names)
    if knowledge is not None:
        knowledge.constraints(names)
    estimator = method.make(asked)

    def answer() -> SeriesAnswers:
        estimator.fit(placed, knowledge=knowledge)
        filled = _filled(frame, placed, estimator.imputed_)
        return collect_series(estimator, roles=roles, imputed=filled, truth=truth)

    return Job(
        kind="series",
        method=method.name,
        options=method.options,
        plan=partial(_plan, placed),
        answer=answer,
        context={
            "title": title,
            "source": f"{source}, {len(frame):,} rows, {len(names)} sensors",
            "left_out": exclude,
        },
        reason=method.reason,
    )


def _filled(frame: pd.DataFrame, placed: Recordings, imputed: np.ndarray) -> pd.DataFrame:
    """Write imputed values into the gaps of the user's table, and nowhere else."""
    out, windows = frame.copy(), placed.windows
    cells = (windows.observed, windows.values, imputed)
    observed, given, filled = (placed.at_rows(cell) for cell in cells)
    for j, name in enumerate(placed.names):
        if not observed[:, j].all():
            out[name] = np.where(observed[:, j], given[:, j], filled[:, j])
    return out


def _plan(placed: Recordings) -> Plan:
    return Plan(
        on=f"{placed.n_rows:,} rows of {placed.d} sensors "
        f"({len(placed.series_names)} recording(s), {max(len(placed.regime_names), 1)} "
        f"regime(s), {len(placed.stretches)} unbroken stretch(es))",
        facts={
            "rows": placed.n_rows,
            "sensors": placed.names,
            "recordings": len(placed.series_names),
            "regimes": placed.regime_names,
            "stretches": len(placed.stretches),
        },
    )
