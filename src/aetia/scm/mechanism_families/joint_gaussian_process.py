"""Draws from a Gaussian process at all rows of a task at once."""

from __future__ import annotations

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

__all__ = ["JointGaussianProcess"]


@dataclass(frozen=True, kw_only=True)
class JointGaussianProcess:
    r"""One joint draw at all rows: x ~ N(e, K + 1e-4 I) + gamma xi (BCNP's "gpcde").

    K is the sum of two kernels :math:`\exp(-r^g)`, r the scaled distance of the standardised
    inputs [P, e]. The function is known only at the rows of the task, so a model of this family
    cannot be sampled again. Cost O(n^3) for each variable.

    Attributes:
        exponent: Range of g.
        noise_rate: gamma ~ Gamma(1, rate), for each row.
        noise_scale: Distribution of the standard deviation of e.
    """

    name: ClassVar[str] = "joint-gp"
    exponent: Sequence[float] = (0.1, 1.0)
    noise_rate: float = 10.0
    noise_scale: Any = field(default_factory=lambda: NoiseScale(distribution="constant", low=1.0))

    def __post_init__(self) -> None:
        check_positive(self, "noise_rate")
        object.__setattr__(self, "exponent", read_range(self, "exponent"))
        object.__setattr__(self, "noise_scale", read_noise_scale(self.noise_scale))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw length scales, exponents and the seeds of the row draws; see the class.

        Args:
            graph: DAG whose variables are in topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        d = len(graph)
        lengthscale = np.clip(rng.lognormal(-1.0, 1.0, (d, 2, d + 1)), 0.1, 5.0)
        return {
            "inverse_lengthscale": (1 / lengthscale).astype(np.float32),
            "exponent": rng.uniform(self.exponent[0], self.exponent[1], (d, 2)).astype(np.float32),
            "row_seed": rng.integers(2**31, size=d),
            "noise_scale": self.noise_scale.draw(d, rng),
        }

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Draw the values of b tasks jointly over their rows.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes.
            noise: Scaled noise, an input and the mean.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        b, n, k = inputs.shape
        standard = (noise - noise.mean(1, keepdim=True)) / noise.std(1, keepdim=True)
        points = torch.cat([inputs, standard[..., None]], -1).double()
        used = torch.cat([causes, causes.new_ones(b, 1)], -1)
        kernel = torch.zeros(b, n, n, dtype=torch.float64, device=inputs.device)
        for q in range(2):
            inverse = drawn["inverse_lengthscale"][:, q]
            scale = torch.cat([inverse[:, :k], inverse[:, -1:]], -1) * used
            scaled = points * scale[:, None]
            # Distances by matrix products lose the small ones, and with them definiteness.
            distance = torch.cdist(scaled, scaled, compute_mode="donot_use_mm_for_euclid_dist")
            kernel += distance.pow_(drawn["exponent"][:, q, None, None]).neg_().exp_()
        kernel.diagonal(dim1=-2, dim2=-1).add_(1e-4)
        rows = torch.stack([self._rows(int(seed), n) for seed in drawn["row_seed"]])
        rows = rows.to(inputs.device)
        root, failed = torch.linalg.cholesky_ex(kernel)
        root = torch.where(failed[:, None, None] > 0, torch.nan, root)  # the task is drawn again
        draw = root @ rows[:, 0, :, None].double()
        return noise + draw[..., 0].to(noise.dtype) + rows[:, 1] * rows[:, 2]

    def _rows(self, seed: int, n: int) -> Tensor:
        rng = np.random.default_rng(seed)
        draws = [rng.normal(size=n), rng.gamma(1.0, 1 / self.noise_rate, n), rng.normal(size=n)]
        return torch.from_numpy(np.stack(draws).astype(np.float32))
