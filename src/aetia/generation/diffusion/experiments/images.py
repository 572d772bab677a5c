"""The experiment with images: epochs, checkpoints, evaluations, and everything in a folder."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from aetia.devices import pick_device
from aetia.diagnostics.two_sample import mmd_squared
from aetia.errors import CheckpointError, InputError
from aetia.files import write_json
from aetia.generation.diffusion.experiments.data import ExperimentImages, read_experiment_images
from aetia.generation.diffusion.experiments.files import (
    History,
    read_weights,
    write_figure,
    write_weights,
)
from aetia.generation.diffusion.experiments.options import ImageExperiment
from aetia.generation.diffusion.experiments.toy_model import SPREAD, spread_of
from aetia.generation.diffusion.experiments.tracking import ExperimentTracker, WandbExperiment
from aetia.generation.diffusion.images.batches import image_batches
from aetia.generation.diffusion.images.draws import draw_images
from aetia.generation.diffusion.images.estimator import ImageDDDM
from aetia.generation.diffusion.images.features import Inception
from aetia.generation.diffusion.images.fitted import FittedImages
from aetia.generation.diffusion.images.fitting import (
    build_image_network,
    image_loss,
    training_options,
)
from aetia.generation.diffusion.images.quality import image_quality
from aetia.generation.diffusion.images.scale import ImageScale
from aetia.nets import DiT, seeded
from aetia.options import options_dict
from aetia.plots import plot_pictures
from aetia.randomness import torch_generator
from aetia.results import RunFacts
from aetia.training import Phase, train
from aetia.version import __version__

__all__ = ["load_images_model", "run_image_experiment"]

_DISTANCES = ("fd_", "mmd", "energy_distance", "fid")


def run_image_experiment(
    options: ImageExperiment,
    *,
    progress: bool | None = None,
    say: Callable[[str], None] | None = None,
    on_start: Callable[[], object] | None = None,
) -> dict[str, Any]:
    """Train on images and write the folder ``options.out``.

    It holds ``model_epochNNN.pt``, ``model_final.pt``, ``config.json``, ``samples.png``, the
    histories ``train``, ``epoch`` and ``eval`` as ``..._metrics.json`` and ``..._dynamics.png``,
    ``health.jsonl`` and ``checkpoints/`` to resume from.

    Args:
        options: Options of the experiment.
        progress: Whether to show a bar; None shows it in terminals.
        say: Called with one line for each epoch.
        on_start: Called once, when options and data are known to be usable and before anything is
            written, so that a folder can be cleared without loss if they are not.

    Returns:
        The last evaluation, and facts about the run.

    Raises:
        InputError: If options or data cannot be used.
    """
    started = time.perf_counter()
    device = pick_device(options.device)
    inception = None
    if options.inception_weights is not None:
        inception = Inception(options.inception_weights, device)
    data = read_experiment_images(options)
    if on_start is not None:
        on_start()
    run = _Run(options, data, device, inception, say or _say_nothing)
    try:
        trained = run.train(progress)
        run.finish()
    finally:
        run.tracker.close()
    facts = {
        "data": data.source,
        "images": len(data.train),
        "device": str(device),
        "parameters": sum(p.numel() for p in run.network.parameters()),
        "steps": trained.step,
        "seconds": time.perf_counter() - started,
        "skipped steps": trained.n_skipped,
        "verdicts": next((r["verdicts"] for r in reversed(trained.rows) if "verdicts" in r), {}),
    }
    return {"evaluation": run.last_evaluation, "training": run.epochs.last(1), "facts": facts}


def _say_nothing(line: str) -> None:
    del line


class _Run:
    """One run: its network, its histories, and what is due at the end of an epoch."""

    def __init__(
        self,
        options: ImageExperiment,
        data: ExperimentImages,
        device: torch.device,
        inception: Inception | None,
        say: Callable[[str], None],
    ) -> None:
        self.options, self.data, self.device = options, data, device
        self.inception, self.say, self.out = inception, say, Path(options.out)
        self.batch = min(options.batch, len(data.train))
        self.per_epoch = len(data.train) // self.batch
        self.config = options.model_config(data.train.shape[-1], self.per_epoch)
        self.scale = ImageScale.of(data.train, self.config.value("scaling"))
        root = np.random.SeedSequence(options.seed)
        build, learn, self.eval_seeds, self.sample_seeds = root.spawn(4)
        self.seed = int(learn.generate_state(1)[0])
        with seeded(torch_generator(build)):
            self.network = build_image_network(self.config, 0).to(device)
        self.steps, self.epochs, self.evaluations = (
            History(self.out / f"{name}_metrics.json", key, resume=options.resume)
            for name, key in (("train", "step"), ("epoch", "epoch"), ("eval", "epoch"))
        )
        self.last_evaluation: dict[str, Any] = {}
        self.plain = {
            **asdict(options),
            "channels": data.train.shape[-1],
            "steps_per_epoch": self.per_epoch,
            "scale": {"centre": self.scale.centre.tolist(), "spread": self.scale.spread},
            "version": __version__,
        }
        write_json(self.out / "config.json", self.plain)
        self.tracker = (
            WandbExperiment(
                self.out / "wandb", options.wandb_project, options.wandb_name, self.plain
            )
            if options.wandb
            else ExperimentTracker()
        )

    def train(self, progress: bool | None) -> Any:
        options = self.options
        images = self.scale.to_model(self.data.train)
        loss = image_loss(self.config.objective(), self.device)
        return train(
            self.network,
            [Phase(parameters=lambda m: list(m.parameters()), loss=loss)],
            image_batches(
                images,
                None,
                self.batch,
                self.seed,
                flip=self.config.flip,
                crop=self.config.crop,
                n_workers=options.workers,
            ),
            config=training_options(
                self.config,
                self.device,
                progress,
                # The weights of the last epoch count: they are its "best".
                validate_every=self.per_epoch,
                metric="epoch",
                mode="max",
                checkpoint_every=self.per_epoch * options.ckpt_every,
                keep_last=1,
            ),
            seed=self.seed,
            folder=self.out,
            validate=self.at_epoch,
            on_step_end=self.at_step,
            signals=SPREAD if options.lam == 1 else {},
            identity={"channels": int(self.data.train.shape[-1]), "images": len(self.data.train)},
            resume=options.resume,
        )

    def at_step(self, step: int, info: Mapping[str, float]) -> dict[str, float]:
        row = {
            "step": step + 1,
            "epoch": step // self.per_epoch + 1,
            "loss": info["loss"],
            "confidence": info["confinement"],  # the original's name of the term
            "interaction": info["interaction"],
            "weight": info["weight"],
            "lr": info["learning_rate"],
        }
        self.steps.add(row)
        self.tracker.steps(row)
        return {} if self.options.m < 2 else {"spread": spread_of(info)}

    def at_epoch(self, module: nn.Module, step: int) -> list[dict[str, Any]]:
        """Do what is due; ``module`` has the averaged weights if there are such."""
        assert isinstance(module, DiT)
        options, epoch = self.options, step // self.per_epoch
        means = {**self.steps.last(self.per_epoch), "epoch": epoch}
        means.pop("step")
        self.epochs.add(means)
        self.tracker.epochs("epoch", means)
        line = (
            f"epoch {epoch}/{options.epochs}: loss {means['loss']:.4f}, confidence "
            f"{means['confidence']:.4f}, interaction {means['interaction']:.4f}, weight "
            f"{means['weight']:.3f}"
        )
        if epoch % options.ckpt_every == 0 or epoch == options.epochs:
            write_weights(self.out / f"model_epoch{epoch:03d}.pt", module, self.plain)
        if options.eval_every and epoch % options.eval_every == 0:
            found = self.evaluate(module, epoch)
            fid = "none" if found["fid"] is None else f"{found['fid']:.2f}"
            line += f"; FID {fid}, MMD {found['mmd']:.2e}, fd_pca64 {found['fd_pca64']:.3f}"
        self.write_histories()
        self.say(line)
        return [{"task": 0, "epoch": float(epoch)}]

    def evaluate(self, module: DiT, epoch: int) -> dict[str, Any]:
        options = self.options
        stream = np.random.SeedSequence(
            entropy=self.eval_seeds.entropy, spawn_key=(*self.eval_seeds.spawn_key, epoch)
        )
        new = self.draw(module, options.eval_samples, stream)
        found = image_quality(
            new,
            self.data.train,
            self.data.test,
            n_mmd=options.mmd_samples,
            inception=self.inception,
            n_fid=options.fid_samples,
        )
        n = options.mmd_samples
        real, learned, drawn = (
            torch.from_numpy(2 * x[:n] - 1).flatten(1)
            for x in (self.data.test, self.data.train, new)
        )
        found["mmd"] = mmd_squared(drawn, real, options.mmd_sigma)
        found["mmd_floor"] = mmd_squared(learned, real, options.mmd_sigma)
        numbers = {
            k: v
            for k, v in found.items()
            if k.startswith(_DISTANCES) and not isinstance(v, str) and k != "mmd2_bandwidth"
        }
        self.evaluations.add({"epoch": epoch, **numbers})
        self.tracker.epochs("eval", {"epoch": epoch, **numbers})
        self.last_evaluation = {"epoch": epoch, **found}
        return found

    def draw(
        self, module: DiT, n: int, seeds: np.random.SeedSequence
    ) -> Float[np.ndarray, "n h w c"]:
        generator = torch_generator(seeds, self.device)
        z = draw_images(module, self.config, n, None, generator, batch=self.options.eval_batch)
        return self.scale.to_pixels(z)

    def write_histories(self) -> None:
        for history in (self.steps, self.epochs, self.evaluations):
            if history.lists[history.key]:
                history.write()

    def finish(self) -> None:
        self.network.eval().requires_grad_(False).to(self.device)
        write_weights(self.out / "model_final.pt", self.network, self.plain)
        if self.options.sample_batch:
            n = self.options.sample_batch
            pictures = self.draw(self.network, n, self.sample_seeds)
            ax, _ = plot_pictures(pictures, n_columns=math.ceil(math.sqrt(n)))
            write_figure(self.out / "samples.png", ax.figure)
            self.tracker.picture("samples", self.out / "samples.png")
        kinds = {"train": self.steps, "epoch": self.epochs, "eval": self.evaluations}
        for name, history in kinds.items():
            if history.lists[history.key]:
                file = self.out / f"{name}_dynamics.png"
                history.draw(file)
                self.tracker.picture(file.stem, file)


def load_images_model(file: str | Path) -> ImageDDDM:
    """Read ``model_final.pt`` or ``model_epochNNN.pt`` of an experiment with images.

    Args:
        file: The file.

    Returns:
        A fitted estimator, on the CPU.

    Raises:
        CheckpointError: If it is damaged or of another experiment.
    """
    weights, plain = read_weights(file)
    try:
        known = {f.name for f in fields(ImageExperiment)}
        options = ImageExperiment(**{k: v for k, v in plain.items() if k in known})
        config = options.model_config(plain["channels"], plain["steps_per_epoch"])
        with seeded(torch.Generator()):
            network = build_image_network(config, 0)
        network.load_state_dict(weights)
        scale = ImageScale(torch.tensor(plain["scale"]["centre"]), plain["scale"]["spread"])
    except (InputError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{str(file)!r} is no model of an experiment with images ({error})."
        ) from error
    network.eval().requires_grad_(False)
    facts = RunFacts(
        method="image-dddm",
        seed=options.seed,
        version=plain["version"],
        config=options_dict(config),
    )
    fit = FittedImages(config=config, network=network, scale=scale, classes=(), facts=facts)
    return ImageDDDM.of_fit(fit)
