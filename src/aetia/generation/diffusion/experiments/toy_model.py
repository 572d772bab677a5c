"""A denoiser of the mixture of two normals in the plane: training on fresh points, sampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from aetia.generation.diffusion.process.averaging import ema_for
from aetia.generation.diffusion.process.gaussian_mixture import GaussianMixture, two_modes
from aetia.generation.diffusion.process.sampler import reverse_chain, time_grid
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.fitting import build_network, objective_of
from aetia.generation.diffusion.tables.networks import VectorDenoiser
from aetia.nets import seeded
from aetia.training import Healthy, Phase, Trained, TrainingConfig, train

__all__ = ["SPREAD", "ToyModel", "build_toy", "sample_toy", "train_toy"]

_CENTRE, _SCALE = (0.0, 3.0), (math.sqrt(9.25), 0.5)
"""Mean and standard deviations of the mixture, in closed form."""

SPREAD = {
    "spread": Healthy(
        0.5,
        1.5,
        "interaction over confinement should approach 1: near 0 draws ignore their noise, and "
        "samples will be too narrow",
    )
}
"""Healthy range of a signal of every DDDM training with lambda = 1."""


@dataclass(frozen=True, eq=False)
class ToyModel:
    """A network, and the units that it works in."""

    network: VectorDenoiser
    config: DDDMConfig

    def units(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Choose centre and scale: the plane as it is for the paper's network, which is not
        preconditioned, whitened coordinates for the residual one.

        Args:
            device: The device to put them on.

        Returns:
            Of both coordinates.
        """
        if self.config.value("network") == "plain":
            return torch.zeros(2, device=device), torch.ones(2, device=device)
        return torch.tensor(_CENTRE, device=device), torch.tensor(_SCALE, device=device)


def build_toy(config: DDDMConfig, generator: torch.Generator) -> ToyModel:
    """Make a network with initial weights.

    Args:
        config: Options.
        generator: Source of randomness of the weights.

    Returns:
        A model that knows nothing yet.
    """
    with seeded(generator):
        return ToyModel(build_network(config, 2, 1), config)


def train_toy(
    model: ToyModel,
    device: torch.device,
    seed: int,
    *,
    folder: Path | None = None,
    on_step: Callable[[int, Mapping[str, float]], None] | None = None,
    progress: bool | None = None,
) -> Trained:
    """Train on points that are drawn anew for every step.

    Args:
        model: Its network learns.
        device: Where.
        seed: Seed of points and noise.
        folder: Folder for the health record; None keeps none.
        on_step: Called with the numbers of every step.
        progress: Whether to show a bar.

    Returns:
        How it went.
    """
    config, objective = model.config, objective_of(model.config)
    mixture, (centre, scale) = _mixture_on(device), model.units(device)
    n_steps, batch = int(config.value("n_training_steps")), int(config.value("batch_size"))
    is_constant = config.value("lr_schedule") == "constant"

    def loss(module: nn.Module, index: Tensor, step: int, g: torch.Generator) -> Any:
        del step
        if device.type != "cpu":
            g = torch.Generator(device=device).manual_seed(
                int(torch.randint(2**62, (), generator=g))
            )
        x_0 = (mixture.sample(len(index), g) - centre) / scale
        asked = objective.noise(x_0, (model.network.n_noise,), g)
        scored = objective.score(module(asked.x_t, asked.t, asked.xi, None), x_0, asked.t)
        return scored.loss, {
            "confinement": scored.confinement,
            "interaction": scored.interaction,
            "weight": scored.weight,
        }

    def on_step_end(step: int, info: Mapping[str, float]) -> dict[str, float]:
        if on_step is not None:
            on_step(step + 1, info)
        return {} if config.population < 2 else {"spread": spread_of(info)}

    def batches(first: int) -> Iterator[Tensor]:
        del first
        while True:
            yield torch.arange(batch)

    options = TrainingConfig(
        n_steps=n_steps,
        learning_rate=config.value("learning_rate"),
        weight_decay=config.value("weight_decay"),
        betas=(0.9, 0.999) if is_constant else (0.9, 0.99),
        schedule=config.value("lr_schedule"),
        warmup=0.0 if is_constant else 0.02,
        clip_norm=config.value("clip_norm") or None,
        ema_decay=ema_for(float(config.value("ema_decay")), n_steps),
        log_every=max(n_steps // 100, 1),
        gradient_shares=False,
        validate_every=0,
        checkpoint_every=n_steps,
        keep_last=1,
        precision="32-true" if device.type == "cpu" else "bf16-mixed",
        progress=progress,
    )
    network = model.network.to(device)
    trained = train(
        network,
        [Phase(parameters=lambda m: list(m.parameters()), loss=loss)],
        batches,
        config=options,
        seed=seed,
        folder=folder,
        on_step_end=on_step_end,
        signals=SPREAD if config.interaction == 1 else {},
        resume=False,
    )
    network.eval().requires_grad_(False)
    return trained


def spread_of(info: Mapping[str, float]) -> float:
    """Divide interaction by confinement.

    Args:
        info: Numbers of a step.

    Returns:
        About 1 for a good model with lambda = 1.
    """
    confinement = info["confinement"]
    return info["interaction"] / confinement if confinement > 0 else math.nan


def _mixture_on(device: torch.device) -> GaussianMixture:
    mixture = two_modes()
    return GaussianMixture(mixture.means.to(device), mixture.std, mixture.weights.to(device))


def sample_toy(
    model: ToyModel, n: int, generator: torch.Generator, n_steps: int
) -> Float[np.ndarray, "n 2"]:
    """Draw points.

    Args:
        model: Trained.
        n: How many.
        generator: Source of randomness, on the network's device.
        n_steps: Steps of the sampler.

    Returns:
        Points in the plane.
    """
    network, device = model.network, generator.device
    centre, scale = model.units(device)

    def denoise(x: Tensor, t: float, g: torch.Generator) -> Tensor:
        xi = torch.empty((len(x), 1, network.n_noise), device=device).normal_(generator=g)
        return network(x, torch.full((len(x),), t, device=device), xi, None)[:, 0]

    noise = torch.empty((n, 2), device=device).normal_(generator=generator)
    grid = time_grid(n_steps, model.config.time_grid)
    churn = float(model.config.value("churn"))
    z = reverse_chain(denoise, model.config.the_schedule(), noise, grid, churn, generator)
    return (centre + scale * z).cpu().numpy()
