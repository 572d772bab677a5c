"""Evidence about a posterior: calibration and effective sample sizes."""

from aetia.diagnostics.calibration import (
    Reliability,
    brier_score,
    expected_calibration_error,
    rank_p_value,
    reliability,
)
from aetia.diagnostics.convergence import Convergence, convergence
from aetia.diagnostics.selective import SelectiveRisk, detection_auroc, selective_risk
from aetia.diagnostics.weights import effective_sample_size

__all__ = [
    "Convergence",
    "Reliability",
    "SelectiveRisk",
    "brier_score",
    "convergence",
    "detection_auroc",
    "effective_sample_size",
    "expected_calibration_error",
    "rank_p_value",
    "reliability",
    "selective_risk",
]
