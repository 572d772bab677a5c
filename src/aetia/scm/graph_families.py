"""Families of random DAGs for simulation, by their expected number of edges.

Undirected constructions are directed along a uniformly random order, and every sampler ends with
a uniformly random relabelling, so that the index of a variable says nothing. These are samplers;
the graph laws of :mod:`aetia.graphs` are priors with a log-probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from aetia.errors import InputError
from aetia.options import check_literals, check_positive, choose
from aetia.scm.mixture import mixture_weights, pick
from aetia.scm.network_modules import NetworkModules
from aetia.scm.relabelling import directed, relabelled

__all__ = [
    "GRAPH_FAMILIES",
    "Blocks",
    "EdgeCoins",
    "Geometric",
    "GraphFamily",
    "GraphMixture",
    "PreferentialAttachment",
    "SmallWorld",
]


@runtime_checkable
class GraphFamily(Protocol):
    """A law over DAGs that can be sampled at any size; a user's own class plugs in."""

    def sample(self, d: int, rng: np.random.Generator) -> Bool[np.ndarray, "d d"]:
        """Draw a DAG; ``[i, j]`` is True for i -> j."""
        ...

    def expected_edges(self, d: int) -> float:
        """Compute the expected number of edges at d variables."""
        ...


@dataclass(frozen=True, kw_only=True)
class EdgeCoins:
    """Erdős-Rényi: a coin for every pair of a random order. State one of the four densities.

    Attributes:
        edges: Expected number of edges.
        edges_per_node: The same, divided by d; 2 if no density is stated.
        probability: Of an edge between each pair ("sparsity" in older configurations).
        exact: Draw exactly ``round(edges)`` edges instead of flipping coins.
    """

    name: ClassVar[str] = "erdos-renyi"
    edges: float | None = None
    edges_per_node: float | None = None
    probability: float | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "edges", "edges_per_node", "probability", zero=True)
        _at_most_one(self, "edges", "edges_per_node", "probability")
        if self.probability is not None:
            _probability(self, "probability")

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
        _at_most_one(self, "edges", "edges_per_node")
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
        _probability(self, "rewire")

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
        _at_most_one(self, "edges", "edges_per_node", "within")
        if (self.within is None) != (self.between is None):
            raise InputError("Blocks: state `within` and `between` together, or `edges`.")
        if self.within is not None:
            _probability(self, "within", "between")

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
        _at_most_one(self, "radius", "edges")
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


def _at_most_one(config: Any, *names: str) -> None:
    stated = [n for n in names if getattr(config, n) is not None]
    if len(stated) > 1:
        raise InputError(f"{type(config).__name__}: state only one of {', '.join(stated)}.")


def _probability(config: Any, *names: str) -> None:
    for name in names:
        p = getattr(config, name)
        if not 0 <= p <= 1:
            raise InputError(f"{type(config).__name__}: {name} must lie in [0, 1], got {p!r}.")


def _grown_edges(d: int, m: int) -> int:
    return sum(min(m, k) for k in range(d))


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
