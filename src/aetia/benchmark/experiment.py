"""One experiment from start to end: pre-train if needed, infer, evaluate, report."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from lightning_fabric import Fabric

from aetia.benchmark.evaluation import summarise, task_row
from aetia.benchmark.experiment_config import ExperimentConfig, on_gpu
from aetia.benchmark.inference import cached, network_predictor, per_task_predictor
from aetia.benchmark.model_config import AVICIModel, BCNPModel
from aetia.discovery import AVICI, BCNP, Pretrained
from aetia.discovery.amortised import PretrainingData, build_network, pretrain_network
from aetia.discovery.amortised.estimator import pretrained_of
from aetia.files import plain_json, write_atomically
from aetia.options import options_dict
from aetia.report import check_writable, render_experiment_report
from aetia.scm import FixedTasks, TaskFamily, overlap
from aetia.training import TRACKERS, Tracker, gather_rows, make_fabric
from aetia.version import __version__

__all__ = ["run_experiment"]

_LOG = logging.getLogger(__name__)
_ESTIMATORS = {"avici": AVICI, "bcnp": BCNP}


def run_experiment(config: ExperimentConfig, folder: str | Path) -> dict[str, Any]:
    """Run an experiment; run it again in the same folder to go on where it stopped.

    Args:
        config: What to do.
        folder: For checkpoints, weights, predictions, ``metrics.json`` and ``report.html``.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        InputError: If the folder cannot be used or belongs to another experiment.
    """
    folder = check_writable(folder)
    trainer = config.trainer
    fabric = make_fabric(
        device=trainer.device,
        devices=trainer.devices,
        nodes=trainer.nodes,
        precision=trainer.precision(on_gpu(trainer.device)),
    )
    if trainer.devices * trainer.nodes > 1:
        fabric.launch()
    if fabric.is_global_zero:
        text = yaml.safe_dump(plain_json(options_dict(config)), sort_keys=False)
        write_atomically(folder / "config.yaml", text)
    tests = {
        name: FixedTasks(
            family=family,
            numbers=config.data.seeds_test,
            seed=config.data.base_seed,
            split="test",
            cache=_folder(config.data.cache),
        )
        for name, family in config.data.tests().items()
    }
    facts: dict[str, Any] = {"name": config.name, "model": config.model.type}
    if isinstance(config.model, (AVICIModel, BCNPModel)):
        weights = _weights(config, config.model, folder, fabric, tests, facts)
        network = _ESTIMATORS[config.model.type].network_of(weights).to(fabric.device)
        predictor = network_predictor(
            network,
            config.inference.n_samples,
            normalise=bool(weights.card.get("normalise", True)),
        )
        key = (config.model.type, weights.key, str(config.inference.n_samples))
        facts["weights"] = {"key": weights.key, "best_step": weights.card.get("best_step")}
    else:
        options = dict(config.model.options or {})
        predictor = per_task_predictor(config.model.type, options, config.inference.n_samples)
        key = (config.model.type, json.dumps(plain_json(options), sort_keys=True), __version__)
        key = (*key, str(config.inference.n_samples))
    infer = cached(
        predictor,
        folder / "inference" if config.inference.cache else None,
        key,
        config.inference.store_samples,
    )
    rows = []
    for fixed_name, fixed in tests.items():
        tasks = fixed.tasks()
        # Every rank takes its own tasks; no padding, so nothing is counted twice.
        for task in tasks[fabric.global_rank :: fabric.world_size]:
            made = infer(task, config.seed, fixed.key)
            rows.append(task_row(task, fixed_name, made))
    rows = gather_rows(fabric, rows)
    results: dict[str, Any] = {}
    if fabric.is_global_zero:
        families: Mapping[str, TaskFamily] = config.data.tests()
        summary = summarise(rows, config.data.groups(), families, config.data.train())
        results = {
            **facts,
            "version": __version__,
            "device": str(fabric.device),
            "world_size": fabric.world_size,
            **summary,
            "tasks": [{k: v for k, v in r.items() if k not in ("stated", "true")} for r in rows],
        }
        text = json.dumps(plain_json(_without_nan(results)), indent=1)
        write_atomically(folder / "metrics.json", text)
        html = render_experiment_report(results, options_dict(config))
        write_atomically(folder / "report.html", html)
        _LOG.info("results in %s", folder)
    fabric.barrier()
    return results


def _weights(
    config: ExperimentConfig,
    model: AVICIModel | BCNPModel,
    folder: Path,
    fabric: Fabric,
    tests: Mapping[str, FixedTasks],
    facts: dict[str, Any],
) -> Pretrained:
    """Load the weights that are asked for, or train them."""
    if config.inference.weights is not None:
        return Pretrained.load(config.inference.weights)
    estimator, trainer = _ESTIMATORS[model.type], config.trainer
    network_config = model.network(trainer.regulariser_update_interval)
    training = trainer.training(n_workers=config.data.num_workers, on_gpu=on_gpu(trainer.device))
    held_out = {k: fixed.fingerprints() for k, fixed in tests.items()}
    data = PretrainingData(
        family=config.data.train(),
        batch_size=trainer.batch_size,
        seed=config.data.base_seed,
        replay=config.data.replay,
        validation=config.data.validation(),
        validation_numbers=config.data.seeds_val,
        reserved=frozenset(h for many in held_out.values() for h in many),
        n_draws=trainer.val_n_samples,
        max_tasks=trainer.val_max_tasks,
        normalise=config.data.normalize_data,
        pin_memory=config.data.pin_memory,
    )
    validated = [h for s in data.validation_sets().values() for h in s.fingerprints()]
    facts["graphs_in_validation_and_test"] = overlap(
        validated, [h for many in held_out.values() for h in many]
    )
    trained = pretrain_network(
        build_network(estimator.network_class, network_config, config.seed),
        data,
        training,
        seed=config.seed,
        folder=folder,
        fabric=fabric,
        trackers=_trackers(config, folder) if fabric.is_global_zero else (),
        identity={"network": str(sorted(options_dict(network_config).items()))},
        force=trainer.force_resume,
    )
    weights = pretrained_of(
        estimator, network_config, trained.module, trained, data, training, config.seed
    )
    weights = replace(weights, name=config.name)
    if fabric.is_global_zero:
        weights.save(folder / "weights")
    return weights


def _trackers(config: ExperimentConfig, folder: Path) -> list[Tracker]:
    if config.logger.type == "none":
        return []
    made = TRACKERS[config.logger.type]
    return [made(folder / config.logger.type, **dict(config.logger.options or {}))]


def _folder(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def _without_nan(value: Any) -> Any:
    """Write what is not a number as null, which every JSON reader takes."""
    if isinstance(value, Mapping):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return None
    return value
