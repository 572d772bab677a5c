"""Generated rows: answers, files, answer in words, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from aetia.files import write_atomically
from aetia.report.context import RunContext
from aetia.report.kinds.run_kind import RunKind
from aetia.report.learning import model_curves
from aetia.report.sections import Section
from aetia.results import Draws, RunFacts

__all__ = [
    "GENERATION",
    "GenerationAnswers",
    "collect_generation",
    "compare_tables",
    "generation_in_words",
]

_MOST_ROWS = 2000
_N_QUANTILES = 401


@dataclass(frozen=True, eq=False, kw_only=True)
class GenerationAnswers:
    """New rows, and how they compare with the table.

    Attributes:
        draws: The rows.
        comparison: As from :func:`compare_tables`.
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
        curves=model_curves(estimator.history_),
        facts=estimator.facts_,
        training=dict(estimator.health_),
    )


def compare_tables(
    real: Float[np.ndarray, "n d"],
    generated: Float[np.ndarray, "m d"],
    names: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare columns and correlations of two tables, and try to tell their rows apart.

    Args:
        real: Rows of the user, NaN where missing.
        generated: New rows.
        names: Of the columns.
        seed: Of the classifier and its folds.

    Returns:
        ``columns``: name, kind, mean and deviation of both, and the distance of their
        distributions (Kolmogorov-Smirnov); ``quantiles`` of the real columns; ``correlations`` of
        both; ``auroc`` of a classifier, out of fold, None with fewer than 50 complete rows.
    """
    import pandas as pd
    from scipy.stats import ks_2samp

    columns, quantiles = [], {}
    grid = (np.arange(_N_QUANTILES) + 0.5) / _N_QUANTILES
    for j, name in enumerate(names):
        a, b = real[~np.isnan(real[:, j]), j], generated[:, j]
        gap: Any = ks_2samp(a, b)
        quantiles[name] = np.quantile(a, grid, method="inverted_cdf").tolist()
        columns.append(
            {
                "column": name,
                "is_whole": bool((a == np.round(a)).all()),
                "is_drawn_whole": bool((b == np.round(b)).all()),
                "n_values": min(len(np.unique(a)), 3),
                "mean": float(a.mean()),
                "mean_generated": float(b.mean()),
                "sd": float(a.std()),
                "sd_generated": float(b.std()),
                "distance": float(gap.statistic),
            }
        )
    listed = list(names)
    return {
        "columns": columns,
        "quantiles": quantiles,
        "correlations": {
            "real": pd.DataFrame(real, columns=listed).corr().fillna(0).to_numpy().tolist(),
            "generated": pd.DataFrame(generated, columns=listed)
            .corr()
            .fillna(0)
            .to_numpy()
            .tolist(),
        },
        "auroc": _tell_apart(real[~np.isnan(real).any(1)], generated, seed),
    }


def _tell_apart(real: np.ndarray, generated: np.ndarray, seed: int) -> float | None:
    if min(len(real), len(generated)) < 50:
        return None
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_score

    rng = np.random.default_rng(seed)
    m = min(len(real), len(generated), _MOST_ROWS)
    rows = np.concatenate([part[rng.permutation(len(part))[:m]] for part in (real, generated)])
    label = np.repeat([0, 1], m)
    order = rng.permutation(2 * m)
    classifier = HistGradientBoostingClassifier(max_iter=40, random_state=seed)
    scores = cross_val_score(classifier, rows[order], label[order], cv=3, scoring="roc_auc")
    return float(scores.mean())


_KEPT = ("comparison", "held_out", "curves", "training")


def _write(answers: GenerationAnswers, folder: Path) -> dict[str, Path]:
    answers.draws.save(folder / "draws")
    rows = answers.draws.frame().to_csv(index=False)
    return {
        "draws": folder / "draws",
        "generated": write_atomically(folder / "generated.csv", rows),
    }


def _read(folder: Path, summary: Mapping[str, Any]) -> GenerationAnswers:
    return GenerationAnswers(
        draws=Draws.load(folder / "draws"),
        facts=RunFacts.from_dict(summary["facts"]),
        **{name: summary.get(name, {}) for name in _KEPT},
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


def _page(answers: GenerationAnswers, context: RunContext) -> list[Section]:
    return []


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
