"""Linear mechanisms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.options import check_literals, check_positive
from aetia.scm.mechanism_families.noise_scale import (
    NoiseScale,
    check_order,
    read_noise_scale,
)
from aetia.scm.mechanism_families.protocol import Drawn, Parameters, project

__all__ = ["Linear"]


@dataclass(frozen=True, kw_only=True)
class Linear:
    """x = w'P + b + s e.

    Attributes:
        weights: ``"normal"``: w ~ N(0, scale^2); ``"uniform"``: abs(w) ~ U(low, high) with a
            random sign.
        scale: See above.
        low: See above.
        high: See above.
        bias: b ~ U(-bias, bias).
        noise_scale: Distribution of the standard deviation of s.
    """

    name: ClassVar[str] = "linear"
    weights: Literal["normal", "uniform"] = "normal"
    scale: float = 1.0
    low: float = 1.0
    high: float = 3.0
    bias: float = 0.0
    noise_scale: Any = field(default_factory=NoiseScale)

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "scale", "low", "high")
        check_positive(self, "bias", zero=True)
        if self.weights == "uniform":
            check_order(self)
        object.__setattr__(self, "noise_scale", read_noise_scale(self.noise_scale))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw weights, biases and noise scales; see the class.

        Args:
            graph: DAG whose variables are in topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        shape = graph.shape
        if self.weights == "normal":
            w = self.scale * rng.standard_normal(shape, dtype=np.float32)
        else:
            w = rng.uniform(self.low, self.high, shape) * np.where(rng.random(shape) < 0.5, -1, 1)
        bias = rng.uniform(-self.bias, self.bias, len(graph))
        return {
            "weights": (w * graph).T.astype(np.float32),
            "bias": bias.astype(np.float32),
            "noise_scale": self.noise_scale.draw(len(graph), rng),
        }

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Compute w'P + b + noise.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes; the other weights are zero.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        return project(inputs, drawn["weights"]) + drawn["bias"][:, None] + noise
