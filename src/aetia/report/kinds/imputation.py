"""Imputed cells of a table: answers, files, answer in words, page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aetia.files import write_atomically
from aetia.plots import plot_imputed_cells, plot_marginals, plot_missingness
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind, read_facts
from aetia.report.numbers import show
from aetia.report.sections.blocks import Block, Facts, Section, Table, picture
from aetia.report.sections.shared import model_facts, training
from aetia.report.sections.texts import cells, labels, note
from aetia.results import Draws, RunFacts
from aetia.results.completed_table import Cells, write_cells
from aetia.training import learning_curves

__all__ = ["IMPUTATION", "ImputationAnswers", "collect_imputation", "imputation_in_words"]

_MOST_PANELS = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class ImputationAnswers:
    """Imputed cells, and whether they can be trusted.

    Attributes:
        draws: Draws of the missing cells.
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
        curves=learning_curves(estimator.history_, labels("tables.curves")),
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
    draws = Draws.load(folder / "draws")
    return ImputationAnswers(
        draws=draws,
        facts=read_facts(summary, draws.facts),
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
    told = model_facts(answers.training, answers.draws)
    return [
        Section("answer", "", [note("tables.imputed")]),
        _missing(answers),
        _distributions(answers),
        *_hidden(answers),
        _imputed_cells(answers),
        *training(answers.curves),
        Section("run", "", [Facts([*_time(answers), *told])]),
    ]


def _time(answers: ImputationAnswers) -> list[tuple[str, str]]:
    """Say how long the cells took, where that is not the time of the fit."""
    seconds = answers.draws.facts.seconds
    if seconds is None or seconds == answers.facts.seconds:
        return []
    return [("Time of the imputation (seconds)", show(float(seconds)))]


def _missing(answers: ImputationAnswers) -> Section:
    draws = answers.draws
    ax, _ = plot_missingness(draws.observed, draws.cell_names())
    for image in ax.images:
        image.set_interpolation("nearest")  # cells have edges
    figure = picture(ax, "The table with its missing cells dark")
    small = note("tables.missing", level=f"{100 * answers.level:g} %")
    return Section("missing", "What is missing?", [figure, Table(_columns(answers)), small])


def _columns(answers: ImputationAnswers) -> list[dict[str, Any]]:
    """Describe the holes of each column and what was put there."""
    frame: Any = answers.draws.frame(answers.level)
    draws = answers.draws
    rows = []
    for j, name in enumerate(draws.cell_names()):
        seen = draws.given[draws.observed[:, j], j]
        mine = frame[frame["column"] == name]
        n, spread = len(mine), float(seen.std())
        row = {"column": name, "n": n, "share": n / len(draws.given), "mean": float(seen.mean())}
        if n:
            width = float((mine["upper"] - mine["lower"]).mean())
            row |= {"width": width, "imputed": float(mine["mean"].mean())}
            row |= {"ratio": width / spread} if spread > 0 else {}
        rows.append(row)
    return cells("tables.missing_columns", rows)


def _distributions(answers: ImputationAnswers) -> Section:
    shown = _observed_and_imputed(answers)
    image = plot_marginals(shown, labels=("observed", "imputed"))[0]
    figure = picture(image, "Histograms of observed and imputed values by column", "wide")
    small = note("tables.distributions", n=len(shown))
    return Section("distributions", "Observed and imputed", [figure, small])


def _observed_and_imputed(
    answers: ImputationAnswers,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Observed values and draws of the columns with the most holes."""
    draws = answers.draws
    holes = ~draws.observed
    count = holes.sum(0)
    order = [j for j in np.argsort(-count, kind="stable") if count[j]][:_MOST_PANELS]
    column_of = np.nonzero(holes)[1]
    source = draws.cells if draws.cells is not None else draws.quantiles
    assert source is not None
    names = draws.cell_names()
    return {
        names[j]: (draws.given[~holes[:, j], j], source[:, column_of == j].ravel()) for j in order
    }


def _hidden(answers: ImputationAnswers) -> list[Section]:
    """Show how well cells that were hidden on purpose are found again."""
    hidden = answers.hidden
    if not hidden:
        return []
    coverage = [
        {"interval": f"{100 * float(k):g} %", "hidden cells inside": f"{v:.1%}"}
        for k, v in hidden.get("coverage", {}).items()
    ]
    blocks: list[Block] = [Table(cells("tables.hidden_columns", hidden.get("columns", ())))]
    blocks += [Table(coverage)] if coverage else []
    heading = "Are hidden cells found again?"
    return [Section("check", heading, [*blocks, note("tables.hidden")])]


def _imputed_cells(answers: ImputationAnswers) -> Section:
    ax, _ = plot_imputed_cells(answers.draws.frame(answers.level), n_cells=30)
    figure = picture(ax, "Means and intervals of the first imputed cells")
    return Section("cells", "Imputed cells", [figure])


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
