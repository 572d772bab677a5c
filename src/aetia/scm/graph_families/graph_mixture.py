"""One of several families for every task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool

from aetia.options import choose
from aetia.scm.graph_families.blocks import Blocks
from aetia.scm.graph_families.edge_coins import EdgeCoins
from aetia.scm.graph_families.geometric import Geometric
from aetia.scm.graph_families.network_modules import NetworkModules
from aetia.scm.graph_families.preferential_attachment import PreferentialAttachment
from aetia.scm.graph_families.small_world import SmallWorld
from aetia.scm.mixture import mixture_weights, pick

__all__ = ["GRAPH_FAMILIES", "GraphMixture"]


@dataclass(frozen=True)
class GraphMixture:
    """Pick one of several families for every task.

    Attributes:
        of: Names, mappings with a name, or families.
        weights: Their probabilities, normalised; equal by default.
    """

    of: Sequence[Any] = ()
    weights: Sequence[float] | None = None
    name: ClassVar[str] = "mixture"

    def __post_init__(self) -> None:
        parts = tuple(choose("graph", part, GRAPH_FAMILIES, needs="sample") for part in self.of)
        object.__setattr__(self, "of", parts)
        object.__setattr__(self, "weights", mixture_weights(parts, self.weights))

    def expected_edges(self, d: int) -> float:
        """Average the expected numbers of edges.

        Args:
            d: Number of variables.

        Returns:
            The weighted mean over the families.
        """
        weights = self.weights or ()
        return sum(w * f.expected_edges(d) for w, f in zip(weights, self.of, strict=True))

    def sample(self, d: int, rng: np.random.Generator) -> Bool[np.ndarray, "d d"]:
        """Draw a family, then a DAG.

        Args:
            d: Number of variables.
            rng: Source of randomness.

        Returns:
            Adjacency matrix.
        """
        return self.of[pick(self.weights or (), rng)].sample(d, rng)


GRAPH_FAMILIES: dict[str, type] = {
    cls.name: cls
    for cls in (
        EdgeCoins,
        PreferentialAttachment,
        SmallWorld,
        Blocks,
        Geometric,
        NetworkModules,
        GraphMixture,
    )
}
"""Name, as in configurations, to family."""
