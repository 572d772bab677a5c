"""One experiment from start to end: pre-train if needed, infer, evaluate, report."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from lightning_fabric import Fabric

from aetia.benchmark.evaluation import summarise, task_row
from aetia.benchmark.experiment_config import ExperimentConfig, on_gpu
from aetia.benchmark.inference import Predictor, cached, network_predictor, per_task_predictor
from aetia.benchmark.model_config import AVICIModel, BCNPModel, Model
from aetia.discovery import AVICI, BCNP, Pretrained
from aetia.discovery.amortised import PretrainingData, build_network, pretrain
from aetia.files import check_writable, plain_json, write_atomically
from aetia.report import ExperimentAnswers, RunContext, write_run
from aetia.results import RunFacts
from aetia.scm import FixedTasks, overlap
from aetia.training import TRACKERS, Tracker, gather_rows, make_fabric
from aetia.version import __version__

__all__ = ["run_experiment"]

_LOG = logging.getLogger(__name__)
_ESTIMATORS = {"avici": AVICI, "bcnp": BCNP}

Tests = Mapping[str, FixedTasks]


class _Method(NamedTuple):
    """What predicts, and what its predictions depend on."""

    predict: Predictor
    key: tuple[str, ...]
    facts: dict[str, Any]
    """What ``metrics.json`` says about it."""
    n_steps: int | None = None
    best_step: int | None = None


def run_experiment(config: ExperimentConfig, folder: str | Path) -> dict[str, Any]:
    """Run an experiment; run it again in the same folder to go on where it stopped.

    Args:
        config: What to do.
        folder: Folder for checkpoints, weights, predictions, ``metrics.json`` and ``report.html``.

    Returns:
        What ``metrics.json`` holds; empty on processes that do not gather.

    Raises:
        InputError: If the folder cannot be used or belongs to another experiment.
    """
    started = time.perf_counter()
    folder = check_writable(folder, force=True)  # a run in it goes on
    fabric = _fabric(config)
    if fabric.is_global_zero:  # from the first moment on, so that an interrupted run can be read
        text = yaml.safe_dump(plain_json(config.values()), sort_keys=False)
        write_atomically(folder / "config.yaml", text)
    tests = _test_tasks(config)
    method = _method(config, folder, fabric, tests)
    rows = gather_rows(fabric, _predicted_rows(config, method, folder, fabric, tests))
    results: dict[str, Any] = {}
    if fabric.is_global_zero:
        results = _results(config, method, fabric, rows)
        facts = RunFacts(
            method=config.model.type,
            seed=config.seed,
            device=str(fabric.device),
            seconds=time.perf_counter() - started,
            n_steps=method.n_steps,
            best_step=method.best_step,
            config=config.values(),
        )
        answers = ExperimentAnswers(results=results, facts=facts)
        context = RunContext(title=config.name, source="simulated tasks")
        write_run("experiment", answers, folder, context, force=True)
        _LOG.info("results in %s", folder)
    fabric.barrier()
    return results


def _fabric(config: ExperimentConfig) -> Fabric:
    trainer = config.trainer
    fabric = make_fabric(
        device=trainer.device,
        devices=trainer.devices,
        nodes=trainer.nodes,
        precision=trainer.precision(on_gpu(trainer.device)),
    )
    if trainer.devices * trainer.nodes > 1:
        fabric.launch()
    return fabric


def _test_tasks(config: ExperimentConfig) -> dict[str, FixedTasks]:
    data = config.data
    return {
        name: FixedTasks(
            family=family,
            numbers=data.seeds_test,
            seed=data.base_seed,
            split="test",
            cache=None if data.cache is None else Path(data.cache),
        )
        for name, family in data.families.tests.items()
    }


def _method(config: ExperimentConfig, folder: Path, fabric: Fabric, tests: Tests) -> _Method:
    """Make the predictor: a network, trained or loaded, or an estimator for every task."""
    n_draws = config.inference.n_draws
    if isinstance(config.model, (AVICIModel, BCNPModel)):
        weights, facts = _weights(config, config.model, folder, fabric, tests)
        network = _ESTIMATORS[config.model.type].network_of(weights).to(fabric.device)
        normalise = bool(weights.card.get("normalise", True))
        step, best = weights.card.get("step"), weights.card.get("best_step")
        return _Method(
            predict=network_predictor(network, n_draws, normalise=normalise),
            key=(config.model.type, weights.key, str(n_draws)),
            facts=facts | {"weights": {"key": weights.key, "best_step": best}},
            n_steps=step,
            best_step=best,
        )
    options = dict(config.model.options or {})
    described = json.dumps(plain_json(options), sort_keys=True)
    return _Method(
        predict=per_task_predictor(config.model.type, options, n_draws),
        key=(config.model.type, described, __version__, str(n_draws)),
        facts={},
    )


def _predicted_rows(
    config: ExperimentConfig, method: _Method, folder: Path, fabric: Fabric, tests: Tests
) -> list[dict[str, Any]]:
    """Predict and score this process's share of the test tasks."""
    kept = folder / "inference" if config.inference.cache else None
    infer = cached(method.predict, kept, method.key, config.inference.n_stored_draws)
    rows = []
    for name, fixed in tests.items():
        # Every rank takes its own tasks; no padding, so nothing is counted twice.
        for task in fixed.tasks()[fabric.global_rank :: fabric.world_size]:
            rows.append(task_row(task, name, infer(task, config.seed, fixed.key)))
    return rows


