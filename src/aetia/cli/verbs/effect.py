"""The verb ``effect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aetia.cli import options as o


def effect(
    table: o.TableName,
    treatment: Annotated[
        str,
        typer.Option(help="Column of the treatment: two arms, or doses."),
    ],
    outcome: Annotated[str, typer.Option(help="Column of the outcome, which must hold numbers.")],
    covariates: Annotated[
        list[str] | None,
        typer.Option(
            help="Columns to adjust for, as a,b; by default all others. Repeat as needed.",
        ),
    ] = None,
    exclude: o.Exclude = None,
    method: Annotated[
        str | None,
        typer.Option(
            help=f"One of: {', '.join(o.EFFECT_METHODS)}; causalbgm unless --config names another.",
        ),
    ] = None,
    auxiliary: Annotated[
        str | None,
        typer.Option(
            help="Column of a site, batch or time segment that was observed for every unit. "
            "identifiable needs it, no other method takes it.",
        ),
    ] = None,
    treated: Annotated[
        str | None,
        typer.Option(
            help="Level of the treatment whose effect is reported; by default the second arm, or "
            "the dose 1.",
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            help="Level that it is compared with; by default the first arm, or the dose 0.",
        ),
    ] = None,
    doses: Annotated[
        str | None,
        typer.Option(
            help="Doses of the dose response, in units of the treatment: 0,1,2 or "
            "start:stop:count.",
        ),
    ] = None,
    level: o.Level = 0.9,
    drop_missing: Annotated[
        bool,
        typer.Option(
            help="Leave out rows without treatment or outcome, which are refused otherwise. If "
            "whether they are missing depends on the outcome, the answer is biased.",
        ),
    ] = False,
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
    """Estimate the effect of a treatment.

    Writes a folder with the effect on average and for every unit, with intervals, and an HTML
    report.
    """
    given = locals()
    from aetia.cli.estimating import effect_job
    from aetia.cli.request import Request
    from aetia.cli.runner import run

    run(Request(**given), effect_job)
