"""What a simulation under do() asks of the conditional distribution of a variable."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["DrawnMechanism", "MechanismPosterior"]


@runtime_checkable
class DrawnMechanism(Protocol):
    """Several draws of a conditional distribution, one for each draw of a graph."""

    def mean(self, parents: Float[Tensor, "n k m p"]) -> Float[Tensor, "n k m q"]:
        """Compute the expectation of the variable, its own noise averaged out.

        A continuous variable has one (q = 1); a variable with levels has the probability of each.
        """
        ...

    def value(
        self, mean: Float[Tensor, "n k m q"], uniform: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n k m"]:
        """Add the noise that belongs to quantiles ``uniform``, the same at every dose."""
        ...


@runtime_checkable
class MechanismPosterior(Protocol):
    """The posterior of the conditional distribution of one variable given its parents."""

    def draw(self, n: int, generator: torch.Generator) -> DrawnMechanism:
        """Draw n conditional distributions, independently."""
        ...
