"""What a discovery method asks of a likelihood; a user's own class plugs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "GraphGradients",
    "JointScore",
    "Likelihood",
    "MarginalScore",
    "ParameterGradients",
    "Parameters",
    "Weigh",
]

Parameters: TypeAlias = dict[str, Tensor]
"""Named tensors with the particle as leading axis."""

Weigh: TypeAlias = Callable[[Tensor], Tensor]
"""Turns scores ``[s, m, d]`` into weights of the same shape, summing to one over m."""


class GraphGradients(NamedTuple):
    """Scores of Monte Carlo graphs and weighted gradients in their entries."""

    scores: Float[Tensor, "s m d"]
    graphs: Float[Tensor, "s m d d"]
    """Weight times the derivative of score j with respect to ``graphs[..., i, j]``."""


class ParameterGradients(NamedTuple):
    """Scores of Monte Carlo graphs and weighted gradients in the parameters."""

    scores: Float[Tensor, "s m d"]
    parameters: Parameters
    """Weighted sums over the graphs, one entry for each particle."""


@runtime_checkable
class MarginalScore(Protocol):
    """Log evidence of graphs, bound to data: a sum over variables."""

    parameters: tuple[str, ...]
    floats_per_graph: int

    def node_scores(self, graphs: Tensor) -> Tensor:
        """Score ``[..., d, d]`` graphs (bool, or float where soft graphs are supported)."""
        ...


@runtime_checkable
class JointScore(Protocol):
    """Log joint density of parameters and data given graphs, bound to data."""

    parameters: tuple[str, ...]
    floats_per_graph: int

    def sample_parameters(self, n: int, generator: torch.Generator) -> Parameters:
        """Draw initial parameters for n particles."""
        ...

    def node_scores(self, graphs: Tensor, parameters: Parameters) -> Tensor:
        """Score ``[s, m, d, d]`` graphs under each particle's parameters."""
        ...

    def node_log_likelihoods(self, graphs: Tensor, parameters: Parameters) -> Tensor:
        """Compute the same without the parameters' prior."""
        ...

    def graph_gradients(
        self, graphs: Tensor, parameters: Parameters, weigh: Weigh
    ) -> GraphGradients:
        """Compute scores and weighted gradients in the graphs."""
        ...

    def parameter_gradients(
        self, graphs: Tensor, parameters: Parameters, weigh: Weigh
    ) -> ParameterGradients:
        """Compute scores and weighted gradients in the parameters."""
        ...


@runtime_checkable
class Likelihood(Protocol):
    """Options of a likelihood; ``on`` binds them to a table."""

    name: str
    scaling: str

    def on(
        self, x: Tensor, intervened: Tensor | None = None, *, likelihood_scale: float = 1.0
    ) -> MarginalScore | JointScore:
        """Bind to data ``x [n, d]``."""
        ...
