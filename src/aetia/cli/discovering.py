"""The verbs ``discover`` and ``demo``."""

from __future__ import annotations

import contextlib
import json
import sys
import time
import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

from aetia.cli.discovering_series import (
    check_series_options,
    run_discover_series,
    takes_series,
)
from aetia.cli.effect_words import effects_in_words, read_effect_words
from aetia.cli.messages import echo_warnings
from aetia.cli.options_file import read_options, read_yaml
from aetia.cli.tables import missing_table, public_table, split_names
from aetia.data import Dataset, Truth, read_frame
from aetia.discovery import METHODS, choose_method, read_discovery_table
from aetia.errors import ConvergenceError, InputError
from aetia.files import plain_json
from aetia.graphs import Knowledge
from aetia.report import check_writable, write_run
from aetia.results import EffectPosterior, GraphPosterior

__all__ = ["Request", "run_demo", "run_discover"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked ``discover`` for; the command line's words."""

    table: str
    method: str = "auto"
    likelihood: str | None = None
    prior: str | None = None
    categorical: tuple[str, ...] = ()
    knowledge: Path | None = None
    intervened: str | None = None
    exclude: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    time: str | None = None
    series: str | None = None
    regime: str | None = None
    effects: tuple[str, ...] = ()
    truth: Path | None = None
    config: Path | None = None
    settings: tuple[str, ...] = ()
    seed: int | None = None
    out: Path = Path("run")
    as_json: bool = False
    dry_run: bool = False
    quiet: bool = False
    method_reason: str = ""


def run_demo(*, out: Path, seed: int | None, as_json: bool, quiet: bool) -> None:
    """Run the default method on the diabetes table with a little common knowledge.

    Args:
        out: Folder for the results.
        seed: Seed of the run.
        as_json: Print JSON instead of lines.
        quiet: No progress bar.
    """
    knowledge = Knowledge(roots=("age", "sex"), sinks=("progression",))
    request = Request(
        table="diabetes",
        effects=("bmi -> progression", "blood_pressure -> progression"),
        seed=seed,
        out=out,
        as_json=as_json,
        quiet=quiet,
    )
    _discover(_with_method(request), knowledge, title="What drives diabetes progression?")


def run_discover(request: Request) -> None:
    """Run one discovery method on a table and write the run folder.

    Args:
        request: What the user asked for.
    """
    request = _with_method(request)
    options = read_options(request.method, request.config, request.settings, METHODS)
    cls, config = METHODS[request.method]
    check_series_options(request, cls)
    if takes_series(cls):
        config(**options)
        run_discover_series(request, cls, options)
        return
    knowledge = Knowledge.from_yaml(request.knowledge) if request.knowledge else None
    _discover(request, knowledge, title=f"Causes in {Path(request.table).name}")


def _with_method(request: Request) -> Request:
    """Choose the method where the user left it open: what a file of options says, or the table."""
    if request.method != "auto":
        return request
    if request.config is not None:
        named = read_yaml(request.config).get("method")
        if named is not None:
            return replace(request, method=str(named))
    if request.time is not None or request.series is not None:
        name, reason = choose_method(0, is_series=True)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # read again, with them, for the run
            data = _read(request)
            name, reason = choose_method(data.d, has_missing=data.has_missing)
    return replace(request, method=name, method_reason=reason)


def _discover(request: Request, knowledge: Knowledge | None, *, title: str) -> None:
    options = read_options(request.method, request.config, request.settings, METHODS)
    cls, config = METHODS[request.method]
    for name in ("likelihood", "prior"):
        value = getattr(request, name)
        if value is None:
            continue
        if name not in {f.name for f in fields(config)}:
            raise InputError(
                f"--{name}: {request.method} has none; it predicts with pre-trained weights "
                "(--set weights=NAME)."
            )
        options[name] = value
    config(**options)
    if not request.dry_run:
        check_writable(request.out)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        data = _read(request)
        wanted = [read_effect_words(text, data) for text in request.effects]
        if wanted:
            _check_weights(request, data)
        truth = None if request.truth is None else _read_truth(request.truth, data)
        known = cls().get_params()
        ours = {"random_state": request.seed, "progress": False if request.quiet else None}
        options |= {k: v for k, v in ours.items() if k in known}
        if request.dry_run:
            _dry_run(request, cls, options, data, knowledge)
            return
        estimator = cls(**options).fit(data, knowledge=knowledge)
    messages = echo_warnings(caught)
    posterior = estimator.posterior_
    if request.method_reason:
        facts = {**posterior.diagnostics, "method_reason": request.method_reason}
        posterior = replace(posterior, diagnostics=facts)
    effects = [e for words in wanted for e in effects_in_words(posterior, data, words)]
    files = write_run(
        posterior,
        request.out,
        title=title,
        data_summary=data.summary(),
        source=f"{data.source}, {data.n:,} rows, {data.d} columns",
        warnings=messages,
        effects=effects,
        truth=truth,
    )
    _print_result(request, posterior, effects, files)


def _read(request: Request) -> Dataset:
    """Read the columns that were asked for; the others are not even checked."""
    data = public_table(request.table)
    if data is None and not Path(request.table).exists():
        raise missing_table(request.table)
    for name in ("intervened", "regime"):
        if data is not None and getattr(request, name) is not None:
            raise InputError(
                f"--{name}: data set {request.table!r} has no column of interventions or regimes."
            )
    if data is None:
        table = read_frame(request.table)
        names = tuple(map(str, table.columns))
    else:
        table, names = data, data.names
    roles = {request.intervened, request.regime}
    exclude = split_names("--exclude", request.exclude, names)
    chosen = split_names("--columns", request.columns, names)
    for name in chosen:
        if name in roles or name in exclude:
            raise InputError(
                f"--columns: {name!r} is also given as "
                f"{'--exclude' if name in exclude else '--intervened or --regime'}."
            )
    if chosen:
        exclude = [name for name in names if name not in chosen and name not in roles]
    categorical = split_names("--categorical", request.categorical, names)
    read = read_discovery_table(
        table,
        intervened=request.intervened,
        regime=request.regime,
        categorical=categorical,
        exclude=exclude,
    )
    read = replace(read, source=request.table if data is None else read.source)
    return read.select(chosen) if chosen else read


def _check_weights(request: Request, data: Dataset) -> None:
    """Refuse effects before a run that could not give any: cells missing beside categories."""
    linear = {"continuous", "count"} if request.likelihood == "bge" else {"continuous"}
    others = [n for n, kind in zip(data.names, data.kinds, strict=True) if kind not in linear]
    if request.method == "exact" and data.has_missing and others:
        raise InputError(
            f"--effect {request.effects[0]!r}: {int((~data.observed).sum())} cells are missing, "
            f"and with {', '.join(map(repr, others[:5]))} among the columns no effects can be "
            "computed along with them: only columns of numbers have weights. Complete the table "
            "first (`aetia impute`), leave these columns out (--exclude), or drop --effect."
        )


def _read_truth(file: Path, data: Dataset) -> Truth:
    """Read known edges from a CSV with the columns source and target."""
    import pandas as pd

    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read --truth {str(file)!r}: {error}") from error
    if not {"source", "target"} <= set(frame.columns):
        raise InputError(
            f"--truth {str(file)!r} needs the columns source and target, found "
            f"{', '.join(map(str, frame.columns))}."
        )
    graph = np.zeros((data.d, data.d), dtype=bool)
    for source, target in zip(frame["source"], frame["target"], strict=True):
        for name in (source, target):
            data.column(str(name))
        graph[data.names.index(str(source)), data.names.index(str(target))] = True
    return Truth(graph=graph, names=data.names)


def _dry_run(
    request: Request, cls: type, options: dict[str, Any], data: Dataset, knowledge: Knowledge | None
) -> None:
    """Check everything; time a few steps to estimate the whole."""
    if knowledge is not None:
        knowledge.constraints(data.names)
    estimate = None
    if request.method == "dibs":
        n_steps = int(options.get("n_steps", cls().n_steps))
        times = []
        for few in (4, 24):
            short = options | {"n_steps": few, "progress": False, "trace_every": 0}
            started = time.perf_counter()
            with contextlib.suppress(ConvergenceError):  # too few steps to lose all cycles
                cls(**short).fit(data, knowledge=knowledge)
            times.append(time.perf_counter() - started)
        estimate = times[0] + max(times[1] - times[0], 0.0) / 20 * n_steps
    if request.method == "order-mcmc":
        estimate = float(options.get("max_seconds", cls().max_seconds))  # it stops then
    facts = {
        "method": request.method,
        "rows": data.n,
        "columns": list(data.names),
        "options": plain_json({k: v for k, v in options.items() if k != "progress"}),
        "estimated_seconds": estimate,
        "out": str(request.out),
    }
    if request.as_json:
        typer.echo(json.dumps(facts, default=str))
        return
    about = "well under a minute" if estimate is None else f"about {estimate:.0f} s"
    if request.method == "order-mcmc":
        about = about.replace("about", "at most about")
    typer.echo(
        f"would run {request.method} on {data.n:,} rows and {data.d} columns into "
        f"{request.out}/: {about}. Nothing was written."
    )


def _print_result(
    request: Request,
    posterior: GraphPosterior,
    effects: list[EffectPosterior],
    files: dict[str, Path],
) -> None:
    if request.as_json:
        edges = posterior.edge_table().to_dict("records")
        typer.echo(
            json.dumps(
                plain_json(
                    {
                        "edges": edges,
                        "effects": [row for e in effects for row in _effect_rows(e)],
                        "diagnostics": dict(posterior.diagnostics),
                        "files": {k: str(v) for k, v in files.items()},
                    }
                )
            )
        )
        return
    if request.method_reason:
        typer.echo(f"method: {request.method} ({request.method_reason})")
    reason = posterior.diagnostics.get("likelihood_reason")
    if reason:
        typer.echo(f"likelihood: {posterior.diagnostics['likelihood']} ({reason})")
    typer.echo(repr(posterior))
    for e in effects:
        typer.echo(repr(e))
    typer.echo(f"report: {files['report']}", err=False)
    sys.stdout.flush()


def _effect_rows(effect: EffectPosterior) -> list[dict[str, Any]]:
    """List the quantities of an effect: one, or one for each dose and level of the outcome."""
    named = {"treatment": effect.treatment, "outcome": effect.outcome, "control": effect.control}
    if effect.doses is None:
        named["treated"] = effect.treated
    return [named | row for row in effect.frame().to_dict("records")]
