"""The neural back end from readings to an answer: a fit to all blocks, and fits to half of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from aetia.data import WindowSplit
from aetia.discovery.rcgnn.answer import Answer
from aetia.discovery.rcgnn.config import RCGNNConfig
from aetia.discovery.rcgnn.neural.as_published import PublishedOptions, fit_as_published
from aetia.discovery.rcgnn.neural.fit import Evaluator, NeuralFit, fit_neural
from aetia.discovery.rcgnn.neural.model import CorruptedSCM
from aetia.discovery.rcgnn.neural.options import NeuralOptions
from aetia.discovery.rcgnn.recordings.blocks import RecordingBlocks
from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.residuals import residual_invariance
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints, lagged_constraints
from aetia.discovery.rcgnn.search.deploy import deploy, frequencies
from aetia.discovery.rcgnn.search.likeliest import likeliest_graph
from aetia.discovery.rcgnn.search.resamples import half_samples
from aetia.discovery.rcgnn.states.choose import choose_states, extend_states
from aetia.discovery.rcgnn.states.fitted import FittedStates, states_of_blocks
from aetia.errors import InputError
from aetia.graphs import Constraints
from aetia.options import build

__all__ = ["fit_resamples"]

_THRESHOLD = 0.4


def fit_resamples(
    blocks: RecordingBlocks,
    config: RCGNNConfig,
    constraints: Constraints,
    seeds: np.random.SeedSequence,
    *,
    device: torch.device,
    progress: bool | None,
    folder: Path | None,
    split: WindowSplit | None = None,
    evaluator: Evaluator | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Answer:
    """Fit to all blocks, then to half-samples of them, and count the edges of the fits.

    Args:
        blocks: Standardised readings.
        config: Options.
        constraints: What is known.
        seeds: Source of half-samples and fits.
        device: Device to compute on.
        progress: Whether to show progress bars.
        folder: Folder for the record of the fit to all blocks; None keeps nothing.
        split: Blocks that this fit is trained on, and others that it is scored on; None trains it
            on all.
        evaluator: Looks at the graph of that fit while it trains.
        facts: Facts that the summary of that training holds too.

    Returns:
        Graphs of all fits; states and sensors of the fit to all blocks.
    """
    readings, n_lags = blocks.readings, config.n_lags
    known = lagged_constraints(constraints, n_lags)
    is_published = config.backend == "as-published"
    options = _options(config.neural, PublishedOptions if is_published else NeuralOptions)
    # The linear state space guesses states, noise and graph. The prototype did without.
    warm = None if is_published else _warm_start(readings, known, config, split)
    sample_seed, *fit_seeds = seeds.spawn(config.n_refits + 1)
    rng = np.random.default_rng(sample_seed)
    samples = half_samples(blocks.regime, config.n_refits - 1, config.resample_share, rng)

    def fit(
        part: Readings, states: FittedStates | None, seed: np.random.SeedSequence, is_first: bool
    ) -> NeuralFit:
        shared: dict[str, Any] = {
            "n_lags": n_lags,
            "constraints": known,
            "seeds": seed,
            "device": device,
            "progress": progress,
            "folder": folder if is_first else None,
        }
        if isinstance(options, PublishedOptions):
            return fit_as_published(part, options=options, **shared)
        return fit_neural(
            part,
            options=options,
            warm=states,
            initial=None if warm is None else warm.graph,
            split=split if is_first else None,
            evaluator=evaluator if is_first else None,
            facts=facts,
            **shared,
        )

    # Only the first fit is recorded and validated: the others are there for the frequencies.
    fits = [fit(readings, None if warm is None else warm.states, fit_seeds[0], is_first=True)]
    for rows, seed in zip(samples, fit_seeds[1:], strict=True):
        at = torch.from_numpy(rows)
        part = readings.select(at)
        # States of a sample are those of the whole: what fits differ in are graphs and networks.
        states = None if warm is None else states_of_blocks(warm.states, at, part)
        fits.append(fit(part, states, seed, is_first=False))
    return _answer(fits, None if warm is None else warm.states, blocks, config, constraints)


def _answer(
    fits: list[NeuralFit],
    warm: FittedStates | None,
    blocks: RecordingBlocks,
    config: RCGNNConfig,
    constraints: Constraints,
) -> Answer:
    """Count the edges of all fits; states, sensors and mechanisms are those of the first."""
    whole = fits[0]
    graphs = torch.stack([f.graph for f in fits]).numpy()
    frequency = frequencies(graphs[:, 0], graphs[:, 1:])
    gates = torch.stack([torch.cat([f.within[None], f.lagged]) for f in fits]).double().mean(0)
    threshold = _THRESHOLD if config.threshold == "auto" else float(config.threshold)
    deployed = deploy(
        frequency, constraints, threshold=threshold, feedback_threshold=config.feedback_threshold
    )
    clean = whole.state.double().numpy()
    noise_variance, invariance = _unexplained(whole, blocks)
    no_outliers = torch.zeros_like(blocks.readings.observed)
    drift_variance = None if warm is None else warm.model.drift_variance
    return Answer(
        within=graphs[:, 0],
        lagged=graphs[:, 1:],
        frequencies=frequency,
        support=gates.numpy(),
        threshold=threshold,
        deployed=deployed,
        weights=None,
        deltas=whole.deltas.double().numpy(),
        changed=_changed(whole),
        noise_variance=noise_variance,
        invariance=invariance,
        clean=clean,
        noiseless=clean + whole.drift.double().numpy(),
        reading_sd=(whole.state_sd.square() + whole.noise_scale.square()).sqrt().double().numpy(),
        outliers=(no_outliers if warm is None else warm.outliers).numpy(),
        sensor_noise=whole.noise_scale.double().numpy(),
        drift_sd=None if drift_variance is None else drift_variance.sqrt().numpy(),
        information=None if warm is None else warm.moments.information.numpy(),
        facts=_facts(fits, warm),
        n_steps=whole.n_steps,
        history=whole.history,
        findings=whole.findings,
        training=whole.summary,
    )


def _options(value: Any, cls: type) -> Any:
    """Read the options of the back end."""
    if value is None:
        return cls()
    if isinstance(value, cls):
        return value
    if isinstance(value, Mapping):
        return build(cls, value)
    raise InputError(
        f"neural must be a mapping of options or {cls.__name__}, got {type(value).__name__}."
    )


class _WarmStart(NamedTuple):
    """What the linear back end says before a network is trained."""

    states: FittedStates
    """State space and states of all blocks."""
    graph: Bool[Tensor, "d p"]
    """Linear graph under which the readings are likeliest, target by candidate."""


def _warm_start(
    readings: Readings, known: LaggedConstraints, config: RCGNNConfig, split: WindowSplit | None
) -> _WarmStart:
    """Fit the state space and the linear graph, without validation blocks."""
    rows = None if split is None else torch.from_numpy(split.train)
    train = readings if rows is None else readings.select(rows)
    fitted = choose_states(
        train,
        n_lags=config.n_lags,
        drift=None if config.drift == "auto" else bool(config.drift),
        outlier_score=config.outlier_score,
    )
    if rows is None:
        graph = likeliest_graph(fitted, train, known, penalty=config.penalty).parents
        return _WarmStart(fitted, graph)
    states = extend_states(fitted, readings, outlier_score=config.outlier_score)
    seen = states_of_blocks(states, rows, train)
    return _WarmStart(states, likeliest_graph(seen, train, known, penalty=config.penalty).parents)


def _changed(whole: NeuralFit) -> np.ndarray:
    """Tell whose slopes differ in a regime; the group penalty leaves most differences tiny."""
    sizes = whole.deltas.abs().amax((1, 2)).numpy()
    return (sizes > 0.05) & (len(sizes) > 1)


@torch.no_grad()
def _unexplained(whole: NeuralFit, blocks: RecordingBlocks) -> tuple[np.ndarray, np.ndarray]:
    """Take the noise of every mechanism in every regime, and compare residuals between regimes."""
    regime, module = blocks.readings.regime, whole.module
    if not isinstance(module, CorruptedSCM):  # the prototype has no mechanisms
        nothing = np.full((len(np.unique(blocks.regime)), whole.state.shape[-1]), np.nan)
        return nothing, nothing
    nets, n_lags = module.mechanisms, module.sizes.n_lags
    states = whole.state.float()
    predicted = nets(states, whole.graph.float().unsqueeze(0), regime)
    residuals = states[:, n_lags:] - nets.level[regime].unsqueeze(1) - predicted
    live = blocks.readings.live.numpy()[:, n_lags:]
    tests = residual_invariance(residuals.double().numpy(), live, blocks.regime)
    return (2 * nets.log_scale).exp().double().numpy(), tests


def _facts(fits: list[NeuralFit], warm: FittedStates | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"n_refits": len(fits), "n_skipped": sum(f.n_skipped for f in fits)}
    return facts if warm is None else facts | warm.facts()
