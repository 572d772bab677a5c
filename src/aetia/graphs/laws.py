r"""Laws over acyclic graphs: structural priors with log-probabilities and exact samplers.

``log_prob`` is defined on hard and on soft adjacency matrices, up to a constant: DiBS evaluates
it on the matrix of edge probabilities (Lorch et al., 2021, appendix B.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.special import gammaln, logsumexp
from torch import Tensor

from aetia.errors import InputError
from aetia.graphs.enumeration import MAX_ENUMERATED, all_dags
from aetia.graphs.orders import is_acyclic

__all__ = ["GRAPH_LAWS", "ErdosRenyi", "GraphLaw", "ScaleFree", "UniformDAGs"]


@runtime_checkable
class GraphLaw(Protocol):
    """A law over DAGs; a user's own class with these two methods plugs in."""

    def log_prob(self, graphs: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
        """Compute the log-probability up to a constant, differentiable in soft graphs."""
        ...

    def sample(self, n: int, d: int, generator: torch.Generator) -> Bool[Tensor, "n d d"]:
        """Draw n acyclic graphs on d variables."""
        ...


@dataclass(frozen=True)
class UniformDAGs:
    """Every labelled DAG is equally likely."""

    def log_prob(self, graphs: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
        """Compute the constant 0.

        Args:
            graphs: Hard or soft adjacency matrices.

        Returns:
            Zeros.
        """
        return graphs.new_zeros(graphs.shape[:-2])

    def sample(self, n: int, d: int, generator: torch.Generator) -> Bool[Tensor, "n d d"]:
        """Draw exactly, by recursive enumeration (Kuipers & Moffa, 2015).

        Args:
            n: Number of graphs.
            d: Number of variables.
            generator: Source of randomness.

        Returns:
            Independent draws.
        """
        return _LayeredDAGs(d, 0.5).sample(n, generator)


@dataclass(frozen=True)
class ErdosRenyi:
    r"""DAGs weighted by :math:`q^E (1-q)^{\binom d2 - E}`, E the number of edges.

    Attributes:
        edges_per_node: Sets ``q = 2 * edges_per_node / (d - 1)``, the edge probability that
            gives ``edges_per_node * d`` edges among the pairs of an ordered graph. ``"auto"``
            takes 2, and less below nine variables so that q is at most one half.
    """

    edges_per_node: float | Literal["auto"] = "auto"

    def edge_probability(self, d: int) -> float:
        """Compute q for d variables.

        Args:
            d: Number of variables.

        Returns:
            A probability strictly between 0 and 1.

        Raises:
            InputError: If ``edges_per_node`` is more than a DAG on d variables can hold.
        """
        if self.edges_per_node == "auto":
            return min(4.0 / max(d - 1, 1), 0.5)
        q = 2.0 * self.edges_per_node / (d - 1) if d > 1 else 0.5
        if not 0.0 < q < 1.0:
            raise InputError(
                f"ErdosRenyi: {self.edges_per_node:g} edges per node on {d} variables means an "
                f"edge probability of {q:g}, which is not between 0 and 1. Use less than "
                f"{(d - 1) / 2:g} edges per node, or prior='uniform'."
            )
        return q

    def log_prob(self, graphs: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
        """Compute ``E log q + (d(d-1)/2 - E) log(1-q)``.

        Args:
            graphs: Hard or soft adjacency matrices; E is the sum of the entries.

        Returns:
            The log-probability before normalising over DAGs.
        """
        d = graphs.shape[-1]
        q = self.edge_probability(d)
        n_edges = graphs.sum((-2, -1))
        return n_edges * math.log(q) + (d * (d - 1) / 2 - n_edges) * math.log1p(-q)

    def sample(self, n: int, d: int, generator: torch.Generator) -> Bool[Tensor, "n d d"]:
        """Draw exactly from the law normalised over DAGs.

        Args:
            n: Number of graphs.
            d: Number of variables.
            generator: Source of randomness.

        Returns:
            Independent draws. (The usual simulator, a random order and coin flips, is another
            law: it favours graphs with many topological orders. See ``aetia.scm``.)
        """
        return _LayeredDAGs(d, self.edge_probability(d)).sample(n, generator)


@dataclass(frozen=True)
class ScaleFree:
    r"""DAGs weighted by :math:`\prod_j (1 + \mathrm{indegree}_j)^{-\gamma}`.

    Attributes:
        exponent: The power gamma; DiBS uses 3.
    """

    exponent: float = 3.0

    def log_prob(self, graphs: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
        """Compute ``-exponent * sum_j log(1 + indegree_j)``.

        Args:
            graphs: Hard or soft adjacency matrices.

        Returns:
            The log-probability before normalising over DAGs.
        """
        return -self.exponent * graphs.sum(-2).log1p().sum(-1)

    def sample(self, n: int, d: int, generator: torch.Generator) -> Bool[Tensor, "n d d"]:
        """Draw from the law: exactly up to 5 variables, by Metropolis sampling above.

        Args:
            n: Number of graphs.
            d: Number of variables.
            generator: Source of randomness.

        Returns:
            Draws; above 5 variables n independent chains of 20 d^2 toggled edges each, started
            at the empty graph, so approximate.
        """
        if d <= MAX_ENUMERATED:
            dags = all_dags(d)
            weights = self.log_prob(dags.double()).softmax(0)
            picked = torch.multinomial(weights, n, replacement=True, generator=generator)
            return dags[picked]
        return self._metropolis(n, d, generator)

    def _metropolis(self, n: int, d: int, generator: torch.Generator) -> Tensor:
        graphs = torch.zeros(n, d, d, dtype=torch.bool)
        log_prob = self.log_prob(graphs.double())
        rows = torch.arange(n)
        for _ in range(20 * d * d):
            i = torch.randint(d, (n,), generator=generator)
            j = (i + torch.randint(1, d, (n,), generator=generator)) % d
            proposal = graphs.clone()
            proposal[rows, i, j] ^= True
            new = self.log_prob(proposal.double())
            u = torch.rand(n, generator=generator, dtype=torch.float64)
            accept = (u.log() < new - log_prob) & is_acyclic(proposal)
            graphs[accept], log_prob[accept] = proposal[accept], new[accept]
        return graphs


class _LayeredDAGs:
    r"""Exact sampler of DAGs with weight ``odds ** n_edges``.

    Peeling off the roots, then the roots of what is left, and so on, cuts a DAG into layers.
    With k roots on top of m variables of which s are the next roots, each of the s has at least
    one parent among the k, so (Kuipers & Moffa, 2015, eqs. 4 to 6, with 2 replaced by
    :math:`1 + \text{odds}`)

    .. math:: a_{n,k} = \binom nk \sum_s ((1+r)^k - 1)^s (1+r)^{k(n-k-s)} a_{n-k,s}.
    """

    def __init__(self, d: int, q: float) -> None:
        self.d = d
        self.q = q
        self.log_weights = _layer_weights(d, q)

    @cached_property
    def log_normaliser(self) -> float:
        """Log of the total weight of all DAGs."""
        return float(np.logaddexp.reduce(self.log_weights[self.d, 1 : self.d + 1]))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**62, (1,), generator=generator))
        rng = np.random.Generator(np.random.PCG64(seed))
        return torch.from_numpy(np.stack([self._one(rng) for _ in range(n)]))

    def _one(self, rng: np.random.Generator) -> np.ndarray:
        d, q = self.d, self.q
        graph = np.zeros((d, d), dtype=bool)
        start, above, left = 0, 0, d  # first index of the current layer, size of the last, rest
        while left:
            sizes = np.arange(1, left + 1)
            logits = self.log_weights[left, 1 : left + 1].copy()
            if above:
                logits += sizes * _log_any(above, q) - (left - sizes) * above * math.log1p(-q)
            size = int(rng.choice(sizes, p=np.exp(logits - logsumexp(logits))))
            layer = slice(start, start + size)
            if above:
                graph[: start - above, layer] = rng.random((start - above, size)) < q
                for j in range(start, start + size):
                    graph[start - above : start, j] = _non_empty(above, q, rng)
            start, above, left = start + size, size, left - size
        order = rng.permutation(d)
        return graph[np.ix_(order, order)]


def _log_any(k: int, q: float) -> float:
    """Compute ``log((1 + r)^k - 1)`` for odds r: the weight of non-empty parent sets."""
    log_all = -k * math.log1p(-q)
    return log_all + math.log(-math.expm1(-log_all))


def _non_empty(k: int, q: float, rng: np.random.Generator) -> np.ndarray:
    """Draw k independent coins, given that at least one shows an edge."""
    first_weights = q * (1 - q) ** np.arange(k)
    first = rng.choice(k, p=first_weights / first_weights.sum())
    coins = rng.random(k) < q
    coins[:first] = False
    coins[first] = True
    return coins


@lru_cache(maxsize=16)
def _layer_weights(d: int, q: float) -> np.ndarray:
    """Tabulate the log of a_{n,k}: weight of the DAGs on n variables with k roots."""
    log_rest = -math.log1p(-q)  # log(1 + odds)
    table = np.full((d + 1, d + 1), -np.inf)
    for n in range(1, d + 1):
        table[n, n] = 0.0
        for k in range(1, n):
            s = np.arange(1, n - k + 1)
            terms = s * _log_any(k, q) + k * (n - k - s) * log_rest + table[n - k, s]
            choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
            table[n, k] = choose + logsumexp(terms)
    return table


GRAPH_LAWS: dict[str, type[UniformDAGs] | type[ErdosRenyi] | type[ScaleFree]] = {
    "uniform": UniformDAGs,
    "erdos-renyi": ErdosRenyi,
    "scale-free": ScaleFree,
}
"""Name, as in the option ``prior=``, to law with its defaults."""
