"""What ``discover`` does with recordings: a method for time series."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aetia.cli.method_options import Method
from aetia.cli.runner import Job, Plan, Request
from aetia.cli.tables import choose_columns, read_truth, table_frame
from aetia.data import Placed, place_rows
from aetia.graphs import Knowledge
from aetia.report import SeriesAnswers, collect_series

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["series_job"]


def series_job(asked: Request, method: Method, knowledge: Knowledge | None, title: str) -> Job:
    """Prepare a run on recordings.

    Args:
        asked: What the user asked for.
        method: The method, which is one for time series.
        knowledge: What is known about the graph.
        title: Heading of the report.

    Returns:
        What to do.
    """
    frame, source = table_frame(asked.table)
    columns = [str(c) for c in frame.columns]
    roles = {"time": asked.time, "series": asked.series, "regime": asked.regime}
    exclude = choose_columns(asked, columns, roles).exclude
    placed = place_rows(frame, exclude=exclude, **roles)
    names = placed.windows.names
    truth = read_truth(asked.truth, names)
    if knowledge is not None:
        knowledge.constraints(names)
    estimator = method.make(asked)

    def answer() -> SeriesAnswers:
        estimator.fit(frame.drop(columns=exclude), knowledge=knowledge, **roles)
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
        lead=lambda _: [f"method: {method.name} ({method.reason})"] if method.reason else [],
    )


def _filled(frame: pd.DataFrame, placed: Placed, imputed: np.ndarray) -> pd.DataFrame:
    """Write imputed values into the gaps of the user's table, and nowhere else."""
    out = frame.copy()
    at = (placed.window, placed.step)
    for j, name in enumerate(placed.windows.names):
        gap = ~placed.windows.observed[:, :, j][at]
        if gap.any():
            given = placed.windows.values[:, :, j][at]
            out[name] = np.where(gap, imputed[:, :, j][at], given)
    return out


def _plan(placed: Placed) -> Plan:
    windows = placed.windows
    return Plan(
        on=f"{len(placed.window):,} rows of {windows.d} sensors "
        f"({len(windows.series_names)} recording(s), {max(len(windows.regime_names), 1)} "
        f"regime(s), {windows.n} unbroken stretch(es))",
        facts={
            "rows": len(placed.window),
            "sensors": windows.names,
            "recordings": len(windows.series_names),
            "regimes": windows.regime_names,
            "stretches": windows.n,
        },
    )
