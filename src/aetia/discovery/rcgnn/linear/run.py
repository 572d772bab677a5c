"""The linear back end from readings to graphs: states, moments, half-samples, weights."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from aetia.discovery.rcgnn.answer import Answer
from aetia.discovery.rcgnn.blocks import Blocks
from aetia.discovery.rcgnn.config import RCGNNConfig
from aetia.discovery.rcgnn.deploy import (
    THRESHOLDS,
    Frequencies,
    deploy,
    frequencies,
)
from aetia.discovery.rcgnn.linear.choose_states import choose_states
from aetia.discovery.rcgnn.linear.expectation_maximisation import CleanMoments, FittedStates
from aetia.discovery.rcgnn.linear.graph_likelihood import graph_score
from aetia.discovery.rcgnn.linear.refit import candidates_of, held_out_losses, refit
from aetia.discovery.rcgnn.linear.resampling import (
    half_samples,
    moment_variants,
    resample_graphs,
)
from aetia.discovery.rcgnn.linear.sparse_shifts import sparse_shifts
from aetia.discovery.rcgnn.linear.structure_search import (
    LaggedConstraints,
    escape_structure,
    lagged_constraints,
    search_structure,
)
from aetia.discovery.rcgnn.readings import Readings
from aetia.discovery.rcgnn.residuals import residual_invariance
from aetia.graphs import Constraints
from aetia.randomness import torch_generator

__all__ = ["fit_linear", "thorough_start", "threshold_by_likelihood"]

_N_FOLDS = 5
_THRESHOLD = 0.8


def fit_linear(
    blocks: Blocks, config: RCGNNConfig, constraints: Constraints, seeds: np.random.SeedSequence
) -> Answer:
    """Fit states, then graphs on half-samples of their moments.

    Args:
        blocks: Standardised readings.
        config: Options.
        constraints: What is known.
        seeds: Of half-samples and imputations.

    Returns:
        Graphs, weights, states and sensors.
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
    known = lagged_constraints(constraints, n_lags)
    graphs = resample_graphs(
        variants,
        samples,
        known,
        penalty=config.penalty,
        start=thorough_start(states, blocks.readings, known, penalty=config.penalty),
    )
    within, lagged = graphs.within.numpy(), graphs.lagged.numpy()
    found = frequencies(within, lagged)
    threshold = _THRESHOLD if config.threshold == "auto" else config.threshold
    if threshold == "held-out":
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
    # With one regime these are the weights of the pooled fit; with several, what most share.
    shifts = sparse_shifts(
        moments / steps[:, None, None], steps * share, parents, penalty=config.penalty
    )
    model, which = states.model, states.patterns.which
    level = states.level[blocks.readings.regime].unsqueeze(1)
    readout = model.readout()
    spread = torch.einsum("jk,utkl,jl->utj", readout, states.smoothed.covariance, readout)
    clean = states.smoothed.mean[..., : model.d]
    return Answer(
        within=within,
        lagged=lagged,
        found=found,
        support=graphs.support.numpy(),
        threshold=float(threshold),
        deployed=deployed,
        weights=shifts.shared,
        deltas=shifts.deltas,
        changed=shifts.changed,
        noise_variance=shifts.noise_variance,
        invariance=_invariance(clean.numpy(), blocks, weights.by_lag),
        clean=(clean + level).numpy(),
        read=(states.smoothed.mean @ readout.mT + level).numpy(),
        read_sd=(spread.clamp_min(0) + model.sensor_variance).sqrt()[which].numpy(),
        outliers=states.outliers.numpy(),
        sensor_noise=model.sensor_variance.sqrt().numpy(),
        drift_sd=None if model.drift_variance is None else model.drift_variance.sqrt().numpy(),
        information=states.moments.information.numpy(),
        facts={
            "sensor_noise_share": float(model.sensor_variance.mean()),
            "has_drift": model.drift_variance is not None,
            "n_outliers": states.n_outliers,
            "information": share,
            "n_changed_mechanisms": int(shifts.changed.sum()),
        },
    )


def thorough_start(
    states: FittedStates, readings: Readings, known: LaggedConstraints, *, penalty: float
) -> Bool[Tensor, "d p"] | None:
    """Search all data thoroughly, and believe the result if the readings do.

    Args:
        states: Fitted without a graph.
        readings: What they were fitted to.
        known: What is known about the graph.
        penalty: As for the search.

    Returns:
        The graph of the thorough search; None if the readings are no likelier under it than under
        the graph of a simple climb, so that it fits errors of the moments.
    """
    steps = states.moments.steps.sum()
    moments = states.moments.moments.sum(0) / steps
    n = (steps * states.moments.information).clamp_min(20.0)
    simple = search_structure(moments[None], n[None], known, penalty=penalty).parents[0]
    thorough = escape_structure(moments, n, known, penalty=penalty).parents[0]
    if bool((simple == thorough).all()):
        return thorough
    scores = [graph_score(g, states, readings, penalty=penalty) for g in (simple, thorough)]
    return thorough if scores[1] > scores[0] else None


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


def _invariance(states: np.ndarray, blocks: Blocks, weights: np.ndarray) -> np.ndarray:
    n_lags, length = len(weights) - 1, states.shape[1]
    past = np.stack([states[:, n_lags - lag : length - lag] for lag in range(n_lags + 1)])
    predicted = np.einsum("mnti,mij->ntj", past, weights)
    live = blocks.readings.live.numpy()[:, n_lags:]
    return residual_invariance(states[:, n_lags:] - predicted, live, blocks.regime)
