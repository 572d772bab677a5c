"""Noise distributions, with mean 0 and variance 1 where they have one, scaled per variable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from aetia.errors import InputError
from aetia.options import check_literals, check_positive, earlier_names
from aetia.scm.mixture import mixture_weights

__all__ = ["Noise", "NoiseMixture", "NoiseName"]

NoiseName: TypeAlias = Literal["gaussian", "laplace", "uniform", "student", "gumbel", "cauchy"]

_EULER = 0.5772156649015329


@earlier_names(freedom="degrees_of_freedom")
@dataclass(frozen=True)
class Noise:
    """A family of noise distributions, so scaled that only the shape differs.

    Attributes:
        family: ``"gaussian"``, ``"laplace"``, ``"uniform"``, ``"student"``, ``"gumbel"``
            (skewed), or ``"cauchy"``, which has neither mean nor variance: location 0, scale 1.
        degrees_of_freedom: Degrees of freedom of the Student distribution, more than 2.
    """

    family: NoiseName = "gaussian"
    degrees_of_freedom: float = 5.0

    def __post_init__(self) -> None:
        if not isinstance(self.family, str):
            raise InputError(f"Noise: family must be a name, got {self.family!r}.")
        check_literals(self)
        check_positive(self, "degrees_of_freedom")
        if self.family == "student" and self.degrees_of_freedom <= 2:
            raise InputError(
                "Noise: Student noise has a variance only for degrees_of_freedom above 2, got "
                f"{self.degrees_of_freedom:g}."
            )

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Draw independent noise of scale 1.

        Args:
            shape: Shape of the array that is drawn.
            rng: Source of randomness.

        Returns:
            Noise in float32; Gaussian noise is drawn in that precision, the others are rounded.
        """
        if self.family == "gaussian":
            return rng.standard_normal(shape, dtype=np.float32)
        if self.family == "laplace":
            unit = rng.laplace(scale=1 / math.sqrt(2.0), size=shape)
        elif self.family == "uniform":
            unit = rng.uniform(-math.sqrt(3.0), math.sqrt(3.0), shape)
        elif self.family == "student":
            nu = self.degrees_of_freedom
            unit = rng.standard_t(nu, shape)
            unit *= math.sqrt((nu - 2) / nu)
        elif self.family == "gumbel":
            unit = (rng.gumbel(size=shape) - _EULER) * (math.sqrt(6.0) / math.pi)
        else:
            unit = rng.standard_cauchy(shape)
        return unit.astype(np.float32)

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
            nu = self.degrees_of_freedom
            radius = (nu * (u.clamp_min(1e-300) ** (-2 / nu) - 1)).sqrt()
            unit = radius * (2 * math.pi * v).cos() * math.sqrt((nu - 2) / nu)
        else:
            u = torch.rand(shape, generator=generator, dtype=torch.float64)
            if self.family == "uniform":
                unit = (u - 0.5) * math.sqrt(12.0)
            elif self.family == "laplace":
                v = u - 0.5
                unit = -v.sign() * (-2 * v.abs()).log1p() / math.sqrt(2.0)
            elif self.family == "gumbel":
                gumbel = -(-u.clamp_min(1e-300).log()).log()
                unit = (gumbel - _EULER) * (math.sqrt(6.0) / math.pi)
            else:
                unit = (math.pi * (u - 0.5)).tan()
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
            flat = torch.full_like(unit, -0.5 * math.log(12.0))
            log_density = flat.masked_fill(~inside & ~unit.isnan(), -torch.inf)
        elif self.family == "student":
            nu = self.degrees_of_freedom
            scale = math.sqrt((nu - 2) / nu)
            constant = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)
            constant -= 0.5 * math.log(nu * math.pi) + math.log(scale)
            log_density = constant - (nu + 1) / 2 * ((unit / scale).square() / nu).log1p()
        elif self.family == "gumbel":
            scale = math.sqrt(6.0) / math.pi
            z = unit / scale + _EULER
            log_density = -(z + (-z).exp()) - math.log(scale)
        else:
            log_density = -unit.square().log1p() - math.log(math.pi)
        return log_density - std.log()


@dataclass(frozen=True)
class NoiseMixture:
    """One family of noise for every task, drawn at random.

    Attributes:
        of: Names of families.
        weights: Their probabilities, normalised; equal by default.
    """

    of: Sequence[Any] = ("gaussian",)
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", tuple(Noise(name).family for name in self.of))
        object.__setattr__(self, "weights", mixture_weights(self.of, self.weights))
