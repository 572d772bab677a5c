"""Imputed cells of a table: answers, files, answer in words, page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aetia.files import write_atomically
from aetia.report.context import RunContext
from aetia.report.kinds.completed_table import Cells, write_cells
from aetia.report.kinds.run_kind import RunKind
from aetia.report.learning import model_curves
from aetia.report.sections import Section
from aetia.results import Draws, RunFacts

__all__ = ["IMPUTATION", "ImputationAnswers", "collect_imputation", "imputation_in_words"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ImputationAnswers:
    """Imputed cells, and whether they can be trusted.

    Attributes:
        draws: Of the missing cells.
        level: Probability inside intervals.
        hidden: Scores of cells that were hidden on purpose, as ``HiddenScores``; empty if none.
        curves: Training curves.
        facts: What is known about the fit: method, seed, time, steps, options.
        training: Plain facts about the training.
        completed: The user's table without holes; None once it lies in its file.
    """

    draws: Draws
    level: float = 0.9
    hidden: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    facts: RunFacts = field(default_factory=RunFacts)
    training: Mapping[str, Any] = field(default_factory=dict)
    completed: Cells | None = None


def collect_imputation(
    estimator: Any,
    draws: Draws,
    completed: Cells,
    *,
    level: float = 0.9,
    hidden: Mapping[str, Any] | None = None,
) -> ImputationAnswers:
    """Collect what the report of an imputation shows.

    Args:
        estimator: The fitted model.
        draws: Its draws of the missing cells.
        completed: The user's table without holes, as from :func:`complete_cells`.
        level: Probability inside intervals.
        hidden: Scores of cells that were hidden on purpose.

    Returns:
        The answers.
    """
    return ImputationAnswers(
        draws=draws,
        level=level,
        hidden=hidden or {},
        curves=model_curves(estimator.history_),
        facts=estimator.facts_,
        training=dict(estimator.health_),
        completed=completed,
    )


_KEPT = ("level", "hidden", "curves", "training")


def _write(answers: ImputationAnswers, folder: Path) -> dict[str, Path]:
    answers.draws.save(folder / "draws")
    intervals = answers.draws.frame(answers.level).to_csv(index=False)
    files = {
        "draws": folder / "draws",
        "intervals": write_atomically(folder / "intervals.csv", intervals),
    }
    if answers.completed is not None:
        text = write_cells(answers.completed)
        files["completed"] = write_atomically(folder / "completed.csv", text)
    return files


def _read(folder: Path, summary: Mapping[str, Any]) -> ImputationAnswers:
    return ImputationAnswers(
        draws=Draws.load(folder / "draws"),
        facts=RunFacts.from_dict(summary["facts"]),
        **{name: summary[name] for name in _KEPT},
    )


def _plain(answers: ImputationAnswers) -> dict[str, Any]:
    return {
        "n_cells": answers.draws.n_cells,
        "n_draws": answers.draws.n_draws,
        "check": answers.hidden,
        "diagnostics": dict(answers.draws.diagnostics),
    }


def imputation_in_words(answers: ImputationAnswers) -> list[str]:
    """Say what was done.

    Args:
        answers: The imputed cells and their check.

    Returns:
        Sentences: how much was missing, and how far the check trusts the cells.
    """
    draws, hidden = answers.draws, answers.hidden
    holes = ~draws.observed
    sentences = [
        f"{draws.n_cells:,} missing cells ({holes.mean():.1%}) in {int(holes.any(1).sum()):,} of "
        f"{len(holes):,} rows and {int(holes.any(0).sum())} of {holes.shape[1]} columns were "
        f"imputed, each with {draws.n_draws:,} draws."
    ]
    if hidden and hidden["rmse_of_mean"]:
        ratio = hidden["rmse"] / hidden["rmse_of_mean"]
        share = {float(k): v for k, v in hidden["coverage"].items()}.get(0.9)
        sentences.append(
            f"{hidden['n_cells']:,} cells that were seen were hidden to check: their error is "
            f"{abs(1 - ratio):.0%} {'smaller' if ratio < 1 else 'larger'} than that of column means"
            + ("." if share is None else f", and {share:.0%} lie inside their 90 % intervals.")
        )
    return sentences


def _page(answers: ImputationAnswers, context: RunContext) -> list[Section]:
    return []


IMPUTATION = RunKind[ImputationAnswers](
    name="imputation",
    facts=lambda answers: answers.facts,
    kept=lambda answers: {name: getattr(answers, name) for name in _KEPT},
    write=_write,
    read=_read,
    words=imputation_in_words,
    plain=_plain,
    page=_page,
)
