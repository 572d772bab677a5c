"""Modes of the parameters of particles whose graphs are held."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from aetia.likelihoods import JointScore
from aetia.likelihoods.protocol import Parameters
from aetia.samplers import Adam

__all__ = ["settle"]

_STEP_SIZE = 0.02


def settle(
    likelihood: JointScore,
    graphs: Bool[Tensor, "s d d"],
    parameters: Parameters,
    n_steps: int,
) -> Parameters:
    """Ascend log p(parameters, data | graph) in the parameters, with the graphs held.

    During a run the parameters of a particle serve all the graphs that its Z may still mean, and
    the optimiser moves them by a small step at a time. Weights by joint density would then compare
    how far networks have been trained, and not how well graphs explain the data.

    Args:
        likelihood: Bound to data.
        graphs: Graph of each particle.
        parameters: Its parameters.
        n_steps: Adam updates, of a length that falls linearly to zero.

    Returns:
        New parameters; those of absent edges stay as they are.
    """
    single = graphs.unsqueeze(1).to(next(iter(parameters.values())).dtype)
    optimiser = Adam(step_size=_STEP_SIZE)
    state = optimiser.init(parameters)
    for step in range(n_steps):
        slopes = likelihood.parameter_gradients(single, parameters, torch.ones_like).parameters
        moves, state = optimiser.update(slopes, state)
        left = 1.0 - step / n_steps
        parameters = {k: v + left * moves[k] for k, v in parameters.items()}
    return parameters
