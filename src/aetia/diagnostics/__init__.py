"""Evidence about a posterior: calibration and effective sample sizes."""

from aetia.diagnostics.calibration import (
    Reliability,
    brier_score,
    expected_calibration_error,
    rank_p_value,
    reliability,
)
from aetia.diagnostics.convergence import Convergence, convergence
from aetia.diagnostics.indicators import IndicatorAgreement, indicator_agreement
from aetia.diagnostics.selective import SelectiveRisk, detection_auroc, selective_risk
from aetia.diagnostics.two_sample import (
    energy_distance,
    frechet_distance,
    frechet_of_moments,
    median_bandwidth,
    mmd_squared,
    sliced_wasserstein,
)
from aetia.diagnostics.weights import effective_sample_size

__all__ = [
    "Convergence",
    "IndicatorAgreement",
    "Reliability",
    "SelectiveRisk",
    "brier_score",
    "convergence",
    "detection_auroc",
    "effective_sample_size",
    "energy_distance",
    "expected_calibration_error",
    "frechet_distance",
    "frechet_of_moments",
    "indicator_agreement",
    "median_bandwidth",
    "mmd_squared",
    "rank_p_value",
    "reliability",
    "selective_risk",
    "sliced_wasserstein",
]
