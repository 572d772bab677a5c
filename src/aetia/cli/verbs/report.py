"""The verb ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run: one that discover, effect, impute, generate, diffusion or "
            "experiment wrote, or any with a health.jsonl, also while the training goes on."
        ),
    ],
) -> None:
    """Make the HTML report of a run again, and the page of its training's health."""
    from aetia.report import rebuild_report

    made = rebuild_report(run)
    for page in dict.fromkeys([made, *sorted(run.glob("health*.html"))]):
        typer.echo(str(page))
