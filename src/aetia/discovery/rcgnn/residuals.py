"""Whether what a graph leaves unexplained is the same in every regime."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import ks_2samp

__all__ = ["residual_invariance"]


def residual_invariance(
    residuals: Float[np.ndarray, "n time d"],
    live: Bool[np.ndarray, "n time"],
    regime: Int[np.ndarray, " n"],
) -> Float[np.ndarray, "k d"]:
    """Compare the residuals of each regime with those of all others (Kolmogorov and Smirnov).

    The residuals of a variable on its true causes have one distribution in all regimes that do not
    change its mechanism (Peters et al., 2016). Steps of a recording are not quite independent, so
    small p-values are a little too small.

    Args:
        residuals: What its causes leave of every variable.
        live: Rows that count.
        regime: Code of the regime of each block.

    Returns:
        p-values, 1 where there is one regime only.
    """
    codes, d = np.unique(regime), residuals.shape[-1]
    out = np.ones((len(codes), d))
    if len(codes) == 1:
        return out
    for k, e in enumerate(codes):
        inside = residuals[regime == e][live[regime == e]]
        others = residuals[regime != e][live[regime != e]]
        for j in range(d):
            test = ks_2samp(inside[:, j], others[:, j])
            out[k, j] = float(test[1])  # pyright: ignore[reportArgumentType]
    return out
