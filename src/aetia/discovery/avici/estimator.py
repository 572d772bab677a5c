"""AVICI: amortised variational inference for causal discovery (Lorch et al., NeurIPS 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aetia.discovery.amortised.estimator import AmortisedEstimator
from aetia.discovery.avici.config import AVICIConfig
from aetia.discovery.avici.network import AVICINetwork
from aetia.options import check_positive
from aetia.randomness import RandomState

__all__ = ["AVICI", "AVICIOptions"]


@dataclass(frozen=True, kw_only=True)
class AVICIOptions:
    """Options of one prediction."""

    weights: Any = "avici-base"
    """Name of weights in the package, a folder that pre-training wrote, or a ``Pretrained``."""
    n_draws: int = 1000
    """Number of graphs that are drawn from the prediction; edge probabilities are exact and need
    none."""

    def __post_init__(self) -> None:
        check_positive(self, "n_draws")


class AVICI(AmortisedEstimator):
    """Predict edge probabilities of a table with a pre-trained network, in one forward pass.

    Training needs tables with known graphs, which are simulated; prediction needs only the table.

    Args:
        weights: Name of weights in the package, a folder that pre-training wrote, or a
            ``Pretrained``.
        n_draws: Number of graphs that are drawn from the prediction; edge probabilities are exact
            and need none.
        random_state: None, an integer or a NumPy generator; for the draws.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Attributes:
        posterior_: The :class:`~aetia.results.GraphPosterior`: exact edge probabilities of the
            network, and acyclic draws. AVICI's edges are independent, so raw draws may have
            cycles; in those, the weakest edge of each cycle is dropped, and their share is in the
            diagnostics as ``share_cyclic``.
        facts_: What is known about the run: seed, version, device, time, configuration.
        health_: How the prediction went, by name; the diagnostics of the posterior.
        history_: Empty: the network was trained before.
        n_features_in_: Number of columns.
        feature_names_in_: Their names; x0, x1, ... for arrays.
    """

    method = "avici"
    options = AVICIOptions
    network_config = AVICIConfig
    network_class = AVICINetwork

    def __init__(
        self,
        weights: Any = "avici-base",
        n_draws: int = 1000,
        random_state: RandomState = None,
        device: str = "auto",
    ) -> None:
        self.weights = weights
        self.n_draws = n_draws
        self.random_state = random_state
        self.device = device
