"""BCNP: orders and edges along them from a pre-trained network."""

from aetia.discovery.bcnp.config import BCNPConfig
from aetia.discovery.bcnp.estimator import BCNP, BCNPOptions

__all__ = ["BCNP", "BCNPConfig", "BCNPOptions"]
