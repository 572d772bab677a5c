"""Fit the neural back end: prepare, check, train in three stages, read off."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.data import WindowSplit
from aetia.discovery.rcgnn.neural.connected import check_connected
from aetia.discovery.rcgnn.neural.graph_stage import GraphStage
from aetia.discovery.rcgnn.neural.inputs import Inputs, prepare
from aetia.discovery.rcgnn.neural.mechanisms import beside_past
from aetia.discovery.rcgnn.neural.missingness import inverse_probability
from aetia.discovery.rcgnn.neural.model import CorruptedSCM, Sizes
from aetia.discovery.rcgnn.neural.options import NeuralOptions
from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.search.constraints import LaggedConstraints
from aetia.discovery.rcgnn.states.draws import draw_states
from aetia.discovery.rcgnn.states.fitted import FittedStates
from aetia.errors import InputError
from aetia.nets import seeded
from aetia.options import options_dict
from aetia.randomness import torch_generator
from aetia.training import (
    Healthy,
    ParameterGroup,
    Phase,
    Trained,
    TrainingConfig,
    TrainingFinding,
    minibatches,
    train,
)

__all__ = ["NEURAL_SIGNALS", "Evaluator", "NeuralFit", "beyond_shared", "fit_neural"]

_UNKNOWN_NOISE = 0.3
_STATES_RATE = 4.0
"""Factor on the learning rate of corrections of single states, which the data determine less."""
_N_SETS = 4
"""Sets of readings that are hidden in turns."""

Evaluator = Callable[[np.ndarray, np.ndarray], Mapping[str, float]]
"""Takes the summary graph and its edge probabilities, returns numbers for the record."""

NEURAL_SIGNALS: dict[str, Healthy] = {
    "edge_count": Healthy(1, np.inf, "no edge is left: lower lambda_sparse, or record longer"),
}
"""Healthy ranges of what this back end adds to the record."""


@dataclass(frozen=True, eq=False, kw_only=True)
class NeuralFit:
    """What the neural back end found; states are in the scale of the readings.

    Attributes:
        within: Probability of each edge within a step, cause in rows.
        lagged: Probability of each edge at lag 1, 2, ...; diagonals are a sensor's own past.
        graph: The graph in force at lag 0, 1, ...; acyclic within the step.
        deltas: What a regime adds to the slopes beyond what most do, 0 where there is no edge.
        state: Means of the clean states.
        state_sd: Standard deviations of the states.
        drift: Slow errors of the sensors, their constant parts included.
        noise_scale: Scale of each sensor's noise.
        degrees_of_freedom: Degrees of freedom of that noise.
        missingness: Log odds of the reading of j per unit of the state of i, at ``[i, j]``.
        inverse_probability: Weight of each observed cell under that model.
        history: Rows of the record of training.
        findings: What they say, in words.
        summary: Summary of the training.
        module: The trained network.
        n_steps: Steps that were made.
        n_skipped: Steps that were skipped.
    """

    within: Float[Tensor, "d d"]
    lagged: Float[Tensor, "l d d"]
    graph: Bool[Tensor, "m d d"]
    deltas: Float[Tensor, "k m d d"]
    state: Float[Tensor, "n time d"]
    state_sd: Float[Tensor, "n time d"]
    drift: Float[Tensor, "n time d"]
    noise_scale: Float[Tensor, " d"]
    degrees_of_freedom: Float[Tensor, " d"]
    missingness: Float[Tensor, "d d"]
    inverse_probability: Float[Tensor, "n time d"]
    history: list[dict[str, Any]]
    findings: list[TrainingFinding]
    summary: dict[str, Any]
    module: nn.Module
    n_steps: int
    n_skipped: int


def fit_neural(
    readings: Readings,
    *,
    n_lags: int,
    options: NeuralOptions,
    constraints: LaggedConstraints,
    warm: FittedStates | None = None,
    initial: Bool[Tensor, "d p"] | None = None,
    seeds: np.random.SeedSequence,
    device: torch.device | None = None,
    progress: bool | None = None,
    folder: Path | None = None,
    split: WindowSplit | None = None,
    evaluator: Evaluator | None = None,
    facts: Mapping[str, Any] | None = None,
) -> NeuralFit:
    """Fit gated networks, states and sensors in one run of the training loop.

    Args:
        readings: Standardised on observed cells of the training blocks.
        n_lags: Longest lag.
        options: Options of this back end.
        constraints: What is known about the graph.
        warm: Linear state space of the same readings: its smoothed states are the first guess.
        initial: Graph that searches climb from as well as from none, target by candidate.
        seeds: Source of everything random.
        device: Device to compute on; None for the CPU.
        progress: Whether to show a progress bar; None shows it in terminals.
        folder: Folder for checkpoints and the health record; None keeps nothing.
        split: Training and validation blocks; None trains on all.
        evaluator: Looks at the graph at every row of the record; the fit never sees what it says.
        facts: Facts that the summary of the training holds too.

    Returns:
        Graph, states and sensors of all blocks.

    Raises:
        InputError: If blocks are too short.
        NumericalError: If the data do not reach the graph.
    """
    # One stream for each use: what one of them draws must not depend on the options of another.
    held_seed, net_seed, step_seed, search_seed, draw_seed = seeds.spawn(5)
    _check_size(readings, n_lags)
    device = torch.device("cpu") if device is None else device
    inputs = prepare(
        readings,
        warm,
        scored=options.scored,
        hidden=options.hidden,
        n_sets=_N_SETS,
        generator=torch_generator(held_seed),
    ).to(device)
    train_rows, validation_rows = _rows(len(readings.values), split, device)
    n_regimes = int(readings.regime.max()) + 1
    batch = inputs.rows(train_rows)
    module = _build(inputs, batch, warm, n_lags, n_regimes, options, constraints, net_seed)
    check_connected(module, batch)
    # The first search looks at draws under the linear state space: the encoder knows nothing yet.
    draws = None
    if warm is not None and options.initialisation == "search":
        generator = torch_generator(draw_seed)
        draws = draw_states(readings, warm, options.n_draws, generator)[:, train_rows.cpu()]
    if warm is not None:
        information = warm.moments.information
    else:
        information = batch.observed.double().mean((0, 1)).clamp_min(0.02).cpu()
    stage = GraphStage(
        module,
        inputs,
        train_rows,
        validation_rows,
        constraints,
        information,
        draws,
        initial,
        search_seed,
    )
    seed = int(step_seed.generate_state(1, np.uint32)[0])
    batches = minibatches(len(train_rows), options.n_batch, seed)
    trained = train(
        module,
        [
            Phase(
                parameters=lambda m: list(m.parameters()),
                loss=_loss,
                groups=_groups,
                objective="structural",
            )
        ],
        lambda first: (inputs.rows(train_rows[rows.to(device)]) for rows in batches(first)),
        config=_training(options, progress),
        seed=seed,
        folder=folder,
        evaluate=lambda _, step: {} if evaluator is None else evaluator(*stage.summary()),
        facts={**(facts or {}), "n_train": len(train_rows), "n_val": len(validation_rows)},
        on_step_end=stage,
        signals_of=lambda _: stage.signals(),
        signals=NEURAL_SIGNALS,
        identity={
            "method": "RCGNN",
            "backend": "neural",
            "model": json.dumps(options_dict(options), sort_keys=True),
            "data": float(batch.values.double().sum()),
        },
    )
    return _read_off(module, inputs, options, trained)


def _rows(n: int, split: WindowSplit | None, device: torch.device) -> tuple[Tensor, Tensor]:
    """Number training and validation blocks."""
    if split is None:
        return torch.arange(n, device=device), torch.arange(0, device=device)
    return (
        torch.from_numpy(split.train).to(device),
        torch.from_numpy(split.validation).to(device),
    )


def _check_size(readings: Readings, n_lags: int) -> None:
    _, time, _ = readings.values.shape
    if time <= n_lags:
        raise InputError(
            f"blocks of {time} steps hold no step with a past of {n_lags}: cut longer blocks, or "
            "choose fewer lags."
        )


def _build(
    inputs: Inputs,
    batch: Inputs,
    warm: FittedStates | None,
    n_lags: int,
    n_regimes: int,
    options: NeuralOptions,
    constraints: LaggedConstraints,
    seed: np.random.SeedSequence,
) -> CorruptedSCM:
    """Make the network, with slopes by least squares on the first guess."""
    d = batch.values.shape[-1]
    noise = torch.full((d,), _UNKNOWN_NOISE)
    drift = torch.full((d,), options.drift_scale)
    if warm is not None:
        noise = warm.model.sensor_variance.sqrt().float()
        if warm.model.drift_variance is not None:
            drift = warm.model.drift_variance.sqrt().float()
    n_cells = int(batch.live.sum()) * d
    sizes = Sizes(
        (inputs.values.shape[0], inputs.values.shape[1], d),
        n_lags,
        n_regimes,
        n_cells,
        int(batch.observed.sum()) / n_cells,
    )
    seen = batch.observed.sum((0, 1)) / batch.live.sum().clamp_min(1)
    with seeded(torch_generator(seed)):
        module = CorruptedSCM(
            sizes,
            options,
            constraints,
            noise,
            drift,
            seen.float().cpu(),
            knows_noise=warm is not None,
        )
    module = module.to(batch.values.device)
    side = beside_past(batch.guess.mean, n_lags)
    counted = batch.live[:, n_lags:]
    module.mechanisms.initialise_linear(
        side[counted], module.gates.allowed.flatten(0, 1), scale=True
    )
    return module


def _loss(module: nn.Module, batch: Inputs, step: int, generator: torch.Generator) -> Any:
    return module(batch, step, generator)


def _groups(module: nn.Module) -> Mapping[str, ParameterGroup]:
    gates = module.get_parameter("gates.flat")
    own = module.get_parameter("corrections")
    return {
        "structure": ParameterGroup([gates], weight_decay=0.0),
        "states": ParameterGroup([own], weight_decay=0.0, learning_rate=_STATES_RATE),
    }


def _training(options: NeuralOptions, progress: bool | None) -> TrainingConfig:
    return TrainingConfig(
        n_steps=options.n_steps,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        clip_norm=options.clip_norm,
        schedule="cosine",
        warmup=0.02,
        log_every=options.log_every,
        validate_every=options.log_every,
        checkpoint_every=options.n_steps,
        progress=progress,
    )


def beyond_shared(deltas: Float[Tensor, "k p d"]) -> Float[Tensor, "k p d"]:
    """Take out what most regimes add: the slopes that all share could hold it as well.

    Args:
        deltas: What each regime adds.

    Returns:
        Differences from the median of the regimes.
    """
    return deltas - deltas.quantile(0.5, 0, keepdim=True)


@torch.no_grad()
def _read_off(
    module: CorruptedSCM,
    inputs: Inputs,
    options: NeuralOptions,
    trained: Trained,
) -> NeuralFit:
    """Collect what was learned, on the CPU."""
    inputs = inputs.complete()
    states = module.infer(inputs, None)
    probability = module.gates.probability().cpu()
    graph = module.gates.support.cpu()
    d, m = probability.shape[-1], probability.shape[0]
    deltas = beyond_shared(module.mechanisms.deltas.cpu()).unflatten(1, (m, d))
    log_odds = module.missingness(states.draw, inputs.regime)
    weights = inverse_probability(log_odds, inputs.observed, options.weight_quantile)
    return NeuralFit(
        within=probability[0],
        lagged=probability[1:],
        graph=graph,
        deltas=torch.where(graph, deltas, 0.0),
        state=states.latent.mean.cpu(),
        state_sd=states.latent.sd.cpu(),
        drift=states.drift.cpu(),
        noise_scale=module.sensors.scale().cpu(),
        degrees_of_freedom=module.sensors.degrees_of_freedom().cpu(),
        missingness=module.missingness.weights.cpu().clone(),
        inverse_probability=weights.cpu(),
        history=trained.rows,
        findings=trained.findings,
        summary=trained.summary,
        module=module.cpu(),
        n_steps=trained.step,
        n_skipped=trained.n_skipped,
    )
