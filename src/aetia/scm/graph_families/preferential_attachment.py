"""Scale-free graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool

from aetia.errors import InputError
from aetia.options import check_literals, check_positive
from aetia.scm.graph_families.density import at_most_one
from aetia.scm.relabelling import directed, relabelled

__all__ = ["PreferentialAttachment"]


@dataclass(frozen=True, kw_only=True)
class PreferentialAttachment:
    """Scale-free graphs (Barabási & Albert, 1999): node k of the growth brings min(m, k) edges.

    Attributes:
        edges_per_node: Edges m that each new node brings; an integer.
        edges: Expected number of edges instead; m is then drawn between two integers.
        power: An old node is chosen with probability proportional to its degree to this power.
        direction: ``"in-hub"``: new nodes cause old ones, so hubs have many causes;
            ``"out-hub"``: hubs have many effects; ``"random-order"``: along a random order.
    """

    name: ClassVar[str] = "scale-free"
    edges_per_node: float | None = None
    edges: float | None = None
    power: float = 1.0
    direction: Literal["in-hub", "out-hub", "random-order"] = "in-hub"

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "edges", "power", "edges_per_node")
        at_most_one(self, "edges", "edges_per_node")
        if self.edges_per_node is not None and self.edges_per_node != int(self.edges_per_node):
            raise InputError(
                "scale-free graphs need an integer number of edges per node, got "
                f"{self.edges_per_node!r}; state `edges` for an average."
            )

    def expected_edges(self, d: int) -> float:
        """Compute the expected number of edges, exact for a stated ``edges_per_node``.

        Args:
            d: Number of variables.

        Returns:
            ``edges``, or sum over k < d of min(m, k).
        """
        return self.edges if self.edges is not None else float(_grown_edges(d, self._m()))

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
        m = self._m() if self.edges is None else self._mixed(d, rng)
        if not 1 <= m < max(d, 2):
            raise InputError(
                f"scale-free graphs of {d} variables need 1 to {d - 1} edges per node, got {m}."
            )
        graph = np.zeros((d, d), dtype=bool)
        degree = np.zeros(d)
        uniform = rng.random((d, m))
        for new in range(1, d):
            weight = degree[:new] ** self.power if new > 1 else np.ones(1)
            for u in uniform[new, : min(m, new)]:
                old = min(int(np.searchsorted(c := weight.cumsum(), u * c[-1], "right")), new - 1)
                graph[new, old] = True
                weight[old] = 0.0
            degree[new] = graph[new].sum()
            degree[:new] += graph[new, :new]
        if self.direction == "out-hub":
            graph = graph.T
        elif self.direction == "random-order":
            graph = directed(graph | graph.T, rng)
        return relabelled(graph, rng)

    def _m(self) -> int:
        return 2 if self.edges_per_node is None else int(self.edges_per_node)

    def _mixed(self, d: int, rng: np.random.Generator) -> int:
        """Choose between the two integers whose edge counts bracket the expected one."""
        wanted = float(self.edges or 0)
        counts = [_grown_edges(d, m) for m in range(1, max(d, 2))]
        if not counts[0] <= wanted <= counts[-1]:
            raise InputError(
                f"scale-free graphs of {d} variables have {counts[0]} to {counts[-1]} edges, "
                f"{wanted:g} were asked for."
            )
        upper = next(i for i, c in enumerate(counts) if c >= wanted)
        if counts[upper] == wanted:
            return upper + 1
        share = (wanted - counts[upper - 1]) / (counts[upper] - counts[upper - 1])
        return upper + int(rng.random() < share)


def _grown_edges(d: int, m: int) -> int:
    return sum(min(m, k) for k in range(d))
