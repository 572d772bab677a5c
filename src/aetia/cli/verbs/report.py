"""The verb ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Folder of a run: one that discover, effect, impute, generate, diffusion or "
            "experiment wrote, or any with a health.jsonl, also while the training goes on.",
        ),
    ],
) -> None:
    """Make the report of a run again, from what its folder holds.

    Also makes the page of the training's health where there is a record of it, and prints the
    pages.
    """
    from aetia.report import rebuild_report

    made = rebuild_report(run)
    for page in dict.fromkeys([made, *sorted(run.glob("health*.html"))]):
        typer.echo(str(page))
