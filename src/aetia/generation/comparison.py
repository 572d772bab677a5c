"""How alike a table and generated rows are: columns, correlations, and a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["compare_tables"]

_MOST_ROWS = 2000
_N_QUANTILES = 401


def compare_tables(
    real: Float[np.ndarray, "n d"],
    generated: Float[np.ndarray, "m d"],
    names: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare columns and correlations of two tables, and try to discriminate their rows.

    Args:
        real: Rows of the user, NaN where missing.
        generated: New rows.
        names: Names of the columns.
        seed: Seed of the classifier and its folds.

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
        "auroc": _auroc(real[~np.isnan(real).any(1)], generated, seed),
    }


def _auroc(real: np.ndarray, generated: np.ndarray, seed: int) -> float | None:
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
