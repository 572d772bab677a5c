"""Sections that every page of a run has: the answer, what can be trusted, the data, the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from aetia.files import plain_json
from aetia.plots import plot_learning_curve
from aetia.report.numbers import show
from aetia.report.sections.blocks import (
    Block,
    Details,
    Facts,
    Findings,
    Heading,
    Preformatted,
    Section,
    Table,
    Words,
    picture,
)
from aetia.report.sections.texts import labelled
from aetia.results import Draws, RunFacts
from aetia.results.earlier_keys import CLASS_NAMES

if TYPE_CHECKING:
    from aetia.graphs import Knowledge
    from aetia.report.checks import Finding
    from aetia.report.context import RunContext

__all__ = [
    "answer",
    "as_yaml",
    "data",
    "diagnostics",
    "knowledge",
    "method_name",
    "model_facts",
    "run",
    "training",
]


def method_name(facts: RunFacts) -> str:
    """Name the method as its class is called."""
    return CLASS_NAMES.get(facts.method, facts.method) or "unknown method"


def answer(words: Sequence[str], more: Sequence[Block] = ()) -> Section:
    """Show the answer in sentences, the first of them large."""
    first = [Words(text, "answer") for text in words[:1]]
    return Section("answer", "Answer", [*first, *map(Words, words[1:]), *more])


def diagnostics(found: Sequence[Finding], warnings: Sequence[str] = ()) -> list[Section]:
    """Show what the checks found, and what was said during the run, if anything."""
    said = {f.text.casefold() for f in found}
    shown = [text for text in warnings if text.casefold() not in said]
    codes = [Words("docs/checks.md explains every code.", "note")] if found else []
    blocks = [Findings(found), *(Words(text, "warn") for text in shown), *codes]
    return [Section("diagnostics", "Can it be trusted?", blocks)] if found or shown else []


def training(curves: Mapping[str, Any]) -> list[Section]:
    """Draw curves of a training."""
    if not curves:
        return []
    image = plot_learning_curve(curves)[0]
    return [Section("trace", "Training", [picture(image, "Losses along the training", "wide")])]


def model_facts(told: Mapping[str, Any], draws: Draws) -> list[tuple[str, str]]:
    """List what is peculiar to a generative model of a table."""
    return labelled("tables.quantities", {**told, **draws.diagnostics})


def data(context: RunContext) -> Section | None:
    """Show the columns of the table."""
    if not context.data_summary:
        return None
    columns = {name: list(values) for name, values in context.data_summary.items()}
    rows = [
        {name: show(values[i]) for name, values in columns.items()}
        for i in range(len(next(iter(columns.values()))))
    ]
    left_out = f"Not used: {', '.join(context.left_out)}."
    return Section("data", "Data", [*([Words(left_out)] if context.left_out else []), Table(rows)])


def run(facts: RunFacts, more: Sequence[Block] = ()) -> Section:
    """Show method, time, steps, seed, version and options."""
    rows = [
        ("Method", method_name(facts)),
        ("Time (seconds)", show(facts.seconds)),
        ("Steps", show(facts.n_steps)),
        *([] if facts.best_step is None else [("Step of the kept weights", show(facts.best_step))]),
        ("Seed", "–" if facts.seed is None else str(facts.seed)),
        *([("Device", facts.device)] if facts.device else []),
        ("Version of aetia", facts.version),
    ]
    rows += [row for block in more if isinstance(block, Facts) for row in block.rows]
    others = [block for block in more if not isinstance(block, Facts)]
    config = Details("Configuration", [Preformatted(as_yaml(facts.config))])
    return Section("run", "Run", [Facts(rows), *others, config])


def knowledge(known: Knowledge) -> list[Block]:
    """Show what the user stated about the graph."""
    stated = known.to_dict()
    if not stated:
        return []
    text = yaml.safe_dump(stated, allow_unicode=True).strip()
    return [Heading("Knowledge"), Preformatted(text)]


def as_yaml(values: Mapping[str, Any]) -> str:
    """Write nested plain values as YAML."""
    return yaml.safe_dump(plain_json(values), sort_keys=False, allow_unicode=True)
