"""The experiment in the plane: train, sample, compare, and leave everything in a folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aetia.devices import pick_device
from aetia.diagnostics.two_sample import mmd_squared
from aetia.errors import CheckpointError, InputError
from aetia.files import write_json
from aetia.generation.diffusion.experiments.files import (
    History,
    read_weights,
    write_figure,
    write_weights,
)
from aetia.generation.diffusion.experiments.options import ToyExperiment
from aetia.generation.diffusion.experiments.toy_model import (
    ToyModel,
    build_toy,
    sample_toy,
    train_toy,
)
from aetia.generation.diffusion.experiments.tracking import ExperimentTracker, WandbExperiment
from aetia.generation.diffusion.process.gaussian_mixture import two_modes
from aetia.plots import plot_points
from aetia.randomness import torch_generator
from aetia.version import __version__

__all__ = ["load_toy", "run_toy_experiment"]

_FEW_STEPS = (1, 2, 5, 10)


def run_toy_experiment(options: ToyExperiment, *, progress: bool | None = None) -> dict[str, Any]:
    """Train on the mixture, sample it, and write the folder ``options.out``.

    It holds ``model.pt``, ``training_metrics.json``, ``training_dynamics.png``, ``gen.png``,
    ``ref.png``, ``metrics.json``, ``config.json`` and ``health.jsonl``.

    Args:
        options: Options of the experiment.
        progress: Whether to show a bar; None shows it in terminals.

    Returns:
        What ``metrics.json`` holds, and facts about the run.
    """
    started = time.perf_counter()
    out, config = Path(options.out), asdict(options)
    device = pick_device(options.device)
    tracker = (
        WandbExperiment(out / "wandb", options.wandb_project, options.wandb_name, config)
        if options.wandb
        else ExperimentTracker()
    )
    build, learn, draw = np.random.SeedSequence(options.seed).spawn(3)
    history = History(out / "training_metrics.json", "step")

    def on_step(step: int, info: Mapping[str, float]) -> None:
        row = {
            "step": step,
            "loss": info["loss"],
            "confidence": info["confinement"],  # the original's name of the term
            "interaction": info["interaction"],
            "weight": info["weight"],
        }
        history.add(row)
        tracker.steps({**row, "lr": info["learning_rate"]})

    try:
        write_json(out / "config.json", {**config, "version": __version__})
        model = build_toy(options.model_config(), torch_generator(build))
        seed = int(learn.generate_state(1)[0])
        trained = train_toy(model, device, seed, folder=out, on_step=on_step, progress=progress)
        history.write()
        history.draw(out / "training_dynamics.png")
        write_weights(out / "model.pt", model.network, config)
        metrics = _evaluate(model, options, out, draw, device)
        metrics["training"] = history.last(100)
        write_json(out / "metrics.json", metrics)
        for name in ("training_dynamics", "gen", "ref"):
            tracker.picture(name, out / f"{name}.png")
    finally:
        tracker.close()
    facts = {
        "device": str(device),
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "seconds": time.perf_counter() - started,
        "skipped steps": trained.n_skipped,
        "verdicts": trained.rows[-1].get("verdicts", {}),
    }
    return {**metrics, "facts": facts}


def _evaluate(
    model: ToyModel,
    options: ToyExperiment,
    out: Path,
    seeds: np.random.SeedSequence,
    device: torch.device,
) -> dict[str, Any]:
    one, other, *streams = seeds.spawn(2 + len(_FEW_STEPS) + 1)
    n = options.eval_samples
    reference = two_modes().sample(n, torch_generator(one))
    again = two_modes().sample(n, torch_generator(other))
    by_steps: dict[int, float] = {}
    points = np.empty((0, 2))
    for n_steps, stream in zip((*_FEW_STEPS, options.steps), streams, strict=True):
        points = sample_toy(model, n, torch_generator(stream, device), n_steps)
        by_steps[n_steps] = mmd_squared(torch.from_numpy(points), reference, 1.0)
    for name, drawn in (("gen", points), ("ref", reference.numpy())):
        ax, _ = plot_points(drawn, limit=8.0)
        write_figure(out / f"{name}.png", ax.figure)
    return {
        "mmd2_rbf_sigma1": by_steps[options.steps],
        "mmd2_rbf_sigma1_floor": mmd_squared(again, reference, 1.0),
        "steps": options.steps,
        "n_samples": n,
        "mmd2_by_steps": {str(k): v for k, v in sorted(by_steps.items())},
    }


def load_toy(file: str | Path) -> ToyModel:
    """Read ``model.pt`` of an experiment in the plane.

    Args:
        file: The file.

    Returns:
        A model to sample from.

    Raises:
        CheckpointError: If it is damaged or of another experiment.
    """
    weights, config = read_weights(file)
    try:
        known = {f.name for f in fields(ToyExperiment)}
        options = ToyExperiment(**{k: v for k, v in config.items() if k in known})
        model = build_toy(options.model_config(), torch.Generator())
        model.network.load_state_dict(weights)
    except (InputError, RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{str(file)!r} is no model of the experiment in the plane ({error})."
        ) from error
    model.network.eval().requires_grad_(False)
    return model
