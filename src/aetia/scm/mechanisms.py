"""How causes and noise determine an effect."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = [
    "AdditiveMechanism",
    "LinearMechanism",
    "MLPMechanism",
    "Mechanism",
    "random_linear",
    "random_mlp",
]


@runtime_checkable
class Mechanism(Protocol):
    """How every variable follows from its causes and its noise; a user's own class plugs in."""

    def value(
        self, j: int, x: Float[Tensor, "n d"], noise: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Compute variable j from the columns of its causes and its noise."""
        ...

    def recover(self, j: int, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Compute the noise of variable j from complete rows, or raise an InputError."""
        ...


class AdditiveMechanism(ABC):
    """x_j = f_j(causes) + noise_j."""

    @abstractmethod
    def mean(self, j: int, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Compute variable j without its noise.

        Args:
            j: Index of the variable.
            x: Values of all variables; only those of its causes count.

        Returns:
            Conditional means.
        """

    def value(
        self, j: int, x: Float[Tensor, "n d"], noise: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Add the noise to the mean.

        Args:
            j: Index of the variable.
            x: Values of all variables; only those of its causes count.
            noise: Noise of this variable, one number for each row.

        Returns:
            Its values.
        """
        return self.mean(j, x) + noise

    def recover(self, j: int, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Subtract the mean.

        Args:
            j: Index of the variable.
            x: Complete rows.

        Returns:
            The noise.
        """
        return x[:, j] - self.mean(j, x)


@dataclass(frozen=True, eq=False)
class LinearMechanism(AdditiveMechanism):
    """x_j = sum_i weights[i, j] x_i.

    Attributes:
        weights: Direct effects, in units of j per unit of i; zero where there is no edge.
    """

    weights: Float[Tensor, "d d"]

    def mean(self, j: int, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Compute variable j without its noise.

        Args:
            j: Index of the variable.
            x: Values of all variables; only those of its causes count.

        Returns:
            Conditional means.
        """
        return x @ self.weights[:, j]


@dataclass(frozen=True, eq=False)
class MLPMechanism(AdditiveMechanism):
    """One random network with a hidden layer for each variable; roots are pure noise.

    Attributes:
        graph: Which variables each network reads.
        first: Input weights ``[j, i, h]``.
        bias: Hidden biases ``[j, h]``.
        last: Output weights ``[j, h]``.
    """

    graph: Bool[Tensor, "d d"]
    first: Float[Tensor, "d d h"]
    bias: Float[Tensor, "d h"]
    last: Float[Tensor, "d h"]

    def mean(self, j: int, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Compute variable j without its noise.

        Args:
            j: Index of the variable.
            x: Values of all variables; only those of its causes count.

        Returns:
            Conditional means, zero for a root.
        """
        causes = self.graph[:, j]
        if not causes.any():
            return x.new_zeros(len(x))
        hidden = torch.relu(x[:, causes] @ self.first[j, causes] + self.bias[j])
        return hidden @ self.last[j]


def random_linear(
    graph: Bool[np.ndarray, "d d"],
    *,
    rng: np.random.Generator,
    scale: float = 1.0,
    min_weight: float = 0.5,
) -> LinearMechanism:
    """Draw linear weights N(0, scale^2), pushed away from zero (DiBS).

    Args:
        graph: The DAG.
        rng: Source of randomness.
        scale: Standard deviation before the push.
        min_weight: Added to the absolute value.

    Returns:
        The mechanism.
    """
    weights = rng.normal(size=graph.shape) * scale
    weights = (weights + np.sign(weights) * min_weight) * graph
    return LinearMechanism(torch.from_numpy(weights))


def random_mlp(
    graph: Bool[np.ndarray, "d d"],
    *,
    rng: np.random.Generator,
    hidden: int = 5,
    scale: float = 1.0,
) -> MLPMechanism:
    """Draw network weights and biases N(0, scale^2).

    Args:
        graph: The DAG.
        rng: Source of randomness.
        hidden: Width of the hidden layer.
        scale: Standard deviation of all parameters.

    Returns:
        The mechanism.
    """
    d = len(graph)
    first, bias, last = (
        torch.from_numpy(rng.normal(size=shape) * scale)
        for shape in ((d, d, hidden), (d, hidden), (d, hidden))
    )
    return MLPMechanism(torch.from_numpy(graph), first, bias, last)
