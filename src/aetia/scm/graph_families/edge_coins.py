"""Erdős-Rényi graphs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from aetia.errors import InputError
from aetia.options import check_positive
from aetia.scm.graph_families.density import at_most_one, check_probabilities
from aetia.scm.relabelling import relabelled

__all__ = ["EdgeCoins"]


@dataclass(frozen=True, kw_only=True)
class EdgeCoins:
    """Erdős-Rényi: a coin for every pair of a random order. State one of the four densities.

    Attributes:
        edges: Expected number of edges.
        edges_per_node: The same, divided by d; 2 if no density is stated.
        probability: Probability of an edge between each pair ("sparsity" in older configurations).
        exact: Draw exactly ``round(edges)`` edges instead of flipping coins.
    """

    name: ClassVar[str] = "erdos-renyi"
    edges: float | None = None
    edges_per_node: float | None = None
    probability: float | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "edges", "edges_per_node", "probability", zero=True)
        at_most_one(self, "edges", "edges_per_node", "probability")
        if self.probability is not None:
            check_probabilities(self, "probability")

    def pair_probability(self, d: int) -> float:
        """Derive the probability of an edge between two variables.

        Args:
            d: Number of variables.

        Returns:
            A number in [0, 1].

        Raises:
            InputError: If a DAG of d variables cannot hold that many edges.
        """
        pairs = d * (d - 1) / 2
        if self.probability is not None:
            p = self.probability
        else:
            wanted = self._wanted(d, pairs)
            p = wanted / pairs if pairs else (math.inf if wanted else 0.0)
        if p > 1:
            raise InputError(
                f"{self._wanted(d, pairs):g} edges were asked for, but a DAG of {d} variables "
                f"holds at most {pairs:g}."
            )
        return p

    def _wanted(self, d: int, pairs: float) -> float:
        if self.probability is not None:
            return self.probability * pairs
        if self.edges is not None:
            return self.edges
        if self.edges_per_node is not None:
            return self.edges_per_node * d
        return min(2.0 * d, 0.5 * pairs)  # the default: what a small graph can hold

    def expected_edges(self, d: int) -> float:
        """Compute the expected number of edges.

        Args:
            d: Number of variables.

        Returns:
            Probability times pairs, rounded if ``exact``.
        """
        expected = self.pair_probability(d) * d * (d - 1) / 2
        return float(round(expected)) if self.exact else expected

    def sample(self, d: int, rng: np.random.Generator) -> Bool[np.ndarray, "d d"]:
        """Draw a DAG.

        Args:
            d: Number of variables.
            rng: Source of randomness.

        Returns:
            Adjacency matrix.
        """
        p = self.pair_probability(d)
        if not self.exact:
            return relabelled(np.triu(rng.random((d, d)) < p, 1), rng)
        graph = np.zeros((d, d), dtype=bool)
        rows, columns = np.triu_indices(d, 1)
        chosen = rng.choice(len(rows), round(self.expected_edges(d)), replace=False)
        graph[rows[chosen], columns[chosen]] = True
        return relabelled(graph, rng)
