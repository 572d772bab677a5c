"""One training of RC-GNN from start to end: recordings, fit, health, external evaluation.

The fit sees no truth. Where the recordings are simulated, the graph is scored afterwards, and the
best threshold in hindsight is printed as ``oracle_f1``, apart from the method's own figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from aetia.benchmark.sensor_config import SensorData, SensorExperiment
from aetia.data import Truth, Windows, as_windows
from aetia.discovery import RCGNN
from aetia.files import check_writable, plain_json, write_atomically, write_json
from aetia.graphs import retrieval_scores
from aetia.report import write_health_pages
from aetia.scm import Regimes, random_structural_var
from aetia.scm.corruption import PRESETS, corrupt
from aetia.version import __version__

__all__ = ["label_free_pick", "recordings_of", "run_sensor_experiment"]


def recordings_of(data: SensorData) -> tuple[Windows, Truth | None]:
    """Read or simulate the recordings.

    Args:
        data: Options.

    Returns:
        Recordings, and the truth if they are simulated.
    """
    if data.table is not None:
        return as_windows(data.table, time=data.time, series=data.series, regime=data.regime), None
    preset = PRESETS[data.preset]
    n_edges = data.n_sensors if data.n_edges is None else data.n_edges
    model = random_structural_var(
        data.n_sensors,
        n_edges,
        n_lags=data.n_lags,
        nonlinear=data.nonlinear,
        regimes=Regimes(n=preset.n_regimes, kind=preset.regime_kind),
        random_state=data.seed,
    )
    recordings, truth = model.sample(data.n_series, data.n_steps, random_state=data.seed + 1)
    summary = truth.summary_graph
    bad = corrupt(recordings, preset.corruption, graph=summary, random_state=data.seed + 2).data
    low, high = np.log(data.units)
    unit = np.exp(np.linspace(low, high, data.n_sensors))
    return as_windows(bad.values * unit, regime=bad.regime), truth


def run_sensor_experiment(config: SensorExperiment, folder: str | Path) -> dict[str, Any]:
    """Train RC-GNN.

    Args:
        config: What to do.
        folder: Folder for ``health.jsonl``, ``training_summary.json``, ``metrics.json``,
            ``posterior/`` and the health page.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        InputError: If the folder or the recordings cannot be used.
    """
    folder = check_writable(folder, force=True)  # a run in it goes on
    text = yaml.safe_dump(plain_json(config.values()), sort_keys=False)
    write_atomically(folder / "config.yaml", text)
    recordings, truth = recordings_of(config.data)
    estimator = RCGNN(
        **vars(config.model),
        random_state=config.seed,
        device=config.device,
        progress=config.progress,
    )
    fitted = estimator.fit(recordings, folder=folder, evaluator=_external_evaluation(truth))
    fitted.posterior_.save(folder / "posterior")
    results: dict[str, Any] = {
        "name": config.name,
        "model": "rcgnn",
        "backend": config.model.backend,
        "version": __version__,
        "edge_count": int(fitted.summary_graph_.sum()),
        "threshold": fitted.threshold_,
        "held_out": held_out_loss(fitted.history_),
        "lambdas": _lambdas(fitted.history_),
        "findings": [f"{f.code} {f.severity}: {f.text} {f.advice}" for f in fitted.findings_],
        "seconds": fitted.facts_.seconds,
    }
    if truth is not None:
        results["external"] = retrieval_scores(
            torch.from_numpy(truth.summary_graph),
            torch.from_numpy(fitted.summary_graph_),
            torch.from_numpy(fitted.summary_probability_),
        )
    write_json(folder / "metrics.json", results)
    write_health_pages(folder)
    return results


def _external_evaluation(
    truth: Truth | None,
) -> Callable[[np.ndarray, np.ndarray], Mapping[str, float]] | None:
    """Make what compares the graph with the truth while it is learned; the fit does not see it."""
    if truth is None:
        return None
    summary = torch.from_numpy(truth.summary_graph)

    def evaluate(graph: np.ndarray, probabilities: np.ndarray) -> Mapping[str, float]:
        scores = retrieval_scores(summary, torch.from_numpy(graph), torch.from_numpy(probabilities))
        return {"f1": scores["f1"], "shd": scores["shd"], "auroc": scores["auroc"]}

    return evaluate


def held_out_loss(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Average the last loss of the validation blocks over the regimes.

    Args:
        rows: The record of training.

    Returns:
        Data term per cell, in nats; None if nothing was held out.
    """
    for row in reversed(rows):
        losses = [v for k, v in row.items() if k.startswith("validation_loss/")]
        if losses:
            return float(np.mean(losses))
    return None


def label_free_pick(runs: Sequence[Mapping[str, Any]]) -> int | None:
    """Choose among runs by their held-out loss; ties of a hundredth of a nat to fewer edges.

    Args:
        runs: What :func:`run_sensor_experiment` returned.

    Returns:
        Number of the run; None if none held anything out.
    """
    losses = [r.get("held_out") for r in runs]
    known = [k for k, v in enumerate(losses) if v is not None and np.isfinite(v)]
    if not known:
        return None
    best = min(losses[k] for k in known)  # pyright: ignore[reportArgumentType]
    near = [k for k in known if losses[k] <= best + 0.01]  # pyright: ignore[reportOperatorIssue]
    return min(near, key=lambda k: runs[k]["edge_count"])


def _lambdas(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    for row in reversed(rows):
        found = {k.removeprefix("lambda/"): v for k, v in row.items() if k.startswith("lambda/")}
        if found:
            return found
    return {}
