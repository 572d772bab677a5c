"""Sections that every page of a run has: the answer, what can be trusted, the data, the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from aetia.files import plain_json
from aetia.plots import plot_learning_curve
from aetia.report.figures import svg_data_uri
from aetia.report.numbers import show
from aetia.report.sections.blocks import (
    Block,
    Details,
    Facts,
    Figure,
    Findings,
    Preformatted,
    Section,
    Table,
    Words,
)
from aetia.results import RunFacts
from aetia.results.earlier_keys import CLASS_NAMES

if TYPE_CHECKING:
    from aetia.report.checks import Finding
    from aetia.report.context import RunContext

__all__ = ["answer", "data", "diagnostics", "method_name", "run", "training"]


def method_name(facts: RunFacts) -> str:
    """Name the method as its class is called.

    Args:
        facts: Of the run.

    Returns:
        ``"DiBS"`` for ``dibs``; the key itself for methods of others.
    """
    return CLASS_NAMES.get(facts.method, facts.method) or "unknown method"


def answer(words: Sequence[str], more: Sequence[Block] = ()) -> Section:
    """Show the answer in sentences, the first of them large.

    Args:
        words: The sentences.
        more: What stands under them.

    Returns:
        The section.
    """
    first = [Words(text, "answer") for text in words[:1]]
    return Section("answer", "Answer", [*first, *map(Words, words[1:]), *more])


def diagnostics(found: Sequence[Finding], warnings: Sequence[str] = ()) -> Section:
    """Show what the checks found, and what was said during the run.

    Args:
        found: The findings, the gravest first.
        warnings: Messages.

    Returns:
        The section.
    """
    blocks = [Findings(found), *(Words(text, "warn") for text in warnings)]
    return Section("diagnostics", "Can it be trusted?", blocks)


def training(curves: Mapping[str, Any]) -> list[Section]:
    """Draw curves of a training.

    Args:
        curves: As from :func:`aetia.report.learning.learning_curves`.

    Returns:
        One section; none without curves.
    """
    if not curves:
        return []
    image = svg_data_uri(plot_learning_curve(curves)[0])
    return [Section("trace", "Training", [Figure(image, "Losses along the training", "wide")])]


def data(context: RunContext) -> Section | None:
    """Show the columns of the table.

    Args:
        context: With their summary.

    Returns:
        The section; None without a summary.
    """
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
    """Show method, time, steps, seed, version and options.

    Args:
        facts: Of the run.
        more: Further blocks; facts among them join the table.

    Returns:
        The section.
    """
    steps = "none" if facts.n_steps is None else show(facts.n_steps)
    rows = [
        ("Method", method_name(facts)),
        ("Time (seconds)", "–" if facts.seconds is None else show(float(facts.seconds))),
        ("Steps", steps),
        *([] if facts.best_step is None else [("Step of the kept weights", show(facts.best_step))]),
        ("Seed", "–" if facts.seed is None else str(facts.seed)),
        *([("Device", facts.device)] if facts.device else []),
        ("Version of aetia", facts.version),
    ]
    rows += [row for block in more if isinstance(block, Facts) for row in block.rows]
    others = [block for block in more if not isinstance(block, Facts)]
    config = Details("Configuration", [Preformatted(as_yaml(facts.config))])
    return Section("run", "Run", [Facts(rows), *others, config])


def as_yaml(values: Mapping[str, Any]) -> str:
    """Write nested plain values as YAML."""
    return yaml.safe_dump(plain_json(values), sort_keys=False, allow_unicode=True)
