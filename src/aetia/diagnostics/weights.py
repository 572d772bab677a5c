"""How many of the weighted draws count."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = ["effective_sample_size"]


def effective_sample_size(log_weights: Float[np.ndarray, " s"]) -> float:
    """Compute 1 / sum of squared normalised weights (Kong, 1992).

    Args:
        log_weights: Log-weights, normalised or not.

    Returns:
        Between 1 (one draw has all the weight) and the number of draws.
    """
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / (weights**2).sum())
