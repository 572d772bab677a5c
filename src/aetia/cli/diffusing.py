"""What ``diffusion`` does: an experiment that trains in its folder, and the report about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import typer

from aetia.cli.request import Request
from aetia.cli.runner import Job, Plan
from aetia.files import replacing_run
from aetia.generation.diffusion.experiments import (
    ImageExperiment,
    ToyExperiment,
    image_experiment,
    run_image_experiment,
    run_toy_experiment,
    toy_experiment,
)
from aetia.report import DiffusionAnswers
from aetia.results import RunFacts

__all__ = ["image_job", "toy_job"]

_PICTURES = {
    "Drawn points": "gen.png",
    "Points of the mixture": "ref.png",
    "Training": "training_dynamics.png",
    "Samples": "samples.png",
    "Training, by step": "train_dynamics.png",
    "Training, by epoch": "epoch_dynamics.png",
    "Evaluations": "eval_dynamics.png",
}
_WRITTEN = ("*.png", "*_metrics.json", "metrics.json", "config.json", "model*.pt", "health.jsonl")
_WRITTEN = (*_WRITTEN, "health*.html", "checkpoints", "wandb", "training_summary.json")
"""What an experiment leaves in its folder before there is a summary that lists it."""


def toy_job(asked: Request) -> Job:
    """Prepare the experiment in the plane."""
    options = toy_experiment(_given(asked), asked.config)

    def answer() -> DiffusionAnswers:
        _clear(options)
        found = run_toy_experiment(options, progress=asked.progress)
        by_steps = {f"MMD^2 in {k} steps": v for k, v in found["mmd2_by_steps"].items()}
        sentence = (
            f"MMD^2 (RBF, sigma 1) of {found['n_samples']:,} points drawn in {found['steps']} "
            f"steps: {found['mmd2_rbf_sigma1']:.2e}; of fresh points of the mixture: "
            f"{found['mmd2_rbf_sigma1_floor']:.1e}."
        )
        numbers = {**by_steps, "MMD^2 of fresh points": found["mmd2_rbf_sigma1_floor"]}
        return _answers("diffusion-toy", options, found, options.epochs, [sentence], numbers)

    title, source = "Distributional diffusion in the plane", "a mixture of two normals"
    return _job("diffusion-toy", asked, options, answer, {"title": title, "source": source})


def image_job(asked: Request) -> Job:
    """Prepare the experiment with images."""
    options = image_experiment(_given(asked), asked.config)
    asked.force = asked.force or options.resume
    context = {"title": "Distributional diffusion of images"}

    def answer() -> DiffusionAnswers:
        found = run_image_experiment(
            options,
            progress=asked.progress,
            say=lambda line: typer.echo(line, err=True),
            on_start=partial(_clear, options),
        )
        context["source"] = found["facts"]["data"]
        evaluation = found["evaluation"]
        numbers = {k: v for k, v in evaluation.items() if isinstance(v, (int, float))}
        words = _about_images(options, evaluation)
        return _answers("diffusion-images", options, found, found["facts"]["steps"], words, numbers)

    return _job("diffusion-images", asked, options, answer, context)


def _given(asked: Request) -> dict[str, Any]:
    """Take the flags that were given; they beat the file, whatever they say."""
    return {k: getattr(asked, k) for k in asked.flags if getattr(asked, k) is not None}


def _job(
    name: str,
    asked: Request,
    options: ToyExperiment | ImageExperiment,
    answer: Any,
    context: Mapping[str, Any],
) -> Job:
    asked.out = Path(options.out)
    return Job(
        kind="diffusion",
        method=name,
        options=asdict(options),
        plan=lambda: Plan(on=context.get("source", "images")),
        answer=answer,
        context=context,
    )


def _clear(options: ToyExperiment | ImageExperiment) -> None:
    """Take an old run out of the folder, unless the new one goes on with it."""
    out = Path(options.out)
    if not getattr(options, "resume", False):
        old = [entry.name for pattern in _WRITTEN for entry in out.glob(pattern)]
        with replacing_run(out, of_old_runs=old):
            pass


def _answers(
    method: str,
    options: ToyExperiment | ImageExperiment,
    found: dict[str, Any],
    n_steps: int,
    words: list[str],
    numbers: Mapping[str, Any],
) -> DiffusionAnswers:
    training, out = dict(found["facts"]), Path(options.out)
    verdicts, seconds = training.pop("verdicts"), training.pop("seconds")
    return DiffusionAnswers(
        words=words,
        numbers=numbers,
        pictures={k: out / name for k, name in _PICTURES.items() if (out / name).is_file()},
        verdicts=verdicts,
        facts=RunFacts(
            method=method,
            seed=options.seed,
            device=training.pop("device"),
            seconds=seconds,
            n_steps=n_steps,
            config=asdict(options),
        ),
        training=training,
        plain={k: v for k, v in found.items() if k != "facts"},
    )


def _about_images(options: ImageExperiment, evaluation: dict[str, Any]) -> list[str]:
    if not evaluation:
        return ["New images were not compared with real ones: pass --eval-every."]
    words = [
        f"After epoch {evaluation['epoch']}: fd_pca64 {evaluation['fd_pca64']:.4g} (test images: "
        f"{evaluation['fd_pca64_floor']:.4g}), fd_randconv {evaluation['fd_randconv']:.4g} (test "
        f"images: {evaluation['fd_randconv_floor']:.4g}), drawn in {options.sample_steps} steps."
    ]
    if evaluation["fid"] is None:
        words.append(evaluation["fid_note"])
    else:
        words.append(f"FID {evaluation['fid']:.4g}, by the weights that were passed.")
    words.append(
        f"mmd has a bandwidth of {options.mmd_sigma:g} on pixels, where distances grow with the "
        "number of pixels and such a kernel sees little; mmd2_median does not have this problem."
    )
    return words
