"""What a family of mechanisms must offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["Drawn", "MechanismFamily", "Parameters", "project"]

Parameters = dict[str, np.ndarray]
Drawn = Mapping[str, Tensor]


@runtime_checkable
class MechanismFamily(Protocol):
    """A distribution over mechanisms; a user's own (hashable) class plugs in."""

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw parameters of every variable of a graph whose order is 0, 1, ..., d - 1.

        ``noise_scale [d]`` must be among them.
        """
        ...

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Compute variable k of b tasks from its candidates' values and its scaled noise."""
        ...


def project(inputs: Float[Tensor, "b n k"], weights: Float[Tensor, "b d"]) -> Float[Tensor, "b n"]:
    """Compute w'P.

    Args:
        inputs: Candidates' values.
        weights: One for each variable; the first k count.

    Returns:
        The projection of each task.
    """
    return (inputs @ weights[:, : inputs.shape[-1], None])[..., 0]
