"""Findings about a training, under the titles that their codes have here."""

from __future__ import annotations

from collections.abc import Sequence

from aetia.report.checks.table import Finding
from aetia.training import TrainingFinding

__all__ = ["TRAINING_TITLES", "training_findings"]

TRAINING_TITLES = {
    "AH001": "Finite gradients",
    "AH002": "Clipped gradients",
    "AH003": "Falling loss",
    "AH004": "Room for improvement",
    "AH005": "Gradient of the data on the graph",
    "AH006": "Number of edges",
    "AH007": "Terms that drown the objective",
    "AH008": "Threshold of edges",
    "AH009": "F1 of an external evaluator",
    "AH010": "SHD of an external evaluator",
    "AH011": "Signals of the method",
}
"""Titles of the rules of :func:`aetia.training.diagnose`, which ``docs/health.md`` explains."""


def training_findings(found: Sequence[TrainingFinding]) -> list[Finding]:
    """Put findings about a training into the form of all others.

    Args:
        found: What :func:`aetia.training.diagnose` returned.

    Returns:
        Findings with titles, in the same order.
    """
    return [
        Finding(
            f.code,
            TRAINING_TITLES.get(f.code, "Training"),
            f.severity,
            f"{f.text} {f.advice}".strip(),
        )
        for f in found
    ]
