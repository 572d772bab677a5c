"""Random neural networks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.options import check_positive
from aetia.scm.mechanism_families.noise_scale import (
    NoiseScale,
    read_noise_scale,
)
from aetia.scm.mechanism_families.protocol import Drawn, Parameters

__all__ = ["NeuralNetwork"]


@dataclass(frozen=True, kw_only=True)
class NeuralNetwork:
    """x = net([P, e]) with hidden layers of leaky ReLUs; the noise is an input.

    Weights are N(0, 2 / inputs) (He et al., 2015): with the defaults of torch and unscaled inputs
    the output hardly depends on the causes.

    Attributes:
        hidden: Width of the hidden layers.
        n_layers: Their number.
        noise_input: Whether the noise enters the network; otherwise it is added to its output.
        noise_scale: Distribution of the standard deviation of the noise.
    """

    name: ClassVar[str] = "mlp"
    hidden: int = 32
    n_layers: int = 2
    noise_input: bool = True
    noise_scale: Any = field(default_factory=lambda: NoiseScale(distribution="constant", low=1.0))

    def __post_init__(self) -> None:
        check_positive(self, "hidden", "n_layers")
        object.__setattr__(self, "noise_scale", read_noise_scale(self.noise_scale))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw all networks; see the class.

        Args:
            graph: DAG whose variables are in topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        d, h = len(graph), self.hidden
        fan_in = graph.sum(0) + self.noise_input
        gain = np.sqrt(2.0 / np.maximum(fan_in, 1)).astype(np.float32)[:, None, None]
        child, cause = np.nonzero(graph.T)
        first = np.zeros((d, d, h), np.float32)
        first[child, cause] = rng.standard_normal((len(child), h), dtype=np.float32)
        out = {
            "first": first * gain,
            "first_noise": rng.standard_normal((d, h), dtype=np.float32) * gain[:, 0],
            "first_bias": 0.5 * rng.standard_normal((d, h), dtype=np.float32),
            "last": rng.standard_normal((d, h), dtype=np.float32) / math.sqrt(h),
            "noise_scale": self.noise_scale.draw(d, rng),
        }
        for layer in range(1, self.n_layers):
            w = rng.standard_normal((d, h, h), dtype=np.float32) * math.sqrt(2.0 / h)
            out[f"layer{layer}"] = w
            out[f"bias{layer}"] = 0.5 * rng.standard_normal((d, h), dtype=np.float32)
        return out

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Run the networks of b tasks.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes; the other weights are zero.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        k = inputs.shape[-1]
        z = torch.baddbmm(drawn["first_bias"][:, None], inputs, drawn["first"][:, :k])
        if self.noise_input:
            z = torch.baddbmm(z, noise[:, :, None], drawn["first_noise"][:, None])
        z = F.leaky_relu_(z, 0.01)
        for layer in range(1, self.n_layers):
            z = torch.baddbmm(drawn[f"bias{layer}"][:, None], z, drawn[f"layer{layer}"])
            z = F.leaky_relu_(z, 0.01)
        value = (z @ drawn["last"][:, :, None])[..., 0]
        return value if self.noise_input else value + noise
