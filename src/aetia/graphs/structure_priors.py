r"""Priors over acyclic graphs that depend on the numbers of parents.

Each is modular, :math:`p(G) \propto \prod_j \rho(|Pa_j|)` over DAGs, with its own weight
:math:`\rho(k)` of having k parents: one term for the tables of the exact and order samplers, one
exact sampler for all, and ``log_prob`` on hard and on soft adjacency matrices, up to a constant
(DiBS evaluates it on the matrix of edge probabilities; Lorch et al., 2021, appendix B.1).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError
from aetia.graphs.layered_dags import sample_by_parent_counts
from aetia.options import check_positive

__all__ = [
    "STRUCTURE_PRIORS",
    "BICPenalty",
    "ErdosRenyi",
    "FairParentCounts",
    "ModularPrior",
    "ScaleFree",
    "SparseEdgeRate",
    "StructurePrior",
    "UniformDAGs",
]


@runtime_checkable
class StructurePrior(Protocol):
    """A distribution over DAGs; a user's own class with these two methods plugs in."""

    def log_prob(self, graphs: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
        """Compute the log-probability up to a constant, differentiable in soft graphs."""
        ...

    def sample(self, n: int, d: int, generator: torch.Generator) -> Bool[Tensor, "n d d"]:
        """Draw n acyclic graphs on d variables."""
        ...


class ModularPrior(ABC):
    r"""A structure prior :math:`\prod_j \rho(|Pa_j|)`: concrete ones give the weights of counts."""

    @abstractmethod
    def count_terms(self, k: Float[Tensor, "*batch"], d: int) -> Float[Tensor, "*batch"]:
        """Log weight of k parents among d - 1 possible ones, smooth in k.

        Args:
            k: Numbers of parents; sums of edge probabilities where graphs are soft.
            d: Number of variables.

        Returns:
            Log weights.
        """

    def parent_count_terms(self, d: int) -> Float[Tensor, " d"]:
        """Tabulate the log weights of 0 to d - 1 parents.

        Args:
            d: Number of variables.

        Returns:
            One term for each number of parents, in float64.
        """
        return self.count_terms(torch.arange(d, dtype=torch.float64), d)

    def log_prob(self, graphs: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
        """Sum the log weights of the variables' numbers of parents.

        Args:
            graphs: Hard or soft adjacency matrices.

        Returns:
            The log-probability before normalising over DAGs.
        """
        return self.count_terms(graphs.sum(-2), graphs.shape[-1]).sum(-1)

    def sample(self, n: int, d: int, generator: torch.Generator) -> Bool[Tensor, "n d d"]:
        """Draw exactly from the prior normalised over DAGs.

        Args:
            n: Number of graphs.
            d: Number of variables.
            generator: Source of randomness.

        Returns:
            Independent draws. (The usual simulator, a random order and coin flips, is another
            distribution: it favours graphs with many topological orders. See ``aetia.scm``.)
        """
        return sample_by_parent_counts(n, self.parent_count_terms(d), generator)


@dataclass(frozen=True)
class UniformDAGs(ModularPrior):
    """Every labelled DAG is equally likely.

    Most DAGs are dense: the mean number of edges is d(d-1)/4, so this is not uninformative.
    """

    def count_terms(self, k: Float[Tensor, "*batch"], d: int) -> Float[Tensor, "*batch"]:
        """Weigh every number of parents alike."""
        return torch.zeros_like(k)


@dataclass(frozen=True)
class ErdosRenyi(ModularPrior):
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

    def count_terms(self, k: Float[Tensor, "*batch"], d: int) -> Float[Tensor, "*batch"]:
        """Weigh k edges by q, and each variable's share of the other pairs by 1 - q."""
        q = self.edge_probability(d)
        return k * math.log(q) + ((d - 1) / 2 - k) * math.log1p(-q)


@dataclass(frozen=True)
class ScaleFree(ModularPrior):
    r"""DAGs weighted by :math:`\prod_j (1 + \mathrm{indegree}_j)^{-\gamma}`.

    Attributes:
        exponent: The power gamma; DiBS uses 3.
    """

    exponent: float = 3.0

    def count_terms(self, k: Float[Tensor, "*batch"], d: int) -> Float[Tensor, "*batch"]:
        """Weigh k parents by a power of 1 + k."""
        return -self.exponent * k.log1p()


@dataclass(frozen=True)
class SparseEdgeRate(ModularPrior):
    r"""The edges into a variable have one unknown rate, :math:`\mathrm{Beta}(1, b)` a priori.

    With the rate integrated out, k of d - 1 possible parents weigh
    :math:`B(k + 1, d - 1 - k + b) / B(1, b)`.

    Attributes:
        rate_beta: The second parameter b. ``"auto"`` takes d - 1, which expects about one
            parent a variable; larger is sparser.
    """

    rate_beta: float | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        check_positive(self, "rate_beta")

    def count_terms(self, k: Float[Tensor, "*batch"], d: int) -> Float[Tensor, "*batch"]:
        """Weigh k parents by a ratio of beta functions."""
        b = float(max(d - 1, 1) if self.rate_beta == "auto" else self.rate_beta)
        present, absent = torch.lgamma(k + 1), torch.lgamma((d - 1 + b) - k)
        return present + absent - math.lgamma(d + b) + math.log(b)


@dataclass(frozen=True)
class FairParentCounts(ModularPrior):
    r"""All numbers of parents are equally likely before acyclicity.

    A set of k parents weighs :math:`1/\binom{d-1}{k}`. The usual default of order samplers, and it
    expects many parents: at 20 variables a set of 15 is more likely than one of five.
    """

    def count_terms(self, k: Float[Tensor, "*batch"], d: int) -> Float[Tensor, "*batch"]:
        """Weigh k parents by the inverse number of such sets."""
        return torch.lgamma(k + 1) + torch.lgamma(d - k) - math.lgamma(d)


@dataclass(frozen=True)
class BICPenalty(ModularPrior):
    r"""An edge costs :math:`2\gamma\log d`, as in the extended BIC (Chen & Chen, 2008).

    Attributes:
        gamma: Strength of the penalty; 0 is the uniform prior.
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self, "gamma", zero=True)

    def count_terms(self, k: Float[Tensor, "*batch"], d: int) -> Float[Tensor, "*batch"]:
        """Weigh k parents by k times the penalty."""
        return -2 * self.gamma * math.log(d) * k


STRUCTURE_PRIORS: dict[str, type[ModularPrior]] = {
    "sparse": SparseEdgeRate,
    "uniform": UniformDAGs,
    "erdos-renyi": ErdosRenyi,
    "scale-free": ScaleFree,
    "fair": FairParentCounts,
    "bic": BICPenalty,
}
"""Name, as in the option ``prior=``, to structure prior with its defaults."""
