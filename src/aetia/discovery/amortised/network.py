"""What AVICI and BCNP have in common: a network that predicts a distribution of graphs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.graphs import Constraints
from aetia.training import Healthy

__all__ = ["AmortisedNetwork", "DAGDraws", "PredictedDistribution"]


class DAGDraws(NamedTuple):
    """Weighted acyclic draws of one table's graph."""

    graphs: Bool[Tensor, "s d d"]
    log_weights: Float[Tensor, " s"]
    marginals: Float[Tensor, "d d"]
    """Edge probabilities of the network, given the knowledge."""
    facts: Mapping[str, float]
    """For the diagnostics."""


@runtime_checkable
class PredictedDistribution(Protocol):
    """A predicted distribution over the graphs of B tables."""

    def marginals(self) -> Float[Tensor, "b d d"]:
        """Compute edge probabilities in float64, with a zero diagonal."""
        ...

    def log_prob(self, graphs: Bool[Tensor, "b d d"]) -> Float[Tensor, " b"]:
        """Compute the joint log-probability of one graph for each table."""
        ...

    def sample(self, n: int, generator: torch.Generator) -> Bool[Tensor, "n b d d"]:
        """Draw graphs, cyclic or not."""
        ...

    def draw_dags(self, constraints: Constraints, n: int, generator: torch.Generator) -> DAGDraws:
        """Draw acyclic graphs of the first table that obey all hard statements."""
        ...


class AmortisedNetwork(nn.Module, ABC):
    """A network with its objective."""

    signals: Mapping[str, Healthy] = {}
    """Healthy ranges of the method's signals."""

    @abstractmethod
    def forward(
        self,
        values: Float[Tensor, "b n d"],
        intervened: Bool[Tensor, "b n d"],
        rows: Bool[Tensor, "b n"] | None = None,
        variables: Bool[Tensor, "b d"] | None = None,
    ) -> Any:
        """Predict from standardised tables."""

    @abstractmethod
    def loss(
        self, prediction: Any, graphs: Bool[Tensor, "b d d"], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the training loss of a prediction, and its named parts."""

    @abstractmethod
    def distribution(self, prediction: Any) -> PredictedDistribution:
        """Turn a prediction into a distribution over graphs."""

    def after_step(
        self,
        step: int,
        n_steps: int,
        info: Mapping[str, float],
    ) -> dict[str, float]:
        """Update duals after an optimiser step; return signals."""
        return {}
