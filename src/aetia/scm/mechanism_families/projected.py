"""Mechanisms of one projection of the causes: square, periodic, logistic map."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.options import check_positive
from aetia.scm.mechanism_families.noise_scale import (
    NoiseScale,
    read_noise_scale,
)
from aetia.scm.mechanism_families.protocol import Drawn, Parameters, project

__all__ = ["LogisticMap", "Periodic", "Square"]


@dataclass(frozen=True, kw_only=True)
class _Projected(ABC):
    """Mechanisms that see their causes only through u = w'P, w ~ N(0, scale^2)."""

    is_noisy: ClassVar[bool] = True
    scale: float = 1.0
    """Standard deviation of the weights w."""
    noise_scale: Any = field(default_factory=lambda: NoiseScale(distribution="constant", low=0.1))
    """Distribution of the standard deviation of the additive noise."""

    def __post_init__(self) -> None:
        check_positive(self, "scale")
        object.__setattr__(self, "noise_scale", read_noise_scale(self.noise_scale))

    @abstractmethod
    def curve(self, u: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Compute the variable without its noise.

        Args:
            u: Projection of the causes.

        Returns:
            Values.
        """

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw weights and noise scales.

        Args:
            graph: DAG whose variables are in topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        weights = self.scale * rng.standard_normal(graph.shape, dtype=np.float32) * graph
        return {"weights": weights.T, "noise_scale": self.noise_scale.draw(len(graph), rng)}

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Compute curve(w'P) + noise.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes; the other weights are zero.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        value = self.curve(project(inputs, drawn["weights"]))
        return value + noise if self.is_noisy else value


@dataclass(frozen=True, kw_only=True)
class Square(_Projected):
    """x = (w'P)^2 + s e."""

    name: ClassVar[str] = "square"

    def curve(self, u: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Compute u^2.

        Args:
            u: Projection of the causes.

        Returns:
            Values.
        """
        return u.square()


@dataclass(frozen=True, kw_only=True)
class Periodic(_Projected):
    """x = sin(frequency w'P) + s e."""

    name: ClassVar[str] = "periodic"
    frequency: float = 4 * math.pi
    """Angular frequency."""

    def curve(self, u: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Compute sin(frequency u).

        Args:
            u: Projection of the causes.

        Returns:
            Values.
        """
        return (self.frequency * u).sin()


@dataclass(frozen=True, kw_only=True)
class LogisticMap(_Projected):
    """x = 4 q (1 - q), q the logistic function of w'P, without noise except in the roots."""

    name: ClassVar[str] = "logistic-map"
    is_noisy: ClassVar[bool] = False

    def curve(self, u: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Compute 4 q (1 - q).

        Args:
            u: Projection of the causes.

        Returns:
            Values.
        """
        q = u.sigmoid()
        return 4 * q * (1 - q)
