"""Weights given a graph, from moments: least squares of every variable on its parents."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["Weights", "candidates_of", "held_out_losses", "weights_given_graph"]


class Weights(NamedTuple):
    """Direct effects, cause in rows, and what they leave."""

    by_lag: Float[np.ndarray, "m d d"]
    """Within the step, then lag 1, 2, ..."""
    residual_variance: Float[np.ndarray, " d"]


def candidates_of(
    within: Bool[np.ndarray, "d d"], lagged: Bool[np.ndarray, "l d d"]
) -> Bool[np.ndarray, "d p"]:
    """List the parents of every variable among (s_t, s_{t-1}, ...).

    Args:
        within: Graph within the step, cause in rows.
        lagged: Graph at each lag.

    Returns:
        Target by candidate.
    """
    return np.concatenate([within[None], lagged]).transpose(2, 0, 1).reshape(len(within), -1)


def weights_given_graph(
    moments: Float[np.ndarray, "p p"], parents: Bool[np.ndarray, "d p"]
) -> Weights:
    """Regress every variable on its parents.

    Args:
        moments: Second moments of (s_t, s_{t-1}, ...).
        parents: Target by candidate.

    Returns:
        Weights in the scale of the moments.
    """
    d, p = parents.shape
    weights, variance = np.zeros((d, p)), np.ones(d)
    for j in range(d):
        at = np.flatnonzero(parents[j])
        slopes = np.linalg.solve(moments[np.ix_(at, at)], moments[at, j])
        weights[j, at] = slopes
        variance[j] = max(moments[j, j] - slopes @ moments[at, j], 1e-10)
    return Weights(weights.reshape(d, p // d, d).transpose(1, 2, 0), variance)


def held_out_losses(
    moments: Float[np.ndarray, "k p p"],
    steps: Float[np.ndarray, " k"],
    parents: Bool[np.ndarray, "d p"],
) -> Float[np.ndarray, " k"]:
    """Score a graph on folds that its weights were not fitted to.

    Args:
        moments: Sums of second moments over each fold.
        steps: Steps of each fold.
        parents: Target by candidate.

    Returns:
        Mean negative log-likelihood of a step in each fold, without the constant.
    """
    total, count, d = moments.sum(0), steps.sum(), len(parents)
    out = np.zeros(len(moments))
    for k, (fold, n) in enumerate(zip(moments, steps, strict=True)):
        fitted = weights_given_graph((total - fold) / (count - n), parents)
        own = fold / n
        slopes = fitted.by_lag.transpose(2, 0, 1).reshape(d, -1)
        contrast = np.concatenate([np.eye(d), np.zeros((d, own.shape[0] - d))], 1) - slopes
        squares = np.einsum("jp,pq,jq->j", contrast, own, contrast)
        out[k] = 0.5 * (np.log(fitted.residual_variance) + squares / fitted.residual_variance).sum()
    return out
