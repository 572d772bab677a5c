"""Small-world graphs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from aetia.options import check_positive
from aetia.scm.graph_families.density import check_probabilities
from aetia.scm.relabelling import directed, relabelled

__all__ = ["SmallWorld"]


@dataclass(frozen=True, kw_only=True)
class SmallWorld:
    """Watts & Strogatz (1998): a periodic lattice with some edges rewired, in a random order.

    Attributes:
        reach: Lattice neighbours are at most this many steps away; a ring has ``2 * reach`` (the
            parameter k of a ring is ``2 * reach``, igraph's ``nei`` is ``reach``).
        rewire: Probability that an edge gets a new random end.
        dim: Dimension of the lattice; for more than 1, a lattice of side ``ceil(d ** (1 / dim))``
            loses random nodes until d are left.
    """

    name: ClassVar[str] = "small-world"
    reach: int = 2
    rewire: float = 0.3
    dim: int = 1

    def __post_init__(self) -> None:
        check_positive(self, "reach", "dim")
        check_probabilities(self, "rewire")

    def expected_edges(self, d: int) -> float:
        """Compute the expected number of edges; rewiring keeps it.

        Args:
            d: Number of variables.

        Returns:
            Edges of the lattice, times the share of pairs that the lost nodes leave.
        """
        nodes, edges = len(self._lattice(d)), self._lattice(d).sum() / 2
        return float(edges * d * (d - 1) / (nodes * (nodes - 1))) if nodes > 1 else 0.0

    def sample(self, d: int, rng: np.random.Generator) -> Bool[np.ndarray, "d d"]:
        """Draw a DAG.

        Args:
            d: Number of variables.
            rng: Source of randomness.

        Returns:
            Adjacency matrix.
        """
        lattice = self._lattice(d)
        keep = rng.permutation(len(lattice))[:d]
        both = lattice[np.ix_(keep, keep)]
        for a, b in np.argwhere(np.triu(both)):
            if rng.random() < self.rewire:
                free = np.flatnonzero(~both[a])
                free = free[free != a]
                if len(free):
                    new = int(rng.choice(free))
                    both[a, b] = both[b, a] = False
                    both[a, new] = both[new, a] = True
        return relabelled(directed(both, rng), rng)

    def _lattice(self, d: int) -> np.ndarray:
        side = d if self.dim == 1 else math.ceil(round(d ** (1 / self.dim), 9))
        grid = np.indices((side,) * self.dim).reshape(self.dim, -1).T
        gap = np.abs(grid[:, None] - grid[None])
        steps = np.minimum(gap, side - gap).sum(-1)
        return (steps > 0) & (steps <= self.reach)
