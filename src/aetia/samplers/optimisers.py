"""Update rules that turn an ascent direction into a step, as pure functions of their state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from aetia.errors import InputError
from aetia.options import check_positive

__all__ = ["OPTIMISERS", "Adam", "ClippedAscent", "Optimiser", "OptimiserState", "RMSprop"]

Blocks: TypeAlias = dict[str, Tensor]
OptimiserState: TypeAlias = dict[str, Blocks]


@runtime_checkable
class Optimiser(Protocol):
    """An update rule over named blocks of particles."""

    def init(self, position: Blocks) -> OptimiserState:
        """Make the initial state."""
        ...

    def update(self, direction: Blocks, state: OptimiserState) -> tuple[Blocks, OptimiserState]:
        """Compute the step to add to the position, and the next state."""
        ...


@dataclass(frozen=True, kw_only=True)
class RMSprop:
    """RMSprop as in the original DiBS code: epsilon inside the root, no bias correction.

    ``a <- decay a + (1 - decay) g^2``, ``x <- x + step_size g / sqrt(a + epsilon)``. The first
    step is therefore ``step_size / sqrt(1 - decay)`` long in every coordinate.

    Attributes:
        step_size: Length scale of a step.
        decay: Memory of the squared gradients.
        epsilon: Added inside the root.
    """

    step_size: float = 0.005
    decay: float = 0.9
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_positive(self, "step_size", "decay", "epsilon")

    def init(self, position: Blocks) -> OptimiserState:
        """Start the averages at zero.

        Args:
            position: Named blocks, for their shapes.

        Returns:
            The state.
        """
        return {"square": {k: torch.zeros_like(v) for k, v in position.items()}}

    def update(self, direction: Blocks, state: OptimiserState) -> tuple[Blocks, OptimiserState]:
        """Compute one step.

        Args:
            direction: Ascent direction of each block.
            state: The running averages.

        Returns:
            The step to add, and the next state.
        """
        square = {
            k: self.decay * state["square"][k] + (1 - self.decay) * g.square()
            for k, g in direction.items()
        }
        step = {
            k: self.step_size * g * (square[k] + self.epsilon).rsqrt() for k, g in direction.items()
        }
        return step, {"square": square}


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam (Kingma & Ba, 2015), as an ascent.

    Attributes:
        step_size: Length scale of a step.
        beta1: Memory of the gradients.
        beta2: Memory of the squared gradients.
        epsilon: Added outside the root.
    """

    step_size: float = 0.005
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_positive(self, "step_size", "beta1", "beta2", "epsilon")

    def init(self, position: Blocks) -> OptimiserState:
        """Start the averages at zero.

        Args:
            position: Named blocks, for their shapes.

        Returns:
            The state, with the step count.
        """
        zeros = {k: torch.zeros_like(v) for k, v in position.items()}
        return {"mean": zeros, "square": dict(zeros), "count": {"steps": torch.zeros(())}}

    def update(self, direction: Blocks, state: OptimiserState) -> tuple[Blocks, OptimiserState]:
        """Compute one step.

        Args:
            direction: Ascent direction of each block.
            state: The running averages.

        Returns:
            The step to add, and the next state.
        """
        count = state["count"]["steps"] + 1
        t = float(count)
        mean = {
            k: self.beta1 * state["mean"][k] + (1 - self.beta1) * g for k, g in direction.items()
        }
        square = {
            k: self.beta2 * state["square"][k] + (1 - self.beta2) * g.square()
            for k, g in direction.items()
        }
        step = {
            k: self.step_size
            * (mean[k] / (1 - self.beta1**t))
            / ((square[k] / (1 - self.beta2**t)).sqrt() + self.epsilon)
            for k in direction
        }
        return step, {"mean": mean, "square": square, "count": {"steps": count}}


@dataclass(frozen=True, kw_only=True)
class ClippedAscent:
    """Plain gradient ascent with the norm of each particle's gradient clipped.

    Attributes:
        step_size: Multiplies the clipped gradient.
        max_norm: Largest norm by block name; ``"*"`` holds for blocks not named. The defaults
            are those of the DiBS prototype.
    """

    step_size: float = 0.005
    max_norm: Mapping[str, float] = field(default_factory=lambda: {"z": 11.0, "*": 19.0})

    def __post_init__(self) -> None:
        check_positive(self, "step_size")
        for name, bound in self.max_norm.items():
            if not bound > 0:
                raise InputError(
                    f"ClippedAscent: max_norm[{name!r}] must be larger than 0, got {bound!r}."
                )

    def init(self, position: Blocks) -> OptimiserState:
        """Return the empty state.

        Args:
            position: Not used: the rule has no memory.

        Returns:
            An empty mapping.
        """
        return {}

    def update(self, direction: Blocks, state: OptimiserState) -> tuple[Blocks, OptimiserState]:
        """Compute one step.

        Args:
            direction: Ascent direction of each block, particles first.
            state: The empty state.

        Returns:
            The step to add, and the empty state.
        """
        step = {}
        for k, g in direction.items():
            bound = self.max_norm.get(k, self.max_norm.get("*", float("inf")))
            norm = g.flatten(1).norm(dim=1).view(-1, *[1] * (g.dim() - 1))
            step[k] = self.step_size * g * (bound / norm.clamp_min(1e-30)).clamp_max(1.0)
        return step, state


OPTIMISERS: dict[str, type[RMSprop] | type[Adam] | type[ClippedAscent]] = {
    "rmsprop": RMSprop,
    "adam": Adam,
    "ascent": ClippedAscent,
}
"""Name, as in the option ``optimiser=``, to rule with its defaults."""
