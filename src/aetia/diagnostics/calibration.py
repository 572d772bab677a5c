"""Whether stated probabilities come true: reliability, ECE, Brier score, ranks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = [
    "Reliability",
    "brier_score",
    "expected_calibration_error",
    "rank_p_value",
    "reliability",
]


class Reliability(NamedTuple):
    """Observed frequency against stated probability, by bin of equal width."""

    stated: Float[np.ndarray, " bins"]
    observed: Float[np.ndarray, " bins"]
    n_events: Int[np.ndarray, " bins"]


def reliability(
    probabilities: Float[np.ndarray, " k"], outcomes: Bool[np.ndarray, " k"], *, n_bins: int = 10
) -> Reliability:
    """Compare stated probabilities with what happened.

    Args:
        probabilities: Stated probabilities of the events.
        outcomes: Whether each happened.
        n_bins: Bins of equal width over [0, 1].

    Returns:
        Mean probability and frequency in each non-empty bin.
    """
    bins = np.minimum((probabilities * n_bins).astype(int), n_bins - 1)
    count = np.bincount(bins, minlength=n_bins)
    keep = count > 0
    stated = np.bincount(bins, weights=probabilities, minlength=n_bins)[keep] / count[keep]
    observed = np.bincount(bins, weights=outcomes.astype(float), minlength=n_bins)[keep]
    return Reliability(stated, observed / count[keep], count[keep])


def expected_calibration_error(
    probabilities: Float[np.ndarray, " k"], outcomes: Bool[np.ndarray, " k"], *, n_bins: int = 10
) -> float:
    """Average the gap between stated probability and frequency over bins, by their size.

    Args:
        probabilities: Stated probabilities of the events.
        outcomes: Whether each happened.
        n_bins: Bins of equal width over [0, 1].

    Returns:
        The expected calibration error (Naeini et al., 2015), 0 when perfectly calibrated.
    """
    if not len(probabilities):
        return float("nan")
    curve = reliability(probabilities, outcomes, n_bins=n_bins)
    gaps = np.abs(curve.stated - curve.observed)
    return float((gaps * curve.n_events).sum() / curve.n_events.sum())


def brier_score(probabilities: Float[np.ndarray, " k"], outcomes: Bool[np.ndarray, " k"]) -> float:
    """Average the squared difference between probability and outcome (Brier, 1950).

    Args:
        probabilities: Stated probabilities of the events.
        outcomes: Whether each happened.

    Returns:
        A number in [0, 1], 0 for certainty that comes true.
    """
    return float(((probabilities - outcomes) ** 2).mean()) if len(probabilities) else float("nan")


def rank_p_value(ranks: Float[np.ndarray, " k"]) -> float:
    """Test whether normalised ranks are uniform, as simulation-based calibration requires.

    Args:
        ranks: Ranks (or probability integral transforms) in [0, 1], one for each simulation.

    Returns:
        p-value of the Kolmogorov-Smirnov test: the false-alarm rate at which it would fail.
    """
    from scipy.stats import kstest

    return float(kstest(ranks, "uniform").pvalue)
