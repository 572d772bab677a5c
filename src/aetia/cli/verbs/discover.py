"""The verb ``discover``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aetia.cli import options as o


def discover(
    table: o.TableName,
    method: Annotated[
        str,
        typer.Option(
            help=f"auto, which lets the table decide, or one of: {', '.join(o.DISCOVERY_METHODS)}. "
            "exact takes up to 25 columns, order-mcmc up to 300, rcgnn time series.",
        ),
    ] = "auto",
    likelihood: Annotated[
        str | None,
        typer.Option(
            help="How a column depends on its causes: auto, which lets the table decide, or one "
            f"of: {', '.join(o.LIKELIHOODS)}. block takes mixed kinds; mlp is for dibs.",
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            help=f"How probable graphs are before the table is seen: {', '.join(o.PRIORS)}.",
        ),
    ] = None,
    categorical: Annotated[
        list[str] | None,
        typer.Option(
            help="Columns of numbers that are codes of categories, as a,b. Repeat as needed.",
        ),
    ] = None,
    knowledge: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of what is known about the graph: required and forbidden edges, tiers, "
            "roots, sinks, beliefs.",
        ),
    ] = None,
    intervened: Annotated[
        str | None,
        typer.Option(
            help="Column that names the variable that was set in each row; empty where none was.",
        ),
    ] = None,
    exclude: o.Exclude = None,
    columns: o.Columns = None,
    time: o.Time = None,
    series: o.Series = None,
    regime: Annotated[
        str | None,
        typer.Option(
            help="Column of conditions that may change mechanisms: site, season, setting. exact "
            "and rcgnn take it.",
        ),
    ] = None,
    effect: Annotated[
        list[str] | None,
        typer.Option(
            help="Also report the effect 'a -> b' of setting a; on several outcomes 'a -> b, c'; "
            "of levels 'a: 30 vs 25 -> b'; of doses, each against the first, 'a: 20, 25, 30 -> b'; "
            "of labels 'a: high vs low -> b'. Repeat as needed.",
        ),
    ] = None,
    truth: o.Truth = None,
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
    """Find the causal graphs of a table, or of time series.

    Writes a folder with the probabilities of all edges, what they rest on, and an HTML report.
    """
    given = locals()
    from aetia.cli.discovering import discovery_job
    from aetia.cli.request import Request
    from aetia.cli.runner import run

    run(Request(**given), discovery_job)
