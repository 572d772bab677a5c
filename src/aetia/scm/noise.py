"""Noise distributions, all with mean 0 and a given standard deviation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["Noise"]


@dataclass(frozen=True)
class Noise:
    """A family of symmetric noise distributions with unit variance, scaled per variable.

    Attributes:
        family: ``"gaussian"``, ``"laplace"``, ``"uniform"`` or ``"student"``.
        freedom: Degrees of freedom of the Student distribution, more than 2.
    """

    family: Literal["gaussian", "laplace", "uniform", "student"] = "gaussian"
    freedom: float = 5.0

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "freedom")
        if self.family == "student" and self.freedom <= 2:
            raise InputError(
                f"Noise: Student noise has a variance only for freedom above 2, got "
                f"{self.freedom:g}."
            )

    def sample(
        self, n: int, std: Float[Tensor, " d"], generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        """Draw independent noise.

        Args:
            n: Number of rows.
            std: Standard deviation of each variable.
            generator: Source of randomness.

        Returns:
            Noise in float64.
        """
        shape = (n, len(std))
        if self.family == "gaussian":
            unit = torch.randn(shape, generator=generator, dtype=torch.float64)
        elif self.family == "student":
            # Bailey's polar form: a Student variate from two uniforms.
            u, v = torch.rand((2, *shape), generator=generator, dtype=torch.float64)
            radius = (self.freedom * (u.clamp_min(1e-300) ** (-2 / self.freedom) - 1)).sqrt()
            unit = radius * (2 * math.pi * v).cos() * math.sqrt((self.freedom - 2) / self.freedom)
        else:
            u = torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5
            if self.family == "uniform":
                unit = u * math.sqrt(12.0)
            else:
                unit = -u.sign() * (-2 * u.abs()).log1p() / math.sqrt(2.0)
        return unit * std

    def log_prob(
        self, noise: Float[Tensor, "*batch d"], std: Float[Tensor, " d"]
    ) -> Float[Tensor, "*batch d"]:
        """Compute log densities.

        Args:
            noise: Values.
            std: Standard deviation of each variable.

        Returns:
            Log densities, minus infinity outside the support.
        """
        unit = noise / std  # NaN stays NaN: the noise of an intervened variable is unknown
        if self.family == "gaussian":
            log_density = -0.5 * unit.square() - 0.5 * math.log(2 * math.pi)
        elif self.family == "laplace":
            log_density = -math.sqrt(2.0) * unit.abs() - 0.5 * math.log(2.0)
        elif self.family == "uniform":
            inside = unit.abs() <= math.sqrt(3.0)
            log_density = torch.where(inside, -0.5 * math.log(12.0), -torch.inf)
        else:
            scale = math.sqrt((self.freedom - 2) / self.freedom)
            student = torch.distributions.StudentT(self.freedom, 0.0, scale, validate_args=False)
            log_density = student.log_prob(unit)
        return log_density - std.log()
