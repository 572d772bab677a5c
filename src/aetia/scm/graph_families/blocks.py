"""Graphs of a stochastic block model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool

from aetia.errors import InputError
from aetia.options import check_literals, check_positive
from aetia.scm.graph_families.density import at_most_one, check_probabilities
from aetia.scm.relabelling import relabelled

__all__ = ["Blocks"]


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Stochastic block model, directed along a random order.

    Attributes:
        n_blocks: Number of blocks; more than d become d.
        within: Probability of an edge inside a block.
        between: Probability of an edge between blocks.
        edges: Expected number of edges instead; ``within`` and ``between`` are solved from it.
        edges_per_node: The same, divided by d.
        damp: Ratio of ``between`` to ``within`` when they are solved for.
        sizes: ``"equal"`` blocks (the remainder spread), or ``"random"`` ones.
    """

    name: ClassVar[str] = "blocks"
    n_blocks: int = 4
    within: float | None = None
    between: float | None = None
    edges: float | None = None
    edges_per_node: float | None = None
    damp: float = 0.1
    sizes: Literal["equal", "random"] = "equal"

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "n_blocks", "edges", "edges_per_node")
        check_positive(self, "damp", zero=True)
        at_most_one(self, "edges", "edges_per_node", "within")
        if (self.within is None) != (self.between is None):
            raise InputError("Blocks: state `within` and `between` together, or `edges`.")
        if self.within is not None:
            check_probabilities(self, "within", "between")

    def expected_edges(self, d: int) -> float:
        """Compute the expected number of edges.

        Args:
            d: Number of variables.

        Returns:
            The stated number, or the sum of pair probabilities (of equal blocks).
        """
        if self.within is None:
            return self._wanted(d)
        same = _same_block(self._sizes(d, None))
        p = np.where(same, self.within, self.between or 0.0)
        return float(np.triu(p, 1).sum())

    def sample(self, d: int, rng: np.random.Generator) -> Bool[np.ndarray, "d d"]:
        """Draw a DAG.

        Args:
            d: Number of variables.
            rng: Source of randomness.

        Returns:
            Adjacency matrix.

        Raises:
            InputError: If d variables cannot hold that many edges.
        """
        same = _same_block(self._sizes(d, rng))
        if self.within is not None:
            p = np.where(same, self.within, self.between or 0.0)
        else:
            ratio = np.where(same, 1.0, self.damp)
            p = _capped(ratio, self._wanted(d))
        return relabelled(np.triu(rng.random((d, d)) < p, 1)[:, :], rng, shuffle_order=True)

    def _wanted(self, d: int) -> float:
        if self.edges is not None:
            return self.edges
        if self.edges_per_node is not None:
            return self.edges_per_node * d
        return min(2.0 * d, 0.25 * d * (d - 1))  # the default: what a small graph can hold

    def _sizes(self, d: int, rng: np.random.Generator | None) -> np.ndarray:
        k = min(self.n_blocks, d)
        if self.sizes == "equal" or rng is None:
            return np.array([d // k + (i < d % k) for i in range(k)])
        return 1 + np.bincount(rng.integers(k, size=d - k), minlength=k)


def _same_block(sizes: np.ndarray) -> np.ndarray:
    block = np.repeat(np.arange(len(sizes)), sizes)
    return block[:, None] == block[None]


def _capped(ratio: np.ndarray, wanted: float) -> np.ndarray:
    """Scale pair probabilities to a total, none above 1."""
    upper = np.triu(np.ones_like(ratio), 1) > 0
    room = float((ratio[upper] > 0).sum())
    if wanted > room:
        raise InputError(f"a block graph of {len(ratio)} variables cannot hold {wanted:g} edges.")
    p = np.zeros_like(ratio)
    scale = wanted / float(ratio[upper].sum()) if wanted else 0.0
    for _ in range(100):
        p = np.minimum(scale * ratio, 1.0)
        total = float(p[upper].sum())
        if abs(total - wanted) <= 1e-9 * max(wanted, 1.0):
            break
        free = p < 1
        fixed = float(p[upper & ~free].sum())
        scale = (wanted - fixed) / float(ratio[upper & free].sum())
    return p
