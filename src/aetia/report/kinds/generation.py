"""Generated rows: answers, files, answer in words, page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from aetia.files import write_atomically
from aetia.generation.comparison import compare_tables
from aetia.plots import plot_correlations, plot_marginals, plot_prediction_ranks
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind, read_facts
from aetia.report.sections.blocks import Block, Facts, Heading, Section, Table, Words, picture
from aetia.report.sections.shared import model_facts, training
from aetia.report.sections.texts import cells, labels, note, text
from aetia.results import Draws, RunFacts
from aetia.training import learning_curves

__all__ = [
    "GENERATION",
    "GenerationAnswers",
    "collect_generation",
    "generation_in_words",
]

_MOST_PANELS = 24
_MOST_RANKS = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class GenerationAnswers:
    """New rows, and how they compare with the table.

    Attributes:
        draws: The rows.
        comparison: What :func:`compare_tables` found.
        held_out: Check of conditional distributions on rows that were not trained on: ``ranks``,
            ``distances`` by steps, ``floor``; empty if there is none.
        curves: Training curves.
        facts: What is known about the fit: method, seed, time, steps, options.
        training: Plain facts about the training.
    """

    draws: Draws
    comparison: Mapping[str, Any] = field(default_factory=dict)
    held_out: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    facts: RunFacts = field(default_factory=RunFacts)
    training: Mapping[str, Any] = field(default_factory=dict)


def collect_generation(
    estimator: Any,
    draws: Draws,
    real: Float[np.ndarray, "n d"],
    *,
    held_out: Mapping[str, Any] | None = None,
) -> GenerationAnswers:
    """Collect what the report of generated rows shows.

    Args:
        estimator: The fitted model.
        draws: New rows.
        real: Rows of the user, NaN where missing, with the columns of the draws.
        held_out: Check of conditional distributions on rows that were not trained on.

    Returns:
        The answers.
    """
    return GenerationAnswers(
        draws=draws,
        comparison=compare_tables(real, draws.draw(0), draws.cell_names()),
        held_out=held_out or {},
        curves=learning_curves(estimator.history_, labels("tables.curves")),
        facts=estimator.facts_,
        training=dict(estimator.health_),
    )


_KEPT = ("comparison", "held_out", "curves", "training")


def _write(answers: GenerationAnswers, folder: Path) -> dict[str, Path]:
    answers.draws.save(folder / "draws")
    rows = answers.draws.frame().to_csv(index=False)
    return {
        "draws": folder / "draws",
        "generated": write_atomically(folder / "generated.csv", rows),
    }


def _read(folder: Path, summary: Mapping[str, Any]) -> GenerationAnswers:
    draws = Draws.load(folder / "draws")
    return GenerationAnswers(
        draws=draws,
        facts=read_facts(summary, draws.facts),
        **{name: summary.get(name) or {} for name in _KEPT},
    )


def _plain(answers: GenerationAnswers) -> dict[str, Any]:
    return {
        "rows": len(answers.draws.given),
        "auroc": answers.comparison.get("auroc"),
        "columns": answers.comparison["columns"],
        "diagnostics": {**answers.draws.diagnostics, **answers.training},
    }


def generation_in_words(answers: GenerationAnswers) -> list[str]:
    """Say what was done.

    Args:
        answers: The rows and their comparison.

    Returns:
        Sentences: how many rows, and how alike they are.
    """
    columns, auroc = answers.comparison["columns"], answers.comparison.get("auroc")
    real, generated = _matrices(answers)
    gap = np.abs(real - generated).max() if len(real) > 1 else 0.0
    sentences = [f"{len(answers.draws.given):,} rows of {len(columns)} columns were drawn."]
    sentences.append(
        f"The distributions of the columns differ by {max(c['distance'] for c in columns):.2f} at "
        f"most (Kolmogorov-Smirnov distance, 0 to 1), correlations by {gap:.2f} at most."
    )
    if auroc is not None:
        sentences.append(
            f"A classifier that tries to discriminate generated from real rows reaches an AUROC of "
            f"{auroc:.2f}; 0.5 would mean that it cannot."
        )
    return sentences


def _page(answers: GenerationAnswers, context: RunContext) -> list[Section]:
    return [
        _marginals(answers),
        *_correlations(answers),
        *_calibration(answers),
        *_sampler_steps(answers),
        *training(answers.curves),
        Section("run", "", [Facts(model_facts(answers.training, answers.draws))]),
    ]


def _marginals(answers: GenerationAnswers) -> Section:
    """Show histograms and a table of the columns one by one."""
    comparison, rows = answers.comparison, answers.draws.draw(0)
    names = answers.draws.cell_names()
    shown = {
        name: (np.array(comparison["quantiles"][name], dtype=float), rows[:, j])
        for j, name in enumerate(names[:_MOST_PANELS])
    }
    image = plot_marginals(shown, labels=("table", "generated"))[0]
    alt = "Histograms of the columns in the table and in generated rows"
    blocks: list[Block] = [picture(image, alt, "wide")]
    if len(shown) < len(names):
        blocks.append(Words(f"The first {len(shown)} of {len(names)} columns.", "note"))
    table = Table(cells("tables.compared_columns", comparison["columns"]))
    blocks += [table, note("tables.distances")]
    return Section("marginals", "Columns one by one", blocks)


def _matrices(answers: GenerationAnswers) -> tuple[np.ndarray, np.ndarray]:
    """Correlations in the table and in generated rows."""
    both = answers.comparison["correlations"]
    return np.array(both["real"], dtype=float), np.array(both["generated"], dtype=float)


def _correlations(answers: GenerationAnswers) -> list[Section]:
    real, generated = _matrices(answers)
    if len(real) < 2:
        return []
    image = plot_correlations(real, generated)[0].figure
    figure = picture(image, "Correlations in the table against those in generated rows")
    return [Section("correlations", "Columns together", [figure, note("tables.correlations")])]


def _calibration(answers: GenerationAnswers) -> list[Section]:
    """Show rank histograms of validation rows given the other columns."""
    ranks = list((answers.held_out.get("ranks") or {}).items())[:_MOST_RANKS]
    blocks: list[Block] = [Words(text("tables.ranks"))]
    for name, values in ranks:
        ax, _ = plot_prediction_ranks(np.asarray(values, dtype=float))
        blocks += [
            Heading(name),
            picture(ax, f"Rank histogram of {name}"),
        ]
    return [Section("calibration", "Calibration", blocks)] if ranks else []


def _sampler_steps(answers: GenerationAnswers) -> list[Section]:
    """Show the distance to validation rows by steps of the sampler."""
    distances = answers.held_out.get("distances") or {}
    if not distances:
        return []
    values = {**distances, "training rows": answers.held_out["floor"]}
    rows = [{"steps": str(k), "distance": v} for k, v in values.items()]
    blocks = [Words(text("tables.steps")), Table(cells("tables.step_columns", rows))]
    return [Section("steps", "Steps of the sampler", blocks)]


GENERATION = RunKind[GenerationAnswers](
    name="generation",
    facts=lambda answers: answers.facts,
    kept=lambda answers: {name: getattr(answers, name) for name in _KEPT},
    write=_write,
    read=_read,
    words=generation_in_words,
    plain=_plain,
    page=_page,
)
