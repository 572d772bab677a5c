"""The verb ``impute``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aetia.cli import options as o


def impute(
    table: o.TableName,
    exclude: o.Exclude = None,
    method: o.TableMethod = None,
    missingness: Annotated[
        str | None,
        typer.Option(
            help="mar if whether a cell is missing depends on seen cells only, mnar if values may "
            "hide themselves. An option of bgm, which takes mar by default.",
        ),
    ] = None,
    n_draws: Annotated[
        int,
        typer.Option(help="How often every missing cell is drawn; more give finer intervals."),
    ] = 200,
    fill: Annotated[
        str,
        typer.Option(
            help="What completed.csv holds: the mean of the draws, or one draw, whose columns vary "
            "and go together as the data do.",
        ),
    ] = "mean",
    check_share: Annotated[
        float,
        typer.Option(
            help="Share of the seen cells that are hidden and imputed to check the intervals, up "
            "to 0.5. 0 saves the time of this second fit.",
        ),
    ] = 0.1,
    level: o.Level = 0.9,
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
    """Fill the missing cells of a table, with intervals.

    Writes a folder with the completed table, the intervals and an HTML report.
    """
    given = locals()
    from aetia.cli.request import Request
    from aetia.cli.runner import run

    run(Request(**given), _job)


def _job(asked: Any) -> Any:
    import numpy as np

    from aetia.cli.runner import Job, check_level
    from aetia.cli.table_models import read_table_model
    from aetia.cli.tables import public_table
    from aetia.errors import InputError
    from aetia.generation.held_out import check_imputation
    from aetia.options import nearest
    from aetia.report import collect_imputation, complete_cells, read_cells

    fill, share, n_draws = asked.fill, asked.check_share, asked.n_draws
    check_level(asked.level)
    if fill not in ("mean", "draw"):
        known = nearest(fill, ["mean", "draw"])
        raise InputError(f"--fill takes mean or draw, got {fill!r}.{known}")
    if not 0.0 <= share <= 0.5:
        raise InputError(f"--check-share must lie between 0 (no check) and 0.5, got {share!r}.")
    if n_draws < 1:
        raise InputError(f"--n-draws must be at least 1, got {n_draws!r}.")
    model = read_table_model(asked)
    if not np.isnan(model.rows.values).any():
        raise InputError(
            "no cell is missing in the columns that are used; there is nothing to impute."
        )
    # The text of the file, so that every cell that was given stays as it was written.
    cells = None if public_table(asked.table) is not None else read_cells(asked.table)

    def answer() -> Any:
        fitted, hidden = model.estimator.fit(model.frame), {}
        draws = fitted.impute(n_draws=n_draws)
        if share:
            rng, few = np.random.default_rng(asked.seed), min(n_draws, 100)
            hidden = check_imputation(
                fitted, model.rows, model.frame, share=share, n_draws=few, rng=rng
            )._asdict()
        completed = complete_cells(draws, cells, fill=fill)
        return collect_imputation(fitted, draws, completed, level=asked.level, hidden=hidden)

    title = f"Missing values in {Path(asked.table).name}"
    return Job(kind="imputation", answer=answer, **model.job(title, 2 if share else 1))
