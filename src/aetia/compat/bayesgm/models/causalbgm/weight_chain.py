"""Draws of a network's weights given its inputs: Hamiltonian Monte Carlo with prior N(0, 1)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.nets import Layers, NormalHead, flatten_layers, normal_log_prob, perceptron
from aetia.nets import unflatten_layers as unflatten
from aetia.samplers import HMC, chain_draws, warm_up

__all__ = ["weight_draws"]

_STEP_SIZE, _N_LEAPFROG, _TARGET = 0.01, 3, 0.75


def weight_draws(
    layers: Layers,
    inputs: Float[Tensor, "n inputs"],
    target: Float[Tensor, "n outputs"],
    generator: torch.Generator,
    *,
    num_samples: int,
    num_burnin: int,
    eps: float,
    observed: Bool[Tensor, "n outputs"] | None = None,
    is_binary: bool = False,
    has_fixed_noise: bool = False,
) -> Float[np.ndarray, "draws weights"]:
    """Draw all weights of a network, starting where training left them.

    Args:
        layers: Its weights, one member in front.
        inputs: Of every unit.
        target: What the network explains.
        generator: Source of randomness.
        num_samples: Draws.
        num_burnin: Steps before them.
        eps: Added to variances.
        observed: True where a target was seen.
        is_binary: Whether the target has two levels, and the network gives a logit.
        has_fixed_noise: Whether the last output is the user's, and its weights stay.

    Returns:
        One row for each draw.
    """
    sizes = [layers[0].weight.shape[-2], *(layer.weight.shape[-1] for layer in layers)]
    start = flatten_layers(layers).detach()
    moves = _moving(layers, has_fixed_noise)

    def density(flat: Tensor) -> Tensor:
        raw = perceptron(unflatten(torch.where(moves, flat, start), sizes), inputs)
        if is_binary:
            logit = raw[..., 0]
            fit = -F.binary_cross_entropy_with_logits(
                logit, target[:, 0].expand_as(logit), reduction="none"
            )
        else:
            head = NormalHead(raw[..., :-1], F.softplus(raw[..., -1:]) + eps)
            fit = normal_log_prob(target, head, observed)
        return fit.sum(-1) - 0.5 * flat.square().sum(-1)

    sampler = HMC(density, _STEP_SIZE, _N_LEAPFROG)
    state, _ = warm_up(sampler, sampler.init(start), num_burnin, generator, target=_TARGET)
    states = chain_draws(sampler, state, num_samples, generator)
    rows = [torch.where(moves, s.position, start)[0].cpu().numpy() for s, _ in states]
    return np.stack(rows)


def _moving(layers: Layers, has_fixed_noise: bool) -> Bool[Tensor, "one weights"]:
    """Mark the weights that are drawn: all, or all but those of the last output."""
    marks = [layer._replace(**{k: torch.ones_like(v) for k, v in layer._asdict().items()})
             for layer in layers]  # fmt: skip
    if has_fixed_noise:
        marks[-1].weight[..., -1] = 0.0
        marks[-1].bias[..., -1] = 0.0
    return flatten_layers(marks) > 0
