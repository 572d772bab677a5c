"""The verb ``experiment``."""

from __future__ import annotations

from typing import Annotated

import typer


def experiment(
    words: Annotated[list[str] | None, typer.Argument(help="Hydra's command line.")] = None,
) -> None:
    """Pre-train, infer and evaluate from a configuration (Hydra)."""
    from aetia.cli.experimenting import run_experiments

    run_experiments(words or [])
