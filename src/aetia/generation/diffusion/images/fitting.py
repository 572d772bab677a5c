"""The fit of a denoiser for images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from aetia.generation.diffusion.images.batches import ImageBatch, image_batches
from aetia.generation.diffusion.images.config import ImageDDDMConfig
from aetia.generation.diffusion.process.averaging import ema_for
from aetia.generation.diffusion.process.objective import Objective
from aetia.generation.diffusion.process.preconditioning import skip_weights
from aetia.nets import DiT
from aetia.randomness import generator_on
from aetia.training import Phase, Trained, TrainingConfig, train

__all__ = [
    "build_image_network",
    "fit_image_denoiser",
    "image_loss",
    "training_options",
]

_N_VALIDATIONS = 20


def build_image_network(config: ImageDDDMConfig, n_classes: int) -> DiT:
    """Make the network, with initial weights by torch's global generator.

    Args:
        config: Options.
        n_classes: Labels; 0 for none.

    Returns:
        A denoiser.
    """
    schedule = config.score_options().the_schedule()
    return DiT(
        config.shape(),
        patch=config.value("patch_size"),
        width=config.value("width"),
        depth=config.value("depth"),
        n_heads=config.value("n_heads"),
        mlp_ratio=config.mlp_ratio,
        n_time_features=config.n_time_features,
        n_shared=config.value("n_shared"),
        n_classes=n_classes,
        class_dropout=config.class_dropout if n_classes else 0.0,
        skip=partial(skip_weights, schedule) if config.value("network") == "residual" else None,
    )


def image_loss(objective: Objective, device: torch.device) -> Callable[..., Any]:
    """Make the loss of a batch.

    Args:
        objective: How populations are scored.
        device: Where the network is.

    Returns:
        A loss for the training loop.
    """

    def loss(module: nn.Module, batch: ImageBatch, step: int, g: torch.Generator) -> Any:
        del step
        x_0 = batch.images.to(device, non_blocking=True)
        labels = None if batch.labels is None else batch.labels.to(device)
        asked = objective.noise(x_0, tuple(x_0.shape[1:]), generator_on(g, device))
        draws = module(asked.x_t, asked.t, asked.xi, labels)
        scored = objective.score(draws, x_0, asked.t)
        return scored.loss, {
            "confinement": scored.confinement,
            "interaction": scored.interaction,
            "weight": scored.weight,
        }

    return loss


def training_options(
    config: ImageDDDMConfig, device: torch.device, progress: bool | None, **others: Any
) -> TrainingConfig:
    """Translate options into those of the training loop.

    Args:
        config: Options.
        device: The device to train on.
        progress: Whether to show a bar.
        **others: More of them.

    Returns:
        Options of the loop.
    """
    n_steps = int(config.value("n_training_steps"))
    is_constant = config.value("lr_schedule") == "constant"
    return TrainingConfig(
        n_steps=n_steps,
        learning_rate=config.value("learning_rate"),
        weight_decay=config.value("weight_decay"),
        betas=(0.9, 0.999) if is_constant else (0.9, 0.99),
        schedule=config.value("lr_schedule"),
        warmup=0.0 if is_constant else 0.02,
        clip_norm=config.clip_norm or None,
        ema_decay=ema_for(float(config.value("ema_decay")), n_steps),
        log_every=max(n_steps // 100, 1),
        gradient_shares=False,
        precision="32-true" if device.type == "cpu" else "bf16-mixed",
        progress=progress,
        **others,
    )


def fit_image_denoiser(
    network: DiT,
    images: Float[Tensor, " n c h w"],
    labels: Int[Tensor, " n"] | None,
    held_out: Int[Tensor, " k"],
    config: ImageDDDMConfig,
    device: torch.device,
    seed: int,
    progress: bool | None,
) -> Trained:
    """Train; the network ends with the weights that score the held-out images best.

    Args:
        network: The denoiser.
        images: All images, on the CPU.
        labels: Their classes.
        held_out: Numbers of images that are not learned from; may be empty.
        config: Options.
        device: The device to train on.
        seed: Seed of everything random.
        progress: Whether to show a bar.

    Returns:
        How it went.
    """
    learned = torch.ones(len(images), dtype=torch.bool)
    learned[held_out] = False
    kept = None if labels is None else labels[learned]
    loss = image_loss(config.objective(), device)
    options = training_options(
        config,
        device,
        progress,
        validate_every=max(int(config.value("n_training_steps")) // _N_VALIDATIONS, 1)
        if len(held_out)
        else 0,
    )
    size = min(int(config.value("batch_size")), int(learned.sum()))
    questions = ImageBatch(images[held_out], None if labels is None else labels[held_out])

    def validate(module: nn.Module, step: int) -> list[dict[str, Any]]:
        # The same times and noises every time, or luck would choose the weights.
        value, _ = loss(module, questions, step, torch.Generator().manual_seed(seed))
        return [{"task": 0, "loss": float(value)}]

    return train(
        network,
        [Phase(parameters=lambda m: list(m.parameters()), loss=loss)],
        image_batches(images[learned], kept, size, seed, flip=config.flip, crop=int(config.crop)),
        config=options,
        seed=seed,
        validate=validate if len(held_out) else None,
        resume=False,
    )
