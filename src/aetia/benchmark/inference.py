"""Predictions on fixed tasks, kept on disk under what they depend on."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aetia.data import Dataset
from aetia.discovery import METHODS
from aetia.discovery.amortised.network import AmortisedNetwork
from aetia.discovery.amortised.scores import predict
from aetia.errors import ConvergenceError
from aetia.files import is_bundle, load_bundle, save_bundle
from aetia.graphs import Knowledge
from aetia.randomness import torch_generator
from aetia.results import GraphPosterior
from aetia.scm import Tasks

__all__ = ["Inferred", "Predictor", "cached", "network_predictor", "per_task_predictor"]


_KIND, _SCHEMA = "TaskPrediction", 2
_NUMBERS = ("joint_nll", "seconds", "share_cyclic")


@dataclass(frozen=True, eq=False, kw_only=True)
class Inferred:
    """What a method says about one task."""

    posterior: GraphPosterior
    truth: np.ndarray
    joint_nll: float
    """Minus the log-probability of the true graph under the prediction; NaN if unknown."""
    seconds: float
    share_cyclic: float
    """Share of the raw draws that have a cycle."""


Predictor = Callable[[Tasks, int], Inferred | None]
"""``predict(task, seed)``; None when the method gave up."""


def network_predictor(
    network: AmortisedNetwork, n_draws: int, *, normalise: bool = True
) -> Predictor:
    """Predict with a pre-trained network.

    Args:
        network: The network, in evaluation mode.
        n_draws: Graphs drawn for each task.
        normalise: Whether tables are standardised, as in the network's training.

    Returns:
        The predictor; a first call outside the clock warms it up.
    """
    warm: list[bool] = []

    def infer(task: Tasks, seed: int) -> Inferred:
        d = task.graphs.shape[-1]
        nothing = Knowledge().constraints([f"x{i}" for i in range(d)])
        nothing = nothing._replace(forbidden=torch.eye(d, dtype=torch.bool))
        with torch.inference_mode():
            if not warm:
                predict(network, task, normalise=normalise)
                warm.append(True)
            started = time.perf_counter()
            predicted = network.distribution(predict(network, task, normalise=normalise))
            generator = torch_generator(np.random.SeedSequence([seed, int(task.index[0])]))
            draws = predicted.draw_dags(nothing, n_draws, generator)
            seconds = time.perf_counter() - started
            joint = -float(predicted.log_prob(task.graphs)[0])
        posterior = GraphPosterior(
            graphs=draws.graphs.numpy(),
            log_weights=(draws.log_weights - draws.log_weights.logsumexp(0)).numpy(),
            names=tuple(f"x{i}" for i in range(d)),
            edge_marginals=draws.marginals.double().numpy(),
        )
        return Inferred(
            posterior=posterior,
            truth=task.graphs[0].cpu().numpy(),
            joint_nll=joint,
            seconds=seconds,
            share_cyclic=float(draws.facts["share_cyclic"]),
        )

    return infer


def per_task_predictor(method: str, options: dict[str, Any], n_draws: int) -> Predictor:
    """Fit a method to every task.

    Args:
        method: Name in ``METHODS``.
        options: Options of its estimator.
        n_draws: Graphs drawn from each posterior.

    Returns:
        The predictor; None where the method did not converge.
    """
    cls = METHODS[method][0]

    def infer(task: Tasks, seed: int) -> Inferred | None:
        number = int(task.index[0])
        estimator = cls(**options)
        if "random_state" in estimator.get_params():
            estimator.set_params(random_state=np.random.default_rng([seed, number]))
        if "progress" in estimator.get_params():
            estimator.set_params(progress=False)
        marks = task.intervened[0].numpy()
        data = Dataset(
            values=task.values[0].double().numpy(),
            names=tuple(f"x{i}" for i in range(task.graphs.shape[-1])),
            observed=np.ones_like(marks),
            intervened=marks if marks.any() else None,
            kinds=("continuous",) * marks.shape[1],
            source="simulated",
        )
        started = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                posterior = estimator.fit(data).posterior_
        except ConvergenceError:
            return None
        facts = posterior.diagnostics
        truth = task.graphs[0].numpy()
        if len(posterior.graphs) > n_draws:
            p = posterior.edge_probabilities()
            draws = posterior.sample(n_draws, random_state=np.random.default_rng([seed, number]))
            weights = np.full(n_draws, -np.log(n_draws))
            posterior = GraphPosterior(
                graphs=draws, log_weights=weights, names=posterior.names, edge_marginals=p
            )
        return Inferred(
            posterior=posterior,
            truth=truth,
            joint_nll=float("nan"),
            seconds=time.perf_counter() - started,
            share_cyclic=float(facts.get("share_cyclic", 0.0)),
        )

    return infer


def cached(
    predictor: Predictor,
    folder: Path | None,
    key: tuple[str, ...],
    n_stored: int | None,
) -> Callable[[Tasks, int, str], Inferred | None]:
    """Keep predictions on disk.

    Args:
        predictor: Makes them.
        folder: Folder that keeps them; None keeps none.
        key: What they depend on besides family and task: method, weights, number of draws.
        n_stored: How many graphs are kept; None for all.

    Returns:
        ``infer(task, seed, family_key)``.
    """

    def infer(task: Tasks, seed: int, family_key: str) -> Inferred | None:
        if folder is None:
            return predictor(task, seed)
        parts = json.dumps([*key, family_key, seed, task.values.shape[1]])
        name = hashlib.sha256(parts.encode()).hexdigest()[:16]
        file = folder / name / f"task-{int(task.index[0])}.safetensors"
        if file.is_file():
            return _read(file)
        made = predictor(task, seed)
        if made is not None:
            _write(file, made, n_stored)
            made = _read(file)  # so that a first and a second run say the same
        return made

    return infer


def _write(file: Path, made: Inferred, n_stored: int | None) -> None:
    p = made.posterior
    keep = slice(n_stored)
    arrays = {
        "graphs": p.graphs[keep].astype(np.uint8),
        "log_weights": p.log_weights[keep].astype(np.float64),
        "marginals": p.edge_probabilities().astype(np.float32),
        "truth": made.truth.astype(np.uint8),
    }
    plain = {name: getattr(made, name) for name in _NUMBERS}
    tensors = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()}
    save_bundle(file, kind=_KIND, schema=_SCHEMA, tensors=tensors, plain=plain)


def _read(file: Path) -> Inferred:
    if is_bundle(file):
        _, _, tensors, plain = load_bundle(file, kind=_KIND, schema=_SCHEMA)
    else:
        tensors, plain = _read_first_schema(file)
    arrays = {k: v.numpy() for k, v in tensors.items()}
    weights = arrays["log_weights"]
    posterior = GraphPosterior(
        graphs=arrays["graphs"].astype(bool),
        log_weights=weights - np.logaddexp.reduce(weights),
        names=tuple(f"x{i}" for i in range(len(arrays["truth"]))),
        edge_marginals=arrays["marginals"].astype(np.float64),
    )
    numbers = {k: float("nan") if plain[k] is None else plain[k] for k in _NUMBERS}
    return Inferred(posterior=posterior, truth=arrays["truth"].astype(bool), **numbers)


def _read_first_schema(file: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a file without a checksum."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as handle:
        tensors = {k: handle.get_tensor(k) for k in handle.keys()}  # noqa: SIM118
        return tensors, json.loads(handle.metadata()["facts"])
