"""The verb ``generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aetia.cli import options as o


def generate(
    table: o.TableName,
    rows: Annotated[
        int, typer.Option("--rows", "-n", help="How many rows to draw, at least 1.")
    ] = 1000,
    exclude: o.Exclude = None,
    method: o.TableMethod = None,
    config: o.Config = None,
    settings: o.Settings = None,
    seed: o.Seed = None,
    out: o.Out = Path("run"),
    mute: o.Mute = None,
    as_json: o.Json = False,
    dry_run: o.DryRun = False,
    progress: o.Progress = None,
    force: o.Force = False,
) -> None:
    """Draw new rows like those of a table, and compare them with it."""
    given = locals()
    from aetia.cli.request import Request
    from aetia.cli.runner import run

    run(Request(**given), _job)


def _job(asked: Any) -> Any:
    import numpy as np

    from aetia.cli.runner import Job
    from aetia.cli.table_models import read_table_model
    from aetia.errors import InputError
    from aetia.generation.distribution_check import check_distribution
    from aetia.report import collect_generation

    if asked.rows < 1:
        raise InputError(f"--rows must be at least 1, got {asked.rows!r}.")
    model = read_table_model(asked)

    def answer() -> Any:
        fitted, frame, held_out = model.estimator.fit(model.frame), model.frame, None
        draws = fitted.sample(asked.rows)
        if model.method.name == "dddm" and len(unused := fitted.held_out_rows_) >= 20:
            used, rng = frame.drop(index=frame.index[unused]), np.random.default_rng(asked.seed)
            held_out = check_distribution(fitted, used, frame.iloc[unused], rng=rng)._asdict()
        return collect_generation(fitted, draws, model.rows.values, held_out=held_out)

    about = model.job(f"Rows like those of {Path(asked.table).name}")
    return Job(kind="generation", answer=answer, **about)
