"""The linear back end from readings to graphs: states, moments, half-samples, weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.stats import ks_2samp

from aetia.discovery.rcgnn.blocks import Blocks
from aetia.discovery.rcgnn.config import RCGNNConfig
from aetia.discovery.rcgnn.deploy import (
    THRESHOLDS,
    Deployed,
    Frequencies,
    deploy,
    frequencies,
)
from aetia.discovery.rcgnn.linear.choose_states import choose_states
from aetia.discovery.rcgnn.linear.expectation_maximisation import CleanMoments, FittedStates
from aetia.discovery.rcgnn.linear.refit import Weights, candidates_of, held_out_losses, refit
from aetia.discovery.rcgnn.linear.resampling import (
    half_samples,
    moment_variants,
    resample_graphs,
)
from aetia.discovery.rcgnn.linear.sparse_shifts import Shifts, sparse_shifts
from aetia.discovery.rcgnn.linear.structure_search import lagged_constraints
from aetia.graphs import Constraints
from aetia.randomness import torch_generator

__all__ = ["LinearFit", "fit_linear", "threshold_by_likelihood"]

_N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class LinearFit:
    """What the linear back end found, in the scale of the readings.

    Attributes:
        states: The chosen state space.
        within: Graph within the step of each half-sample.
        lagged: Lagged graphs of each half-sample.
        found: Selection frequencies.
        support: Soft support of each edge by lag, which also ranks edges never selected.
        threshold: Smallest frequency of an edge of the graph.
        deployed: The graph.
        weights: Its weights.
        shifts: Where regimes differ.
        invariance: p-value, for each regime and variable, of residuals as in the other regimes.
    """

    states: FittedStates
    within: Bool[np.ndarray, "s d d"]
    lagged: Bool[np.ndarray, "s l d d"]
    found: Frequencies
    support: Float[np.ndarray, "m d d"]
    threshold: float
    deployed: Deployed
    weights: Weights
    shifts: Shifts
    invariance: Float[np.ndarray, "k d"]


def fit_linear(
    blocks: Blocks, config: RCGNNConfig, constraints: Constraints, seeds: np.random.SeedSequence
) -> LinearFit:
    """Fit states, then graphs on half-samples of their moments.

    Args:
        blocks: Standardised readings.
        config: Options.
        constraints: What is known.
        seeds: Of half-samples and imputations.

    Returns:
        Graphs and weights.
    """
    n_lags = config.n_lags
    sample_seed, imputation_seed = seeds.spawn(2)
    states = choose_states(
        blocks.readings,
        n_lags=n_lags,
        drift=None if config.drift == "auto" else bool(config.drift),
        outlier_score=config.outlier_score,
    )
    variants = moment_variants(
        states,
        blocks.readings,
        n_variants=config.n_imputations,
        spread=config.imputation_spread,
        generator=torch_generator(imputation_seed),
    )
    samples = half_samples(
        blocks.regime,
        config.n_resamples,
        config.resample_share,
        np.random.default_rng(sample_seed),
    )
    graphs = resample_graphs(
        variants, samples, lagged_constraints(constraints, n_lags), penalty=config.penalty
    )
    within, lagged = graphs.within.numpy(), graphs.lagged.numpy()
    found = frequencies(within, lagged)
    threshold = config.threshold
    if threshold == "auto":
        threshold = threshold_by_likelihood(
            found, states.moments, blocks.regime, constraints, config.feedback_threshold
        )
    deployed = deploy(
        found,
        constraints,
        threshold=float(threshold),
        feedback_threshold=config.feedback_threshold,
    )
    parents = candidates_of(deployed.within, deployed.lagged)
    moments, steps = _by_group(states.moments, blocks.regime)
    weights = refit(moments.sum(0) / steps.sum(), parents)
    share = float(states.moments.information.mean())
    shifts = sparse_shifts(
        moments / steps[:, None, None], steps * share, parents, penalty=config.penalty
    )
    return LinearFit(
        states,
        within,
        lagged,
        found,
        graphs.support.numpy(),
        float(threshold),
        deployed,
        weights,
        shifts,
        _invariance(states, blocks, weights),
    )


def threshold_by_likelihood(
    found: Frequencies,
    moments: CleanMoments,
    regime: np.ndarray,
    constraints: Constraints,
    feedback_threshold: float,
) -> float:
    """Choose the threshold whose graph predicts held-out blocks best, without a true graph.

    Args:
        found: Selection frequencies.
        moments: Of the clean states, block by block in the order of time.
        regime: Of each block.
        constraints: What is known.
        feedback_threshold: As for :func:`deploy`.

    Returns:
        The largest threshold within a standard error of the best.
    """
    folds = np.zeros(len(regime), dtype=int)
    for e in np.unique(regime):  # contiguous in time inside each regime
        at = np.flatnonzero(regime == e)
        folds[at] = np.arange(len(at)) * _N_FOLDS // len(at)
    sums, steps = _by_group(moments, folds)
    losses = []
    for threshold in THRESHOLDS:
        graph = deploy(
            found, constraints, threshold=threshold, feedback_threshold=feedback_threshold
        )
        losses.append(held_out_losses(sums, steps, candidates_of(graph.within, graph.lagged)))
    table = np.array(losses)
    best = int(table.mean(1).argmin())
    worse = table - table[best]
    error = worse.std(1, ddof=1) / np.sqrt(table.shape[1])
    allowed = np.flatnonzero(worse.mean(1) <= error)
    return THRESHOLDS[int(allowed.max())]


def _by_group(moments: CleanMoments, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum moments and steps over groups of blocks."""
    n = int(group.max()) + 1
    at = torch.from_numpy(group)
    p = moments.moments.shape[-1]
    sums = moments.moments.new_zeros(n, p, p).index_add(0, at, moments.moments)
    steps = moments.steps.new_zeros(n).index_add(0, at, moments.steps)
    keep = (steps > 0).numpy()
    return sums.numpy()[keep], steps.numpy()[keep]


def _invariance(states: FittedStates, blocks: Blocks, weights: Weights) -> np.ndarray:
    """Compare the residuals of each regime with those of all others (Kolmogorov-Smirnov)."""
    d, regime = states.model.d, blocks.regime
    s = states.smoothed.mean[..., :d].numpy()
    n_lags = len(weights.by_lag) - 1
    residual = s[:, n_lags:] - sum(
        s[:, n_lags - lag : s.shape[1] - lag] @ w for lag, w in enumerate(weights.by_lag)
    )
    live = blocks.readings.live.numpy()[:, n_lags:]
    codes = np.unique(regime)
    out = np.ones((len(codes), d))
    if len(codes) == 1:
        return out
    for k, e in enumerate(codes):
        inside = residual[regime == e][live[regime == e]]
        outside = residual[regime != e][live[regime != e]]
        for j in range(d):
            out[k, j] = ks_2samp(inside[:, j], outside[:, j])[1]
    return out
