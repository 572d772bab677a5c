"""The verbs and their options; nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aetia.cli.diffusing import diffusion

__all__ = ["app"]

app = typer.Typer(
    name="aetia",
    help="Bayesian causal learning: a table in; graphs, effects, missing values and a report out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(diffusion)

Out = Annotated[Path, typer.Option("--out", help="Folder for the results; made if needed.")]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Seed; the same seed gives the same result.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set one option of the method, as name=value. Repeat as needed."),
]


@app.command()
def demo(
    out: Out = Path("demo-run"),
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Discover causes in a real, bundled table and write a report: about a minute, offline."""
    from aetia.cli.discovering import run_demo

    run_demo(out=out, seed=seed, as_json=as_json, quiet=quiet)


@app.command()
def discover(
    table: Annotated[
        str, typer.Argument(help="CSV or Parquet file, or a name from `aetia datasets`.")
    ],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="auto; exact (up to 25 columns), order-mcmc (to 300), rcgnn (time series); by "
            "name also dibs, avici, bcnp.",
        ),
    ] = "auto",
    likelihood: Annotated[
        str | None,
        typer.Option(
            "--likelihood",
            help="auto; bge, linear, additive, normal-scores, rank-basis, block (mixed kinds), "
            "bdeu, qnml; mlp of dibs.",
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            "--prior",
            help="Prior of the graph: sparse, uniform, fair, erdos-renyi, scale-free, bic.",
        ),
    ] = None,
    categorical: Annotated[
        list[str] | None,
        typer.Option("--categorical", help="Column of numbers that are codes. Repeat as needed."),
    ] = None,
    knowledge: Annotated[
        Path | None, typer.Option("--knowledge", help="YAML file of what is known about the graph.")
    ] = None,
    intervened: Annotated[
        str | None,
        typer.Option("--intervened", help="Column that names the intervened variable of each row."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Column to leave out. Repeat as needed.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", "--columns", help="Column to use; default all. Repeat."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", help="Column of times; default: rows are in order. Of rcgnn."),
    ] = None,
    series: Annotated[
        str | None, typer.Option("--series", help="Column that tells recordings apart. Of rcgnn.")
    ] = None,
    regime: Annotated[
        str | None,
        typer.Option(
            "--regime", help="Column of conditions: site, season, setting. Of exact and rcgnn."
        ),
    ] = None,
    effect: Annotated[
        list[str] | None,
        typer.Option(
            "--effect",
            help="Also report the effect 'a -> b' of setting a; of several outcomes 'a -> b, c'; "
            "of levels 'a: 30 vs 25 -> b'; of doses, each against the first, 'a: 20, 25, 30 -> b'; "
            "of labels 'a: high vs low -> b'. Repeat.",
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth", help="CSV of the known edges (source,target[,lag]), to compare with."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of options; see `aetia config`.")
    ] = None,
    settings: Settings = None,
    seed: Seed = None,
    out: Out = Path("run"),
    as_json: Json = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything and estimate the time; write nothing."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Find the causal graphs of a table, or of time series, and write a report."""
    from aetia.cli.discovering import Request, run_discover

    run_discover(
        Request(
            table=table,
            method=method,
            likelihood=likelihood,
            prior=prior,
            categorical=tuple(categorical or ()),
            knowledge=knowledge,
            intervened=intervened,
            exclude=tuple(exclude or ()),
            columns=tuple(columns or ()),
            time=time,
            series=series,
            regime=regime,
            effects=tuple(effect or ()),
            truth=truth,
            config=config,
            settings=tuple(settings or ()),
            seed=seed,
            out=out,
            as_json=as_json,
            dry_run=dry_run,
            quiet=quiet,
        )
    )


Table = Annotated[str, typer.Argument(help="CSV or Parquet file, or a name from `aetia datasets`.")]
Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress", " /--quiet", help="Progress bar; default in terminals."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")]
Level = Annotated[float, typer.Option("--level", help="Probability inside intervals.")]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", help="Columns to leave out: a,b. Repeat as needed.")
]
OptionsFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file of options; see `aetia config`.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check everything and estimate the time; write nothing."),
]


