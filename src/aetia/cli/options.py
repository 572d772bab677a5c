"""Options that several verbs share, each with its name and its text in ``--help``.

Nothing heavy is imported here: ``aetia --help`` must be instant. Names of methods, likelihoods and
priors are therefore written out; a test compares them with the registries of the library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DISCOVERY_METHODS = ("exact", "order-mcmc", "dibs", "avici", "bcnp", "rcgnn")
EFFECT_METHODS = ("causalbgm", "identifiable", "full-mcmc")
TABLE_METHODS = ("bgm", "dddm")
LIKELIHOODS = (
    *("bge", "linear", "mlp", "additive", "normal-scores", "rank-basis", "block", "bdeu", "qnml"),
    *("conditional-gaussian", "copula"),
)
PRIORS = ("sparse", "uniform", "fair", "erdos-renyi", "scale-free", "bic")
STUDIES = ("hirano-imbens", "sun", "colangelo", "binary-latent", "hahn", "nie-wager")
NOISES = ("gaussian", "laplace", "uniform", "student", "gumbel", "cauchy")
EXPERIMENTS = tuple(
    [f"experiment-{name}" for name in ("avici", "bcnp", "dibs", "exact", "rcgnn")]
    + ["diffusion-toy", "diffusion-images"]
)

TableName = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="The table: a CSV or Parquet file, or the name of a data set from `aetia datasets`.",
    ),
]
Out = Annotated[
    Path,
    typer.Option(help="Folder for the results. It is made if it does not exist."),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace the run that --out holds. Without it a folder that is not empty is refused; "
        "files that are not part of a run stay.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        help="Seed of all random numbers. The same seed with the same options gives the same "
        "result; without it every run has a new one, which is kept with the result.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout instead of sentences.")
]
Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        " /--quiet",
        help="Show a progress bar or do not; by default it is shown in terminals only.",
    ),
]
Mute = Annotated[
    list[str] | None,
    typer.Option(
        help="Codes of checks that are neither printed nor reported, such as AE004,AG101. "
        "Repeat as needed; docs/checks.md explains every code.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Check table and options, estimate the time, and stop. Nothing is written.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        help="YAML file of options, such as the config.yaml of a run or what `aetia config METHOD` "
        "prints. Its `method` counts if --method is not given.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Set one option of the method, as name=value; this beats --config. `aetia config "
        "METHOD` lists the options. Repeat as needed.",
    ),
]
Level = Annotated[
    float,
    typer.Option(help="Probability with which an interval holds its value, between 0 and 1."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Columns to leave out, as a,b. Repeat as needed."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        "--column",
        help="Columns to use, as a,b; all others are neither read nor checked. Repeat as needed.",
    ),
]
Truth = Annotated[
    Path | None,
    typer.Option(
        help="CSV file of the true edges, with the columns source, target and perhaps lag.",
    ),
]
Time = Annotated[
    str | None,
    typer.Option(help="Column of times. Without it the rows of a recording are in order."),
]
Series = Annotated[
    str | None, typer.Option(help="Column that says to which recording a row belongs.")
]
TableMethod = Annotated[
    str | None,
    typer.Option(
        "--method",
        help=f"The model: {' or '.join(TABLE_METHODS)}; bgm unless --config names another. bgm is "
        "a latent-variable model of numbers, dddm a diffusion model that takes text too.",
    ),
]
