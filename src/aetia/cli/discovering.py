"""What ``discover`` does with a table of independent rows, and which method it takes."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache, partial
from inspect import signature
from pathlib import Path
from typing import Any

from aetia.cli.discovering_series import series_job
from aetia.cli.effect_words import effects_in_words, read_effect_words
from aetia.cli.estimates import by_columns, by_steps
from aetia.cli.method_options import Method, read_method
from aetia.cli.request import Request
from aetia.cli.runner import Job, Plan
from aetia.cli.tables import (
    choose_columns,
    missing_table,
    public_table,
    read_truth,
    split_names,
    truth_graph,
)
from aetia.data import Dataset, read_frame
from aetia.discovery import METHODS, choose_method, read_discovery_table
from aetia.errors import InputError
from aetia.graphs import Knowledge
from aetia.report import GraphAnswers, collect_graph
from aetia.results.adjacency_table import adjacency_line

__all__ = ["discovery_job"]

_SHOWN_PAIRS = 10
"""Pairs of columns that the terminal lists; edges.csv has all."""


def discovery_job(
    asked: Request, knowledge: Knowledge | None = None, title: str | None = None
) -> Job:
    """Prepare ``discover``.

    Args:
        asked: What the user asked for.
        knowledge: What is known about the graph; None reads the file that was named, if any.
        title: Heading of the report; None names the table.

    Returns:
        What to do.
    """
    table = cache(partial(_read, asked))
    method = read_method(asked, METHODS, partial(_choose, asked, table))
    takes_series = "time" in signature(method.estimator.fit).parameters  # pyright: ignore
    (_check_series if takes_series else _check_rows)(asked, method)
    method = method._replace(options=method.options | _named_options(asked, method))
    if asked.knowledge is not None:
        knowledge = Knowledge.from_yaml(asked.knowledge)
    title = title or f"Causes in {Path(asked.table).name}"
    if takes_series:
        return series_job(asked, method, knowledge, title)
    data = table()
    wanted = [read_effect_words(text, data) for text in asked.effect or ()]
    if wanted:
        _check_weights(asked, method, data)
    truth = truth_graph(read_truth(asked.truth, data.names), data.names)
    if knowledge is not None:
        knowledge.constraints(data.names)
    estimator = method.make(asked)

    def answer() -> GraphAnswers:
        posterior = estimator.fit(data, knowledge=knowledge).posterior_
        effects = [e for words in wanted for e in effects_in_words(posterior, data, words)]
        return collect_graph(posterior, effects=effects, truth=truth, method_reason=method.reason)

    return Job(
        kind="graph",
        method=method.name,
        options=method.options,
        plan=partial(_plan, method, data, knowledge),
        answer=answer,
        context={
            "title": title,
            "source": f"{data.source}, {data.n:,} rows, {data.d} columns",
            "data_summary": data.summary(),
        },
        reason=method.reason,
        besides=_details,
    )


def _details(answers: GraphAnswers) -> list[str]:
    """List the pairs of columns that are most probably adjacent, and the effects."""
    rows = answers.posterior.adjacency_table().to_dict("records")
    lines = [f"  {adjacency_line(row)}" for row in rows[:_SHOWN_PAIRS]]
    if len(rows) > _SHOWN_PAIRS:
        lines.append(f"  ... and {len(rows) - _SHOWN_PAIRS} more pairs of positive probability")
    return [*lines, *(repr(effect) for effect in answers.effects)]


def _choose(asked: Request, table: Any) -> tuple[str, str]:
    if asked.time is not None or asked.series is not None:
        return choose_method(0, is_series=True)
    data = table()
    return choose_method(data.d, has_missing=data.has_missing)


def _named_options(asked: Request, method: Method) -> dict[str, Any]:
    """Read options of the method that have a name of their own on the command line."""
    given = {name: getattr(asked, name) for name in ("likelihood", "prior")}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in {f.name for f in fields(method.config)}:
            raise InputError(
                f"--{name}: {method.name} has none; it predicts with pre-trained weights "
                "(--set weights=NAME)."
            )
    method.config(**method.options | given)
    return given


def _check_rows(asked: Request, method: Method) -> None:
    """Refuse options that a method for independent rows has no use for."""
    takes_regimes = method.estimator.accepts.regimes  # pyright: ignore[reportAttributeAccessIssue]
    for option in ("time", "series") if takes_regimes else ("time", "series", "regime"):
        name = getattr(asked, option)
        if name is not None:
            raise InputError(
                f"--{option} {name!r}: {method.name} takes rows as independent and has no use for "
                "it. Use --method rcgnn for time series, or drop the column with "
                f"--exclude {name}."
            )


def _check_series(asked: Request, method: Method) -> None:
    """Refuse options that a method for time series has no use for."""
    name = method.name
    instead = {
        "intervened": f"{name} takes no interventions. Mark rows in which something was set as a "
        "regime of their own: --regime COLUMN.",
        "effect": f"{name} has selection frequencies and no posterior of effects. The weights of "
        "edges are in edges.csv.",
        "likelihood": f"{name} has none. Choose linear or neural mechanisms with --set "
        "backend=linear or --set backend=neural.",
        "prior": f"{name} has none; its penalty weights are options, see `aetia config {name}`.",
        "categorical": f"{name} takes numbers only. Leave the column out: --exclude COLUMN.",
    }
    for option, advice in instead.items():
        given = getattr(asked, option)
        if given:
            shown = given[0] if isinstance(given, list) else given
            raise InputError(f"--{option} {shown!r}: {advice}")


def _check_weights(asked: Request, method: Method, data: Dataset) -> None:
    """Refuse effects before a run that could not give any: cells missing beside categories."""
    linear = {"continuous", "count"} if asked.likelihood == "bge" else {"continuous"}
    others = [n for n, kind in zip(data.names, data.kinds, strict=True) if kind not in linear]
    if method.name == "exact" and data.has_missing and others:
        raise InputError(
            f"--effect {asked.effect[0]!r}: {int((~data.observed).sum())} cells are missing, "
            f"and with {', '.join(map(repr, others[:5]))} among the columns no effects can be "
            "computed along with them: only columns of numbers have weights. Complete the table "
            "first (`aetia impute`), leave these columns out (--exclude), or drop --effect."
        )


def _read(asked: Request) -> Dataset:
    """Read the columns that were asked for; the others are not even checked."""
    data = public_table(asked.table)
    if data is None and not Path(asked.table).exists():
        raise missing_table(asked.table)
    roles = {"intervened": asked.intervened, "regime": asked.regime}
    for option, name in roles.items():
        if data is not None and name is not None:
            raise InputError(
                f"--{option}: data set {asked.table!r} has no column of interventions or regimes."
            )
    table = read_frame(asked.table) if data is None else data
    names = table.names if isinstance(table, Dataset) else tuple(map(str, table.columns))
    chosen = choose_columns(asked, names, roles)
    read = read_discovery_table(
        table,
        intervened=asked.intervened,
        regime=asked.regime,
        categorical=split_names("--categorical", asked.categorical, names),
        exclude=chosen.exclude,
    )
    read = replace(read, source=asked.table if data is None else read.source)
    return read.select(chosen.keep) if chosen.keep else read


def _plan(method: Method, data: Dataset, knowledge: Knowledge | None) -> Plan:
    """Estimate the time of a run from short ones."""
    options, make = method.options, method.estimator

    def short(part: Dataset, **few: Any) -> object:
        # Statements about columns that are left out would be refused.
        return make(**options | few).fit(part, knowledge=knowledge if part is data else None)

    seconds, sure = None, ""
    if method.name == "dibs":
        quiet = {"progress": False, "trace_every": 0}
        steps = int(options.get("n_steps", make().n_steps))
        seconds = by_steps(lambda n: short(data, n_steps=n, **quiet), 4, 24, steps)
    elif method.name == "order-mcmc":  # it stops then
        seconds = float(options.get("max_seconds", make().max_seconds))
        sure = "which is the most it takes"
    elif method.name == "exact":
        seconds, sure = by_columns(short, data)
    else:
        sure = "well under a minute"
    return Plan(
        on=f"{data.n:,} rows and {data.d} columns",
        seconds=seconds,
        sure=sure,
        facts={"rows": data.n, "columns": data.names},
    )
