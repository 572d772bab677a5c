r"""What scores compare draws by: functions of squared distances that make strictly proper scores.

:math:`\lVert a - b \rVert^\beta`, or one minus a positive definite kernel (Gneiting & Raftery,
2007, section 5). "Diffusion-compatible" ones turn into a squared error in a limit: the energy
distance for beta to 2, RBF and IMQ for large bandwidths; the exponential kernel does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.errors import InputError

__all__ = [
    "DISTANCES",
    "RBF",
    "AnnealedEnergy",
    "Distance",
    "Energy",
    "Exponential",
    "InverseMultiquadric",
]


@runtime_checkable
class Distance(Protocol):
    """A function of squared Euclidean distances, which may change with the time."""

    def __call__(self, squares: Tensor, t: Tensor | None = None) -> Tensor:
        """Distances, elementwise; t broadcasts."""
        ...


def _floor(squares: Tensor) -> float:
    """Added below roots, whose slope at zero is infinite."""
    return {torch.float64: 1e-26, torch.float32: 1e-12}.get(squares.dtype, 1e-8)


@dataclass(frozen=True)
class Energy:
    """Euclidean distance to the power beta; 2 is the squared error, which fits only means."""

    name: ClassVar[str] = "energy"

    beta: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.beta <= 2:
            raise InputError(f"the energy score needs 0 < beta <= 2, got {self.beta}.")

    def __call__(
        self, squares: Float[Tensor, "*pairs"], t: Tensor | None = None
    ) -> Float[Tensor, "*pairs"]:
        """Compute distances.

        Args:
            squares: Squared Euclidean distances.
            t: Not needed.

        Returns:
            Their power beta / 2.
        """
        if self.beta == 2:
            return squares
        if self.beta == 1:
            return (squares + _floor(squares)).sqrt()
        return (squares + _floor(squares)) ** (self.beta / 2)


@dataclass(frozen=True)
class AnnealedEnergy:
    """Squared errors near the data, a low power near noise (iDDM, arXiv 2609.37147)."""

    name: ClassVar[str] = "annealed-energy"

    smallest_beta: float = 0.1

    def __post_init__(self) -> None:
        Energy(self.smallest_beta)

    def __call__(
        self, squares: Float[Tensor, "*pairs"], t: Tensor | None = None
    ) -> Float[Tensor, "*pairs"]:
        """Compute distances.

        Args:
            squares: Squared Euclidean distances.
            t: Times; None for 1.

        Returns:
            Their power beta / 2 with beta = 2 - (2 - smallest beta) t.
        """
        beta = 2 - (2 - self.smallest_beta) * (1.0 if t is None else t)
        return (squares + _floor(squares)) ** (beta / 2)


@dataclass(frozen=True)
class _Kernel:
    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        if not self.bandwidth > 0:
            raise InputError(
                f"{type(self).__name__} needs a positive bandwidth, got {self.bandwidth}."
            )


@dataclass(frozen=True)
class RBF(_Kernel):
    """1 - exp(-d^2 / (2 s^2))."""

    name: ClassVar[str] = "rbf"

    def __call__(
        self, squares: Float[Tensor, "*pairs"], t: Tensor | None = None
    ) -> Float[Tensor, "*pairs"]:
        """Compute distances.

        Args:
            squares: Squared Euclidean distances.
            t: Not needed.

        Returns:
            Between 0 and 1.
        """
        return -torch.expm1(-squares / (2 * self.bandwidth**2))


@dataclass(frozen=True)
class InverseMultiquadric(_Kernel):
    """1 - (1 + d^2 / c^2)^(-1/2)."""

    name: ClassVar[str] = "imq"

    def __call__(
        self, squares: Float[Tensor, "*pairs"], t: Tensor | None = None
    ) -> Float[Tensor, "*pairs"]:
        """Compute distances.

        Args:
            squares: Squared Euclidean distances.
            t: Not needed.

        Returns:
            Between 0 and 1.
        """
        return 1 - torch.rsqrt(1 + squares / self.bandwidth**2)


@dataclass(frozen=True)
class Exponential(_Kernel):
    """1 - exp(-d / s)."""

    name: ClassVar[str] = "exponential"

    def __call__(
        self, squares: Float[Tensor, "*pairs"], t: Tensor | None = None
    ) -> Float[Tensor, "*pairs"]:
        """Compute distances.

        Args:
            squares: Squared Euclidean distances.
            t: Not needed.

        Returns:
            Between 0 and 1.
        """
        return -torch.expm1(-(squares + _floor(squares)).sqrt() / self.bandwidth)


DISTANCES: Mapping[str, type] = {
    "energy": Energy,
    "annealed-energy": AnnealedEnergy,
    "rbf": RBF,
    "imq": InverseMultiquadric,
    "exponential": Exponential,
}
"""Name to class."""
