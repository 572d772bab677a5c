"""The one-file HTML report of generated rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aetia.plots import (
    plot_correlations,
    plot_learning_curve,
    plot_marginals,
    plot_prediction_ranks,
)
from aetia.report.before.figures import svg_data_uri
from aetia.report.before.page import as_yaml, column_rows, render_page, show
from aetia.report.before.table_answers import GenerationAnswers
from aetia.report.before.table_checks import check_generated

__all__ = ["generation_in_words", "render_generation_report"]

_MOST_PANELS = 24
_MOST_RANKS = 12


def render_generation_report(
    answers: GenerationAnswers,
    *,
    title: str,
    data_summary: Mapping[str, Sequence[Any]] | None = None,
    source: str = "",
    left_out: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Render the report as one HTML page without external files or scripts.

    Args:
        answers: The rows and their comparison.
        title: Heading.
        data_summary: Columns of the table: lists by field.
        source: Where the table came from.
        left_out: Columns that were not used.
        warnings: Messages shown to the user during the run.

    Returns:
        HTML.
    """
    comparison, draws = answers.comparison, answers.draws
    names = draws.cell_names()
    rows = draws.draw(0)
    shown = {
        name: (np.array(comparison["quantiles"][name], dtype=float), rows[:, j])
        for j, name in enumerate(names[:_MOST_PANELS])
    }
    real, generated = (
        np.array(comparison["correlations"][k], dtype=float) for k in ("real", "generated")
    )
    correlations = None
    if len(names) > 1:
        correlations = svg_data_uri(plot_correlations(real, generated)[0].figure)
    return render_page(
        "generation.html.j2",
        title=title,
        method=draws.diagnostics.get("method", "unknown method"),
        source=source,
        words=generation_in_words(answers),
        marginals=svg_data_uri(plot_marginals(shown, labels=("table", "generated"))[0]),
        n_panels=len(shown),
        n_columns=len(names),
        compared=[
            {
                "column": c["column"],
                "mean": show(c["mean"]),
                "generated": show(c["mean_generated"]),
                "sd": show(c["sd"]),
                "sd generated": show(c["sd_generated"]),
                "distance": f"{c['distance']:.3f}",
            }
            for c in comparison["columns"]
        ],
        correlations=correlations,
        ranks=_rank_figures(answers),
        steps=_steps(answers),
        trace=svg_data_uri(plot_learning_curve(answers.curves)[0]) if answers.curves else None,
        checks=check_generated(answers),
        warnings=list(warnings),
        columns=column_rows(data_summary),
        left_out=list(left_out),
        facts=_facts(answers),
        config=as_yaml(draws.diagnostics.get("config", {})),
    )


def _rank_figures(answers: GenerationAnswers) -> list[tuple[str, str]]:
    """Rank histograms of the columns."""
    ranks = list((answers.law.get("ranks") or {}).items())[:_MOST_RANKS]
    return [
        (name, svg_data_uri(plot_prediction_ranks(np.asarray(values, dtype=float))[0].figure))
        for name, values in ranks
    ]


def _steps(answers: GenerationAnswers) -> list[dict[str, str]]:
    """Distance to held-out rows by steps of the sampler, beside that of rows learned from."""
    distances = answers.law.get("distances") or {}
    rows = [
        {"steps of the sampler": str(k), "energy distance": f"{v:.4f}"}
        for k, v in distances.items()
    ]
    if rows:
        floor = f"{answers.law['floor']:.4f}"
        rows.append({"steps of the sampler": "rows learned from", "energy distance": floor})
    return rows


def generation_in_words(answers: GenerationAnswers) -> list[str]:
    """Say what was done.

    Args:
        answers: The rows and their comparison.

    Returns:
        Sentences: how many rows, and how alike they are.
    """
    columns, auroc = answers.comparison["columns"], answers.comparison.get("auroc")
    real, generated = (
        np.array(answers.comparison["correlations"][k], dtype=float) for k in ("real", "generated")
    )
    gap = np.abs(real - generated).max() if len(real) > 1 else 0.0
    sentences = [f"{len(answers.draws.given):,} rows of {len(columns)} columns were drawn."]
    sentences.append(
        f"The distributions of the columns differ by {max(c['distance'] for c in columns):.2f} at "
        f"most (Kolmogorov-Smirnov distance, 0 to 1), correlations by {gap:.2f} at most."
    )
    if auroc is not None:
        sentences.append(
            f"A classifier that tries to tell generated from real rows reaches an AUROC of "
            f"{auroc:.2f}; 0.5 would mean that it cannot."
        )
    return sentences


def _facts(answers: GenerationAnswers) -> list[tuple[str, str]]:
    labels = {
        "method": "Method",
        "n_latents": "Latents",
        "n_steps": "Training steps",
        "best_step": "Step of the best weights",
        "wall_time_s": "Time of the fit (seconds)",
        "seed": "Seed",
        "device": "Device",
        "version": "Version of aetia",
    }
    known = {**answers.draws.diagnostics, **answers.facts}
    return [(text, show(known[k])) for k, text in labels.items() if known.get(k) is not None]
