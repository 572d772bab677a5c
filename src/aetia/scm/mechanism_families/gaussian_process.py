"""Draws from a Gaussian process, by random features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.options import check_positive
from aetia.scm.mechanism_families.noise_scale import (
    NoiseScale,
    read_noise_scale,
    read_range,
)
from aetia.scm.mechanism_families.protocol import Drawn, Parameters

__all__ = ["GaussianProcess"]


_MOST_ANGLES = 2**18


@dataclass(frozen=True, kw_only=True)
class GaussianProcess:
    r"""A Gaussian process by random Fourier features (Rahimi & Recht, 2007).

    .. math:: f(x) = \sum_q v_q \sqrt{2/m} \sum_b w_{qb} \cos(\omega_{qb}^\top x + \beta_{qb}),

    with :math:`\omega \sim N(0, 1/\ell_q^2)`, :math:`w \sim N(0, 1)`,
    :math:`\beta \sim U(0, 2\pi)`: one draw from a process with squared-exponential kernels.

    Attributes:
        n_features: Features m of each kernel.
        lengthscale: Range of the length scales, in standard deviations of the inputs.
        amplitude: Range of the standard deviations v of the function.
        n_kernels: Number of kernels that are added.
        noise_input: Whether the noise is an input of the function; otherwise it is added.
        bias: b ~ U(-bias, bias) is added.
        noise_scale: Distribution of the standard deviation of the noise.
    """

    name: ClassVar[str] = "gp"
    n_features: int = 100
    lengthscale: Sequence[float] = (0.5, 2.0)
    amplitude: Sequence[float] = (1.0, 1.0)
    n_kernels: int = 1
    noise_input: bool = False
    bias: float = 0.0
    noise_scale: Any = field(
        default_factory=lambda: NoiseScale(distribution="uniform", low=0.1, high=0.5)
    )

    def __post_init__(self) -> None:
        check_positive(self, "n_features", "n_kernels")
        check_positive(self, "bias", zero=True)
        object.__setattr__(self, "lengthscale", read_range(self, "lengthscale"))
        object.__setattr__(self, "amplitude", read_range(self, "amplitude"))
        object.__setattr__(self, "noise_scale", read_noise_scale(self.noise_scale))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw frequencies, phases and amplitudes; see the class.

        Args:
            graph: DAG whose variables are in topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        d, m = len(graph), self.n_features * self.n_kernels
        lengthscale = rng.uniform(self.lengthscale[0], self.lengthscale[1], (d, self.n_kernels))
        amplitude = rng.uniform(self.amplitude[0], self.amplitude[1], (d, self.n_kernels))
        inverse = np.repeat(1 / lengthscale, self.n_features, axis=1).astype(np.float32)
        child, cause = np.nonzero(graph.T)
        omega = np.zeros((d, d, m), np.float32)
        omega[child, cause] = rng.standard_normal((len(child), m), dtype=np.float32)
        size = np.repeat(amplitude * math.sqrt(2 / self.n_features), self.n_features, axis=1)
        return {
            "omega": omega * inverse[:, None],
            "omega_noise": rng.standard_normal((d, m), dtype=np.float32) * inverse,
            "phase": rng.uniform(0, 2 * math.pi, (d, m)).astype(np.float32),
            "loading": (size * rng.standard_normal((d, m))).astype(np.float32),
            "bias": rng.uniform(-self.bias, self.bias, d).astype(np.float32),
            "noise_scale": self.noise_scale.draw(d, rng),
        }

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Evaluate the functions of b tasks.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes; the other frequencies are zero.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        k = inputs.shape[-1]
        value = torch.empty_like(noise)
        # A few tasks at a time: the angles of all of them would not stay in memory's fast part.
        floats = inputs.shape[1] * drawn["phase"].shape[1]
        size = max(1, _MOST_ANGLES // floats) if inputs.device.type == "cpu" else len(inputs)
        for start in range(0, len(inputs), size):
            s = slice(start, start + size)
            angle = torch.baddbmm(drawn["phase"][s, None], inputs[s], drawn["omega"][s, :k])
            if self.noise_input:
                angle.baddbmm_(noise[s, :, None], drawn["omega_noise"][s, None])
            value[s] = (angle.cos_() @ drawn["loading"][s, :, None])[..., 0]
        value += drawn["bias"][:, None]
        return value if self.noise_input else value + noise