def _results(
    config: ExperimentConfig, method: _Method, fabric: Fabric, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    families = config.data.families
    return {
        "name": config.name,
        "model": config.model.type,
        **method.facts,
        "version": __version__,
        "device": str(fabric.device),
        "world_size": fabric.world_size,
        **summarise(rows, families.groups, families.tests, families.train),
        "tasks": [{k: v for k, v in r.items() if k not in ("stated", "true")} for r in rows],
    }


def _weights(
    config: ExperimentConfig,
    model: Model,
    folder: Path,
    fabric: Fabric,
    tests: Tests,
) -> tuple[Pretrained, dict[str, Any]]:
    """Load the weights that are asked for, or train them; and say what their data share."""
    assert isinstance(model, (AVICIModel, BCNPModel))
    if config.inference.weights is not None:
        return Pretrained.load(config.inference.weights), {}
    trainer = config.trainer
    network_config = model.network(trainer.regulariser_update_interval)
    held_out = [h for fixed in tests.values() for h in fixed.fingerprints()]
    data = _pretraining_data(config, frozenset(held_out))
    validated = [h for s in data.validation_sets().values() for h in s.fingerprints()]
    weights = pretrain(
        model.type,
        build_network(_ESTIMATORS[model.type].network_class, network_config, config.seed),
        network_config,
        data,
        trainer.training(n_workers=config.data.num_workers, on_gpu=on_gpu(trainer.device)),
        fabric=fabric,
        seed=config.seed,
        folder=folder,
        name=config.name,
        trackers=_trackers(config, folder) if fabric.is_global_zero else (),
        force=trainer.force_resume,
    )
    return weights, {"graphs_in_validation_and_test": overlap(validated, held_out)}


def _pretraining_data(config: ExperimentConfig, reserved: frozenset[bytes]) -> PretrainingData:
    data, trainer = config.data, config.trainer
    return PretrainingData(
        family=data.families.train,
        batch_size=trainer.batch_size,
        seed=data.base_seed,
        replay=data.replay,
        validation=data.families.validation,
        validation_numbers=data.seeds_val,
        reserved=reserved,
        n_draws=trainer.val_n_draws,
        max_tasks=trainer.val_max_tasks,
        normalise=data.normalize_data,
        pin_memory=data.pin_memory,
    )


def _trackers(config: ExperimentConfig, folder: Path) -> list[Tracker]:
    if config.logger.type == "none":
        return []
    made = TRACKERS[config.logger.type]
    return [made(folder / config.logger.type, **dict(config.logger.options or {}))]
