"""The verb ``simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aetia.cli import options as o


def simulate(
    variables: Annotated[
        int | None,
        typer.Option(
            "--variables",
            "-d",
            help="How many variables the graph has (10 by default), or covariates a study.",
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows",
            "-n",
            help="How many observational rows to draw (500 by default), or units of a study.",
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            help="Simulate a study with known effects instead of a graph. One of: "
            f"{', '.join(o.STUDIES)}.",
        ),
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option(help="Family of the graph: erdos-renyi (the default) or scale-free."),
    ] = None,
    edges_per_node: Annotated[
        float | None,
        typer.Option(
            help="Expected number of edges over the number of variables (2 by default).",
        ),
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            help="How edges of scale-free graphs point: in-hub (the default) gives few effects of "
            "many causes, out-hub few causes of many effects, random-order neither.",
        ),
    ] = None,
    mechanism: Annotated[
        str | None,
        typer.Option(
            help="How effects depend on their causes: linear (the default) or mlp, a random "
            "network.",
        ),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(help=f"Distribution of the noise. One of: {', '.join(o.NOISES)}."),
    ] = None,
    noise_variance: Annotated[
        str | None,
        typer.Option(
            help="Variance of the noise (0.1 by default), or low,high to draw one for each "
            "variable.",
        ),
    ] = None,
    interventional: Annotated[
        int | None,
        typer.Option(
            help="How many rows to add in which one variable was set (none by default).",
        ),
    ] = None,
    seed: o.Seed = None,
    out: o.Out = Path("simulated"),
    as_json: o.Json = False,
    force: o.Force = False,
) -> None:
    """Simulate a table with known causes, or known effects.

    Writes data.csv, what is true about it (truth.csv) and how it was made (simulation.json).
    """
    given = locals()
    from aetia.cli.request import Request
    from aetia.cli.simulating import run_simulate

    run_simulate(Request(**given))
