"""The discovery methods by name."""

from __future__ import annotations

from aetia.discovery.avici import AVICI, AVICIOptions
from aetia.discovery.bcnp import BCNP, BCNPOptions
from aetia.discovery.dibs import DiBS, DiBSConfig
from aetia.discovery.exact import ExactConfig, ExactPosterior
from aetia.discovery.order_mcmc import OrderMCMC, OrderMCMCConfig
from aetia.discovery.rcgnn import RCGNN, RCGNNConfig

__all__ = ["METHODS"]

METHODS: dict[str, tuple[type, type]] = {
    "exact": (ExactPosterior, ExactConfig),
    "order-mcmc": (OrderMCMC, OrderMCMCConfig),
    "dibs": (DiBS, DiBSConfig),
    "avici": (AVICI, AVICIOptions),
    "bcnp": (BCNP, BCNPOptions),
    "rcgnn": (RCGNN, RCGNNConfig),
}
"""Name, as in ``--method``, to estimator and its options."""
