r"""Stein variational gradient descent (Liu & Wang, 2016), as an init/step pair.

.. math:: \phi(x_a) = \frac1P \sum_b \left[k(x_b, x_a) \nabla \log p(x_b)
          + \nabla_{x_b} k(x_b, x_a)\right]

All gradients of a step are taken at the old position, with one kernel matrix; then every block
is updated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from aetia.samplers.kernels import Kernel
from aetia.samplers.optimisers import Optimiser, OptimiserState

__all__ = ["SVGD", "SVGDInfo", "SVGDState", "stein_direction"]

Blocks: TypeAlias = dict[str, Tensor]

Score: TypeAlias = Callable[[Blocks, int, torch.Generator], tuple[Blocks, Any]]
"""``(position, step, generator) -> (gradient of the log density, anything to look at)``."""


class SVGDState(NamedTuple):
    """What the next step needs."""

    position: Blocks
    optimiser: OptimiserState
    step: int


class SVGDInfo(NamedTuple):
    """What a person wants to look at."""

    gradient: Blocks
    """Gradient of the log density at the old position, before kernel and clipping."""
    bandwidths: dict[str, float]
    score: Any
    """Whatever the score function returned beside the gradient."""


class SVGD:
    """The sampler: pure functions of their arguments."""

    def __init__(self, score: Score, kernel: Kernel, optimiser: Optimiser) -> None:
        self.score = score
        self.kernel = kernel
        self.optimiser = optimiser

    def init(self, position: Blocks) -> SVGDState:
        """Start at the given particles.

        Args:
            position: Named blocks, particles first.

        Returns:
            The initial state.
        """
        return SVGDState(position, self.optimiser.init(position), 0)

    def step(self, state: SVGDState, generator: torch.Generator) -> tuple[SVGDState, SVGDInfo]:
        """Move all particles once.

        Args:
            state: Where they are.
            generator: Source of randomness of the score.

        Returns:
            The next state, and what happened.
        """
        gradient, info = self.score(state.position, state.step, generator)
        direction, bandwidths = stein_direction(state.position, gradient, self.kernel)
        change, optimiser = self.optimiser.update(direction, state.optimiser)
        position = {k: v + change[k] for k, v in state.position.items()}
        return (
            SVGDState(position, optimiser, state.step + 1),
            SVGDInfo(gradient, bandwidths, info),
        )


def stein_direction(
    position: Blocks, gradient: Blocks, kernel: Kernel
) -> tuple[Blocks, dict[str, float]]:
    """Compute phi for every particle.

    Args:
        position: Named blocks, particles first.
        gradient: Gradient of the log density, same blocks.
        kernel: Similarity of particles.

    Returns:
        The ascent direction, and the bandwidths used.
    """
    matrix = kernel(position)
    p = len(matrix.values)
    direction = {}
    for name, g in gradient.items():
        shared = (matrix.values.mT @ g.flatten(1)).view_as(g)
        direction[name] = (shared + matrix.repulsion[name]) / p
    return direction, matrix.bandwidths
