"""The verb ``experiment``."""

from __future__ import annotations

from typing import Annotated

import typer


def experiment(
    words: Annotated[list[str] | None, typer.Argument(help="Hydra's command line.")] = None,
) -> None:
    """Pre-train, infer and evaluate from a configuration (Hydra); --help lists the options.

    Examples: aetia experiment --config-name smoke; aetia experiment --config-name
    train_competence trainer.max_steps=1000 --devices 2; add --print-config to see it first.
    The same command goes on where the run in its folder stopped.
    """
    from aetia.cli.experimenting import run_experiments

    run_experiments(words or [])