@app.command()
def effect(
    table: Table,
    treatment: Annotated[str, typer.Option("--treatment", help="Column: two arms or a dose.")],
    outcome: Annotated[str, typer.Option("--outcome", help="Column of numbers.")],
    covariates: Annotated[
        list[str] | None,
        typer.Option("--covariates", help="Columns to adjust for: a,b; default all others."),
    ] = None,
    exclude: Exclude = None,
    method: Annotated[
        str, typer.Option("--method", help="causalbgm, identifiable or full-mcmc.")
    ] = "causalbgm",
    auxiliary: Annotated[
        str | None,
        typer.Option("--auxiliary", help="Column of a site, batch or segment; of identifiable."),
    ] = None,
    treated: Annotated[
        str | None, typer.Option("--treated", help="Level to compare; default 1 or the 2nd arm.")
    ] = None,
    control: Annotated[
        str | None, typer.Option("--control", help="... with this; default 0 or the first arm.")
    ] = None,
    doses: Annotated[
        str | None,
        typer.Option("--doses", help="Doses of the response: 0,1,2 or start:stop:count."),
    ] = None,
    level: Level = 0.9,
    drop_missing: Annotated[
        bool,
        typer.Option("--drop-missing", help="Leave out rows without treatment or outcome."),
    ] = False,
    config: OptionsFile = None,
    settings: Settings = None,
    seed: Seed = None,
    out: Out = Path("run"),
    as_json: Json = False,
    dry_run: DryRun = False,
    progress: Progress = None,
    force: Force = False,
) -> None:
    """Estimate the effect of a treatment, on average and for every unit, and write a report."""
    from aetia.cli.estimating import EffectRequest, run_effect

    run_effect(
        EffectRequest(
            table=table,
            treatment=treatment,
            outcome=outcome,
            covariates=tuple(covariates or ()),
            exclude=tuple(exclude or ()),
            auxiliary=auxiliary,
            method=method,
            treated=treated,
            control=control,
            doses=doses,
            level=level,
            drop_missing=drop_missing,
            config=config,
            settings=tuple(settings or ()),
            seed=seed,
            out=out,
            as_json=as_json,
            dry_run=dry_run,
            progress=progress,
            force=force,
        )
    )


@app.command()
def impute(
    table: Table,
    exclude: Exclude = None,
    method: Annotated[str, typer.Option("--method", help="bgm or dddm.")] = "bgm",
    missingness: Annotated[
        str | None,
        typer.Option("--missingness", help="mar, or mnar if values may hide themselves."),
    ] = None,
    n_draws: Annotated[int, typer.Option("--n-draws", help="Draws of every missing cell.")] = 200,
    fill: Annotated[
        str, typer.Option("--fill", help="completed.csv: mean of the draws, or one draw.")
    ] = "mean",
    check_share: Annotated[
        float,
        typer.Option("--check-share", help="Share of seen cells to hide for the check; 0: none."),
    ] = 0.1,
    level: Level = 0.9,
    config: OptionsFile = None,
    settings: Settings = None,
    seed: Seed = None,
    out: Out = Path("run"),
    as_json: Json = False,
    dry_run: DryRun = False,
    progress: Progress = None,
    force: Force = False,
) -> None:
    """Fill the missing cells of a table, with intervals, and write a report."""
    from aetia.cli.imputing import run_impute
    from aetia.cli.table_models import TableRequest

    run_impute(
        TableRequest(
            table=table,
            exclude=tuple(exclude or ()),
            method=method,
            missingness=missingness,
            n_draws=n_draws,
            fill=fill,
            check_share=check_share,
            level=level,
            config=config,
            settings=tuple(settings or ()),
            seed=seed,
            out=out,
            as_json=as_json,
            dry_run=dry_run,
            progress=progress,
            force=force,
        )
    )


@app.command()
def generate(
    table: Table,
    rows: Annotated[int, typer.Option("--rows", "-n", help="Rows to draw.")] = 1000,
    exclude: Exclude = None,
    method: Annotated[str, typer.Option("--method", help="bgm or dddm.")] = "bgm",
    config: OptionsFile = None,
    settings: Settings = None,
    seed: Seed = None,
    out: Out = Path("run"),
    as_json: Json = False,
    dry_run: DryRun = False,
    progress: Progress = None,
    force: Force = False,
) -> None:
    """Draw new rows like those of a table, and write a report that compares them."""
    from aetia.cli.generating import run_generate
    from aetia.cli.table_models import TableRequest

    run_generate(
        TableRequest(
            table=table,
            rows=rows,
            exclude=tuple(exclude or ()),
            method=method,
            config=config,
            settings=tuple(settings or ()),
            seed=seed,
            out=out,
            as_json=as_json,
            dry_run=dry_run,
            progress=progress,
            force=force,
        )
    )


