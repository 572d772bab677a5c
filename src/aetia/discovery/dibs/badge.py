"""How well DiBS's edge probabilities are calibrated, as measured against the exact posterior.

The figures come from ``benchmarks/dibs_against_exact.py`` (BGe with ``alpha_mu = 1`` as in the
original, uniform prior, default options but 20 particles and 1,000 steps; simulated linear Gaussian
tables with 4 and 5 columns and 30, 100 and 1,000 rows, 20 of each);
``tests/statistical/test_dibs_badge.py`` reproduces them.
"""

from __future__ import annotations

__all__ = ["EDGE_ERROR", "calibration_badge"]

EDGE_ERROR = {30: 0.095, 100: 0.098, 1000: 0.113}
"""Rows to mean absolute error of edge probabilities (d = 4 and 5 together, mixture weights)."""


def calibration_badge(likelihood: str) -> str:
    """Say in a sentence what has been measured.

    Args:
        likelihood: Name of the likelihood of the run.

    Returns:
        Text for reports.
    """
    if likelihood != "bge":
        return (
            f"The calibration of DiBS with likelihood {likelihood!r} has not been measured against "
            "an exact posterior; expect probabilities that are too close to 0 and 1."
        )
    low, high = min(EDGE_ERROR.values()), max(EDGE_ERROR.values())
    return (
        "Measured calibration of DiBS (BGe): on 120 simulated tables of 4 and 5 columns its edge "
        f"probabilities differed from the exact posterior by {low:.2f} to {high:.2f} on average. "
        "Read them as rough; up to five columns use the exact method."
    )
