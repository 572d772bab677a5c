"""Geometric random graphs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from aetia.errors import InputError
from aetia.options import check_positive
from aetia.scm.graph_families.density import at_most_one
from aetia.scm.relabelling import relabelled

__all__ = ["Geometric"]


@dataclass(frozen=True, kw_only=True)
class Geometric:
    """Random points in a unit cube; close ones are connected, along a random order.

    Attributes:
        radius: Largest distance of connected points.
        edges: Expected number of edges instead (in two dimensions only).
        dim: Dimension of the cube.
    """

    name: ClassVar[str] = "geometric"
    radius: float | None = None
    edges: float | None = None
    dim: int = 2

    def __post_init__(self) -> None:
        check_positive(self, "radius", "edges", "dim")
        at_most_one(self, "radius", "edges")
        if self.dim != 2 and self.radius is None:
            raise InputError(f"Geometric: in {self.dim} dimensions state the radius.")

    def expected_edges(self, d: int) -> float:
        """Compute the expected number of edges.

        Args:
            d: Number of variables.

        Returns:
            Pairs times the probability that two points of the unit square are close.

        Raises:
            InputError: If the dimension is not 2, where no closed form is at hand.
        """
        if self.edges is not None:
            return self.edges
        if self.dim != 2:
            raise InputError("Geometric: the expected number of edges is known for dim=2 only.")
        return _close_pairs(0.3 if self.radius is None else self.radius) * d * (d - 1) / 2

    def sample(self, d: int, rng: np.random.Generator) -> Bool[np.ndarray, "d d"]:
        """Draw a DAG.

        Args:
            d: Number of variables.
            rng: Source of randomness.

        Returns:
            Adjacency matrix.
        """
        points = rng.random((d, self.dim))
        gap = points[:, None] - points[None]
        close = (gap**2).sum(-1) < self._radius(d) ** 2
        return relabelled(np.triu(close, 1), rng, shuffle_order=True)

    def _radius(self, d: int) -> float:
        if self.edges is None:
            return 0.3 if self.radius is None else self.radius
        pairs = d * (d - 1) / 2
        if self.edges > pairs:
            raise InputError(
                f"{self.edges:g} edges were asked for, but a DAG of {d} variables holds at most "
                f"{pairs:g}."
            )
        from scipy.optimize import brentq

        wanted = self.edges / pairs
        return float(brentq(lambda r: _close_pairs(r) - wanted, 0.0, math.sqrt(2)))  # pyright: ignore


def _close_pairs(r: float) -> float:
    """Probability that two uniform points of the unit square are closer than r."""
    if r <= 1:
        return math.pi * r**2 - 8 / 3 * r**3 + r**4 / 2
    if r >= math.sqrt(2):
        return 1.0
    root = math.sqrt(r**2 - 1)
    return (
        1 / 3
        - 2 * r**2
        - r**4 / 2
        + 4 / 3 * (2 * r**2 + 1) * root
        + 2 * r**2 * (math.asin(1 / r) - math.acos(1 / r))
    )
