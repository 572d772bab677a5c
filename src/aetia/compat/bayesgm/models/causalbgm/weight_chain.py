"""Draws of a network's weights given the fitted latents, one chain from where training ended."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.effects.causalbgm.surface import Networks, Units, weight_density
from aetia.nets import Layers, flatten_layers
from aetia.samplers import HMC, chain_draws, warm_up

__all__ = ["weight_draws"]

_STEP_SIZE, _N_LEAPFROG, _TARGET, _PRIOR_STD = 0.01, 3, 0.75, 1.0


def weight_draws(
    name: str,
    networks: Networks,
    units: Units,
    z: Float[Tensor, "one n latents"],
    generator: torch.Generator,
    *,
    num_samples: int,
    num_burnin: int,
    has_fixed_noise: bool,
) -> Float[np.ndarray, "draws weights"]:
    """Draw all weights of a network under the prior N(0, 1).

    Args:
        name: ``"covariates"``, ``"treatment"`` or ``"outcome"``.
        networks: Where the chain starts.
        units: All that is known.
        z: Their latents.
        generator: Source of randomness.
        num_samples: Draws.
        num_burnin: Steps before them, which adapt the step size.
        has_fixed_noise: Whether the last output is the user's, and its weights stay.

    Returns:
        One row for each draw.
    """
    layers = getattr(networks.mechanisms(), name)
    start = flatten_layers(layers).detach()
    moves = _moving(layers, has_fixed_noise)
    of_weights = weight_density(name, networks, units, z, _PRIOR_STD)

    def density(flat: Tensor) -> Tensor:
        # What does not move needs some distribution, or its coordinates would drift away.
        idle = torch.where(moves, 0.0, flat - start)
        return of_weights(torch.where(moves, flat, start)) - 0.5 * idle.square().sum(-1)

    sampler = HMC(density, _STEP_SIZE, _N_LEAPFROG)
    state, _ = warm_up(sampler, sampler.init(start), num_burnin, generator, target=_TARGET)
    states = chain_draws(sampler, state, num_samples, generator)
    rows = [torch.where(moves, s.position, start)[0].cpu().numpy() for s, _ in states]
    return np.stack(rows)


def _moving(layers: Layers, has_fixed_noise: bool) -> Bool[Tensor, "one weights"]:
    """Mark the weights that are drawn: all, or all but those of the last output."""
    marks = [
        layer._replace(weight=torch.ones_like(layer.weight), bias=torch.ones_like(layer.bias))
        for layer in layers
    ]
    if has_fixed_noise:
        marks[-1].weight[..., -1] = 0.0
        marks[-1].bias[..., -1] = 0.0
    return flatten_layers(marks) > 0