@app.command()
def simulate(
    d: Annotated[
        int | None,
        typer.Option("--variables", "-d", help="Variables (10), or covariates of a study."),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("--rows", "-n", help="Observational rows (500), or units of a study."),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            help="A study with known effects instead of a graph: hirano-imbens, sun, colangelo, "
            "binary-latent, hahn or nie-wager."
        ),
    ] = None,
    graph: Annotated[str, typer.Option(help="erdos-renyi or scale-free.")] = "erdos-renyi",
    edges_per_node: Annotated[float, typer.Option(help="Expected edges over variables.")] = 2.0,
    direction: Annotated[
        str, typer.Option(help="Scale-free graphs: in-hub, out-hub or random-order.")
    ] = "in-hub",
    mechanism: Annotated[str, typer.Option(help="linear or mlp.")] = "linear",
    noise: Annotated[
        str, typer.Option(help="gaussian, laplace, uniform, student, gumbel, cauchy.")
    ] = "gaussian",
    noise_variance: Annotated[
        str, typer.Option(help="One variance, or low,high for unequal ones.")
    ] = "0.1",
    interventional: Annotated[int, typer.Option(help="Interventional rows to add.")] = 0,
    seed: Seed = None,
    out: Out = Path("simulated"),
    as_json: Json = False,
) -> None:
    """Simulate a table with known causes (or, with --study, known effects) and write both."""
    from aetia.cli.simulating import run_simulate, run_simulate_study

    if study is not None:
        run_simulate_study(study, n=n, n_covariates=d, seed=seed, out=out, as_json=as_json)
        return
    run_simulate(
        {
            "d": 10 if d is None else d,
            "n": 500 if n is None else n,
            "graph": graph,
            "edges_per_node": edges_per_node,
            "direction": direction,
            "mechanism": mechanism,
            "noise": noise,
            "n_interventional": interventional,
        },
        noise_variance=noise_variance,
        seed=seed,
        out=out,
        as_json=as_json,
    )


@app.command()
def corrupt(
    table: Annotated[
        str | None, typer.Argument(help="CSV or Parquet file of true values, one row per time.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", help="Named condition; --list shows all of them.")
    ] = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="List the presets, a line each, and stop.")
    ] = False,
    time: Annotated[
        str | None, typer.Option("--time", help="Column of times; default: rows are in order.")
    ] = None,
    series: Annotated[
        str | None, typer.Option("--series", help="Column that tells recordings apart.")
    ] = None,
    regime: Annotated[str | None, typer.Option("--regime", help="Column of regimes.")] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", help="Columns to copy as they are: a,b. Repeat as needed."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="CSV of edges (source,target); losses by causes follow them."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of options, over those of --preset.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Set one option: noise=0.2, missing.rate=0.3. Repeat."),
    ] = None,
    seed: Seed = None,
    out: Out = Path("corrupted"),
    as_json: Json = False,
) -> None:
    """Corrupt the readings of sensors, with everything known: noise, bias, drift, losses."""
    from aetia.cli.corrupting import CorruptRequest, run_corrupt, run_list

    if show_list:
        run_list(as_json=as_json)
        return
    run_corrupt(
        CorruptRequest(
            table=table,
            preset=preset,
            time=time,
            series=series,
            regime=regime,
            exclude=tuple(exclude or ()),
            truth=truth,
            config=config,
            settings=tuple(settings or ()),
            seed=seed,
            out=out,
            as_json=as_json,
        )
    )


@app.command()
def report(
    run: Annotated[
        Path,
        typer.Argument(
            help="Folder written by discover, effect, impute, generate, diffusion or experiment, "
            "or any with a health.jsonl."
        ),
    ],
) -> None:
    """Make the HTML report of a run again, and the page of its training's health."""
    from aetia.report import rebuild_report

    made = rebuild_report(run)
    for page in dict.fromkeys([made, *sorted(run.glob("health*.html"))]):
        typer.echo(str(page))


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
    add_help_option=False,
)
def experiment(
    words: Annotated[list[str] | None, typer.Argument(help="Hydra's command line.")] = None,
) -> None:
    """Pre-train, infer and evaluate from a configuration (Hydra); --help lists the options.

    Examples: aetia experiment --config-name smoke; aetia experiment --config-name
    train_competence trainer.max_steps=1000 --devices 2; add --print-config to see it first.
    """
    from aetia.cli.experimenting import run_experiments

    run_experiments(words or [])


@app.command()
def config(
    method: Annotated[
        str,
        typer.Argument(
            help="dibs, exact, avici, bcnp, rcgnn, causalbgm, identifiable, full-mcmc or bgm."
        ),
    ],
) -> None:
    """Print the options of a method with their defaults and meaning, as YAML."""
    from aetia.cli.options_file import describe_options

    typer.echo(describe_options(method), nl=False)


@app.command()
def datasets(as_json: Json = False) -> None:
    """List the public data sets that `aetia discover` takes by name."""
    from aetia.cli.listing import run_datasets

    run_datasets(as_json=as_json)


@app.command()
def version() -> None:
    """Print the version."""
    from aetia.version import __version__

    typer.echo(__version__)
