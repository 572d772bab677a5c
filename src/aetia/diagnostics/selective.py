"""Does a method know where it is wrong? Out-of-distribution detection, selective prediction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["SelectiveRisk", "detection_auroc", "selective_risk"]


class SelectiveRisk(NamedTuple):
    """Mean loss of the tasks that are kept when the least certain ones are left out."""

    coverage: Float[np.ndarray, " k"]
    """Share of the tasks that are kept, increasing to 1."""
    risk: Float[np.ndarray, " k"]


def selective_risk(
    uncertainty: Float[np.ndarray, " k"], loss: Float[np.ndarray, " k"]
) -> SelectiveRisk:
    """Sort tasks by stated uncertainty and average the loss of the most certain ones.

    Args:
        uncertainty: Stated uncertainty about each task, such as its mean edge entropy; larger is
            less certain.
        loss: Loss on each task, measured against the truth.

    Returns:
        The curve; it rises if the method knows where it is wrong.
    """
    ordered = loss[np.argsort(uncertainty, kind="stable")]
    count = np.arange(1, len(loss) + 1)
    return SelectiveRisk(count / max(len(loss), 1), ordered.cumsum() / count)


def detection_auroc(
    score: Float[np.ndarray, " k"], is_shifted: Bool[np.ndarray, " k"]
) -> tuple[float, float]:
    """Measure how well a score tells shifted tasks from those of the training family.

    Args:
        score: Higher for tasks that look shifted.
        is_shifted: Whether they are.

    Returns:
        Area under the ROC curve, and average precision; NaN if there is one kind only.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    if is_shifted.all() or not is_shifted.any():
        return float("nan"), float("nan")
    return (
        float(roc_auc_score(is_shifted, score)),
        float(average_precision_score(is_shifted, score)),
    )
