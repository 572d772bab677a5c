"""The one-file HTML report of an imputation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aetia.plots import (
    plot_imputed_cells,
    plot_learning_curve,
    plot_marginals,
    plot_missingness,
)
from aetia.report.before.figures import svg_data_uri
from aetia.report.before.page import as_yaml, column_rows, render_page, show
from aetia.report.before.table_answers import ImputationAnswers
from aetia.report.before.table_checks import check_imputed

__all__ = ["imputation_in_words", "render_imputation_report"]

_MOST_PANELS = 12


def render_imputation_report(
    answers: ImputationAnswers,
    *,
    title: str,
    data_summary: Mapping[str, Sequence[Any]] | None = None,
    source: str = "",
    left_out: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Render the report as one HTML page without external files or scripts.

    Args:
        answers: The imputed cells and their check.
        title: Heading.
        data_summary: Columns of the table: lists by field.
        source: Where the table came from.
        left_out: Columns that were not used.
        warnings: Messages shown to the user during the run.

    Returns:
        HTML.
    """
    draws, level = answers.draws, answers.level
    names = draws.cell_names()
    frame = draws.frame(level)
    marginals = _observed_and_imputed(answers)
    missing_ax, _ = plot_missingness(draws.observed, names)
    for image in missing_ax.images:
        image.set_interpolation("nearest")  # cells have edges
    cells_ax, _ = plot_imputed_cells(frame, n_cells=30)
    hidden = answers.hidden
    config = draws.diagnostics.get("config", {})
    return render_page(
        "imputation.html.j2",
        title=title,
        method=draws.diagnostics.get("method", "unknown method"),
        source=source,
        words=imputation_in_words(answers),
        percent=f"{100 * level:g} %",
        missing=svg_data_uri(missing_ax.figure),
        columns_filled=_columns(answers),
        marginals=svg_data_uri(plot_marginals(marginals, labels=("observed", "imputed"))[0]),
        n_panels=len(marginals),
        cells=svg_data_uri(cells_ax.figure),
        hidden=hidden,
        hidden_rows=_hidden_rows(hidden),
        coverage=[
            {"interval": f"{100 * float(k):g} %", "hidden cells inside": f"{v:.1%}"}
            for k, v in hidden.get("coverage", {}).items()
        ],
        trace=svg_data_uri(plot_learning_curve(answers.curves)[0]) if answers.curves else None,
        checks=check_imputed(answers),
        warnings=list(warnings),
        columns=column_rows(data_summary),
        left_out=list(left_out),
        facts=_facts(answers),
        config=as_yaml(config),
    )


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


def _columns(answers: ImputationAnswers) -> list[dict[str, str]]:
    frame: Any = answers.draws.frame(answers.level)
    draws = answers.draws
    rows = []
    for j, name in enumerate(draws.cell_names()):
        seen = draws.given[draws.observed[:, j], j]
        mine = frame[frame["column"] == name]
        width = float((mine["upper"] - mine["lower"]).mean()) if len(mine) else float("nan")
        spread = float(seen.std())
        rows.append(
            {
                "column": name,
                "missing": f"{len(mine):,}",
                "share": f"{len(mine) / len(draws.given):.1%}",
                "mean observed": show(float(seen.mean())),
                "mean imputed": show(float(mine["mean"].mean())) if len(mine) else "–",
                "interval width": show(width),
                "width / sd": show(width / spread) if spread > 0 and len(mine) else "–",
            }
        )
    return rows


def _hidden_rows(hidden: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "column": row["column"],
            "cells": str(row["n"]),
            "RMSE": show(row["rmse"]),
            "RMSE of the mean": show(row["rmse_of_mean"]),
            "inside 90 %": "–" if row["coverage"] is None else f"{row['coverage']:.0%}",
        }
        for row in hidden.get("columns", ())
    ]


def _facts(answers: ImputationAnswers) -> list[tuple[str, str]]:
    labels = {
        "method": "Method",
        "n_latents": "Latents",
        "n_steps": "Training steps",
        "best_step": "Step of the best weights",
        "rhat_max": "Largest R-hat",
        "ess_bulk_min": "Smallest effective sample size",
        "wall_time_s": "Time of the imputation (seconds)",
        "seed": "Seed",
        "device": "Device",
        "version": "Version of aetia",
    }
    known = {**answers.facts, **answers.draws.diagnostics}
    return [(text, show(known[k])) for k, text in labels.items() if known.get(k) is not None]
