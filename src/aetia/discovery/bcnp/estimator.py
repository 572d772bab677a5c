"""BCNP: the Bayesian causal neural process (Dhir et al., ICLR 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aetia.discovery.amortised.estimator import AmortisedEstimator
from aetia.discovery.bcnp.config import BCNPConfig
from aetia.discovery.bcnp.network import BCNPNetwork
from aetia.options import check_positive
from aetia.randomness import RandomState

__all__ = ["BCNP", "BCNPOptions"]


@dataclass(frozen=True, kw_only=True)
class BCNPOptions:
    """Options of one prediction."""

    weights: Any = "bcnp-base"
    """Name of weights in the package, a folder that pre-training wrote, or a ``Pretrained``."""
    n_draws: int = 1000
    """Number of graphs that are drawn from the prediction, each along an order of its own; more
    give smaller Monte Carlo errors of the edge probabilities."""

    def __post_init__(self) -> None:
        check_positive(self, "n_draws")


class BCNP(AmortisedEstimator):
    """Predict a distribution over orders and edges along them with a pre-trained network.

    Training needs tables with known graphs, which are simulated; prediction needs only the table.
    Every draw is acyclic by construction.

    Args:
        weights: Name of weights in the package, a folder that pre-training wrote, or a
            ``Pretrained``.
        n_draws: Number of graphs that are drawn from the prediction, each along an order of its
            own; more give smaller Monte Carlo errors of the edge probabilities.
        random_state: None, an integer or a NumPy generator; for the draws.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Attributes:
        posterior_: The :class:`~aetia.results.GraphPosterior`.
        facts_: What is known about the run: seed, version, device, time, configuration.
        health_: How the prediction went, by name; the diagnostics of the posterior.
        history_: Empty: the network was trained before.
        n_features_in_: Number of columns.
        feature_names_in_: Their names; x0, x1, ... for arrays.
    """

    method = "bcnp"
    options = BCNPOptions
    network_config = BCNPConfig
    network_class = BCNPNetwork

    def __init__(
        self,
        weights: Any = "bcnp-base",
        n_draws: int = 1000,
        random_state: RandomState = None,
        device: str = "auto",
    ) -> None:
        self.weights = weights
        self.n_draws = n_draws
        self.random_state = random_state
        self.device = device
