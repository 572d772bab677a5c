"""The linear back end from readings to graphs: states, moments, half-samples, weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from aetia.discovery.rcgnn.answer import Answer
from aetia.discovery.rcgnn.config import RCGNNConfig
from aetia.discovery.rcgnn.linear.sparse_shifts import sparse_shifts
from aetia.discovery.rcgnn.recordings.blocks import RecordingBlocks
from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.residuals import residual_invariance
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints, lagged_constraints
from aetia.discovery.rcgnn.search.deploy import (
    THRESHOLDS,
    Frequencies,
    deploy,
    frequencies,
)
from aetia.discovery.rcgnn.search.likeliest import is_exact, likeliest_graph
from aetia.discovery.rcgnn.search.resamples import (
    Resampled,
    half_samples,
    moment_variants,
    moments_under_graph,
    resample_graphs,
)
from aetia.discovery.rcgnn.search.weights import candidates_of, held_out_losses, weights_given_graph
from aetia.discovery.rcgnn.states.choose import choose_states
from aetia.discovery.rcgnn.states.fitted import FittedStates
from aetia.discovery.rcgnn.states.moments import CleanMoments
from aetia.discovery.rcgnn.states.state_space import noiseless_variance
from aetia.graphs import Constraints
from aetia.randomness import torch_generator

__all__ = ["fit_linear", "threshold_by_likelihood"]

_N_FOLDS = 5
_THRESHOLD = 0.8


def fit_linear(
    blocks: RecordingBlocks,
    config: RCGNNConfig,
    constraints: Constraints,
    seeds: np.random.SeedSequence,
) -> Answer:
    """Fit states, then graphs on half-samples of their moments.

    Args:
        blocks: Standardised readings.
        config: Options.
        constraints: What is known.
        seeds: Source of the half-samples and of the imputations.

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
    samples = half_samples(
        blocks.regime,
        config.n_resamples,
        config.resample_share,
        np.random.default_rng(sample_seed),
    )
    known = lagged_constraints(constraints, n_lags)
    graphs = _stable_graphs(
        states, blocks.readings, samples, constraints, known, config, imputation_seed
    )
    within, lagged = graphs.within.numpy(), graphs.lagged.numpy()
    frequency = frequencies(within, lagged)
    threshold = _THRESHOLD if config.threshold == "auto" else config.threshold
    if threshold == "held-out":
        threshold = threshold_by_likelihood(
            frequency, states.moments, blocks.regime, constraints, config.feedback_threshold
        )
    deployed = deploy(
        frequency,
        constraints,
        threshold=float(threshold),
        feedback_threshold=config.feedback_threshold,
    )
    # Weights are those of the deployed graph, from the moments of all blocks.
    parents = candidates_of(deployed.within, deployed.lagged)
    moments, steps = _by_group(states.moments, blocks.regime)
    weights = weights_given_graph(moments.sum(0) / steps.sum(), parents)
    # Where readings determine only a share of what is new, a step is worth that share of one.
    share = float(states.moments.information.mean())
    # With one regime these are the weights of the pooled fit; with several, what most share.
    shifts = sparse_shifts(
        moments / steps[:, None, None], steps * share, parents, penalty=config.penalty
    )
    model, which = states.model, states.patterns.which
    level = states.level[blocks.readings.regime].unsqueeze(1)
    readout = model.readout()
    spread = noiseless_variance(states.smoothed, model)
    clean = states.smoothed.mean[..., : model.d]
    return Answer(
        within=within,
        lagged=lagged,
        frequencies=frequency,
        support=graphs.support.numpy(),
        threshold=float(threshold),
        deployed=deployed,
        weights=shifts.shared,
        deltas=shifts.deltas,
        changed=shifts.changed,
        noise_variance=shifts.noise_variance,
        invariance=_invariance(clean.numpy(), blocks, weights.by_lag),
        clean=(clean + level).numpy(),
        noiseless=(states.smoothed.mean @ readout.mT + level).numpy(),
        reading_sd=(spread.clamp_min(0) + states.noise_variance).sqrt()[which].numpy(),
        outliers=states.outliers.numpy(),
        sensor_noise=states.noise_variance.sqrt().numpy(),
        drift_sd=None if model.drift_variance is None else model.drift_variance.sqrt().numpy(),
        information=states.moments.information.numpy(),
        facts={**states.facts(), "n_changed_mechanisms": int(shifts.changed.sum())},
    )


def _stable_graphs(
    states: FittedStates,
    readings: Readings,
    samples: list[Int[np.ndarray, " k"]],
    constraints: Constraints,
    known: LaggedConstraints,
    config: RCGNNConfig,
    seed: np.random.SeedSequence,
) -> Resampled:
    """Search half-samples, from the graph under which all readings are likeliest as well.

    Half of the moments are those that this graph implies: its weights are fewer, and so are their
    errors. The other half know of no graph, so that it must hold without itself.
    """
    penalty = config.penalty
    if is_exact(states, readings):
        best = likeliest_graph(states, readings, known, penalty=penalty)
        moments = [states.moments]
        return resample_graphs(moments, samples, known, penalty=penalty, initial=best.parents)
    shared: dict[str, Any] = {
        "n_variants": config.n_imputations,
        "spread": config.imputation_spread,
    }
    free = moment_variants(states, readings, **shared, generator=torch_generator(seed))
    first = resample_graphs(free, samples, known, penalty=penalty)
    frequency = frequencies(first.within.numpy(), first.lagged.numpy())
    often = deploy(
        frequency, constraints, threshold=0.5, feedback_threshold=config.feedback_threshold
    )
    initial = torch.from_numpy(candidates_of(often.within, often.lagged))
    best = likeliest_graph(states, readings, known, penalty=penalty, initial=initial)
    bound = moments_under_graph(best, states, readings, **shared, generator=torch_generator(seed))
    both = [moments for pair in zip(free, bound, strict=True) for moments in pair]
    return resample_graphs(both, samples, known, penalty=penalty, initial=best.parents)


def threshold_by_likelihood(
    frequency: Frequencies,
    moments: CleanMoments,
    regime: np.ndarray,
    constraints: Constraints,
    feedback_threshold: float,
) -> float:
    """Choose the threshold whose graph predicts held-out blocks best, without a true graph.

    Args:
        frequency: How often each edge was selected.
        moments: Moments of the clean states, block by block in the order of time.
        regime: Code of the regime of each block.
        constraints: What is known.
        feedback_threshold: Smallest frequency of the rarer of two opposite edges, below which only
            the other one stays.

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
            frequency, constraints, threshold=threshold, feedback_threshold=feedback_threshold
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


def _invariance(states: np.ndarray, blocks: RecordingBlocks, weights: np.ndarray) -> np.ndarray:
    n_lags, length = len(weights) - 1, states.shape[1]
    past = np.stack([states[:, n_lags - lag : length - lag] for lag in range(n_lags + 1)])
    predicted = np.einsum("mnti,mij->ntj", past, weights)
    live = blocks.readings.live.numpy()[:, n_lags:]
    return residual_invariance(states[:, n_lags:] - predicted, live, blocks.regime)
