"""Cells that were seen, hidden on purpose, imputed, and compared with what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from aetia.data import Rows
from aetia.errors import InputError
from aetia.results import Draws

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HiddenScores", "check_imputation", "hide_cells", "score_hidden"]

LEVELS = (0.5, 0.8, 0.9, 0.95)


class HiddenScores(NamedTuple):
    """How well hidden cells were imputed, pooled and for every column."""

    n_cells: int
    rmse: float
    """Error of the means, in standard deviations of each column ..."""
    rmse_of_mean: float
    """... and of the column mean of the seen cells, which a method must beat."""
    coverage: dict[float, float]
    """Share of the hidden cells of continuous columns inside intervals, by level."""
    columns: list[dict[str, Any]]
    """``column``, ``n``, ``rmse``, ``rmse_of_mean`` in the user's units, ``coverage`` of 90 %
    intervals (None for columns with two values)."""


def hide_cells(
    values: Float[np.ndarray, "n d"], share: float, rng: np.random.Generator
) -> Bool[np.ndarray, "n d"]:
    """Choose seen cells at random, the same share of every column.

    Args:
        values: The table, NaN where missing.
        share: Share of the seen cells of each column; at least one, at most half.
        rng: Source of randomness.

    Returns:
        True where a cell is hidden.

    Raises:
        InputError: If the share is impossible.
    """
    if not 0.0 < share <= 0.5:
        raise InputError(f"the share of cells to hide must lie in (0, 0.5], got {share!r}.")
    hidden = np.zeros(values.shape, dtype=bool)
    for j, column in enumerate(values.T):
        seen = np.flatnonzero(~np.isnan(column))
        if len(seen) >= 4:
            count = min(max(round(share * len(seen)), 1), len(seen) // 2)
            hidden[rng.choice(seen, size=count, replace=False), j] = True
    return hidden


def check_imputation(
    estimator: Any,
    rows: Rows,
    frame: pd.DataFrame,
    *,
    share: float = 0.1,
    n_draws: int = 100,
    rng: np.random.Generator,
) -> HiddenScores:
    """Hide seen cells, fit again without them, impute them, and compare.

    Args:
        estimator: Estimator with the options to check; it is cloned, not changed.
        rows: The table as numbers.
        frame: The table as the estimator reads it.
        share: Share of the seen cells.
        n_draws: Draws of every cell.
        rng: Source of randomness.

    Returns:
        The scores.
    """
    from sklearn.base import clone

    hidden = hide_cells(rows.values, share, rng)
    again: Any = clone(estimator)
    draws = again.fit(frame.mask(hidden)).impute(n_draws=n_draws)
    return score_hidden(draws, rows.values, hidden, rows.names)


def score_hidden(
    draws: Draws,
    truth: Float[np.ndarray, "n d"],
    hidden: Bool[np.ndarray, "n d"],
    names: tuple[str, ...],
) -> HiddenScores:
    """Compare imputed cells with what they were.

    Args:
        draws: Imputations of a table whose hidden cells are missing.
        truth: The table before they were hidden.
        hidden: Which cells.
        names: Names of the columns.

    Returns:
        The scores.
    """
    mean = draws.mean
    intervals = {level: draws.interval(level) for level in LEVELS}
    squares: list[np.ndarray] = []
    baseline: list[np.ndarray] = []
    inside: dict[float, list[np.ndarray]] = {level: [] for level in LEVELS}
    columns = []
    for j, name in enumerate(names):
        at = hidden[:, j]
        if not at.any() or name in draws.levels:  # codes of categories have no errors
            continue
        seen = draws.given[:, j][~np.isnan(draws.given[:, j])]
        true = truth[at, j]
        gap, naive = (mean[at, j] - true) ** 2, (seen.mean() - true) ** 2
        is_binary = len(np.unique(truth[~np.isnan(truth[:, j]), j])) <= 2
        variance = float(seen.var())
        if variance > 0:
            squares.append(gap / variance)
            baseline.append(naive / variance)
        within = None
        if not is_binary:
            for level, ends in intervals.items():
                held = (ends[at, j, 0] <= true) & (true <= ends[at, j, 1])
                inside[level].append(held)
                within = float(held.mean()) if level == 0.9 else within
        columns.append(
            {
                "column": name,
                "n": int(at.sum()),
                "rmse": float(gap.mean() ** 0.5),
                "rmse_of_mean": float(naive.mean() ** 0.5),
                "coverage": within,
            }
        )
    return HiddenScores(
        n_cells=int(hidden.sum()),
        rmse=_root(squares),
        rmse_of_mean=_root(baseline),
        coverage={k: float(np.concatenate(v).mean()) for k, v in inside.items() if v},
        columns=columns,
    )


def _root(squares: list[np.ndarray]) -> float:
    return float(np.concatenate(squares).mean() ** 0.5) if squares else float("nan")
