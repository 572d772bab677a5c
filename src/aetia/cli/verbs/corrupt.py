"""The verb ``corrupt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aetia.cli import options as o


def corrupt(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help="The true values, one row for each time: a CSV or Parquet file, or the name of a "
            "data set from `aetia datasets`.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Name of a ready-made condition; --list shows all of them."),
    ] = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="List the presets, a line each, and stop.")
    ] = False,
    time: o.Time = None,
    series: o.Series = None,
    regime: Annotated[
        str | None, typer.Option(help="Column of regimes, which stay as they are.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Columns to copy as they are, as a,b. Repeat as needed."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="CSV file of the true edges, with the columns source, target and perhaps lag; "
            "losses by causes follow them.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of options, which beat those of --preset."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Set one option, as noise=0.2 or missing.rate=0.3; this beats --config. Repeat as "
            "needed.",
        ),
    ] = None,
    seed: o.Seed = None,
    out: o.Out = Path("corrupted"),
    as_json: o.Json = False,
    force: o.Force = False,
) -> None:
    """Corrupt the readings of sensors, with everything known.

    Adds noise, bias, drift and losses. Writes data.csv, which sensors would show; clean.csv and
    observed.csv, which are true; and corruption.json, which says what was done.
    """
    given = locals()
    from aetia.cli.corrupting import list_presets, run_corrupt
    from aetia.cli.request import Request

    if show_list:
        list_presets(as_json=as_json)
        return
    run_corrupt(Request(**given))
