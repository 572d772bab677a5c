"""An experiment over families of tasks: results of all of them, files, page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aetia.files import read_json, write_json
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind
from aetia.report.sections import Section
from aetia.results import RunFacts

__all__ = ["EXPERIMENT", "ExperimentAnswers"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ExperimentAnswers:
    """What an experiment found on every family of tasks.

    Attributes:
        results: What ``metrics.json`` holds.
        facts: What is known about the run; ``config`` is the resolved configuration.
    """

    results: Mapping[str, Any]
    facts: RunFacts = field(default_factory=RunFacts)


def _words(answers: ExperimentAnswers) -> list[str]:
    """Say how well edges are ranked on every family."""
    words = []
    for family, values in answers.results["families"].items():
        shown = ", ".join(
            f"{metric} {values[metric]:.3f}"
            for metric in ("auroc", "average_precision", "expected_f1", "ece")
            if values.get(metric) is not None
        )
        words.append(f"{answers.results['name']} on {family} ({values['n_tasks']} tasks): {shown}")
    return words


def _write(answers: ExperimentAnswers, folder: Path) -> dict[str, Path]:
    return {"metrics": write_json(folder / "metrics.json", answers.results)}


def _read(folder: Path, summary: Mapping[str, Any]) -> ExperimentAnswers:
    return ExperimentAnswers(
        results=read_json(folder / "metrics.json"), facts=RunFacts.from_dict(summary["facts"])
    )


def _page(answers: ExperimentAnswers, context: RunContext) -> list[Section]:
    return []


EXPERIMENT = RunKind[ExperimentAnswers](
    name="experiment",
    facts=lambda answers: answers.facts,
    kept=lambda answers: {},
    write=_write,
    read=_read,
    words=_words,
    plain=lambda answers: answers.results,
    page=_page,
    is_in_place=True,
)
