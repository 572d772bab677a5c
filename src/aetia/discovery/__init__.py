"""From data to a posterior over causal graphs."""

from aetia.discovery.amortised import Pretrained
from aetia.discovery.avici import AVICI, AVICIConfig, AVICIOptions
from aetia.discovery.bcnp import BCNP, BCNPConfig, BCNPOptions
from aetia.discovery.dibs import DiBS, DiBSConfig, Schedule
from aetia.discovery.exact import ExactConfig, ExactPosterior
from aetia.discovery.rcgnn import RCGNN, RCGNNConfig

__all__ = [
    "AVICI",
    "BCNP",
    "METHODS",
    "RCGNN",
    "AVICIConfig",
    "AVICIOptions",
    "BCNPConfig",
    "BCNPOptions",
    "DiBS",
    "DiBSConfig",
    "ExactConfig",
    "ExactPosterior",
    "Pretrained",
    "RCGNNConfig",
    "Schedule",
]

METHODS: dict[str, tuple[type, type]] = {
    "dibs": (DiBS, DiBSConfig),
    "exact": (ExactPosterior, ExactConfig),
    "avici": (AVICI, AVICIOptions),
    "bcnp": (BCNP, BCNPOptions),
    "rcgnn": (RCGNN, RCGNNConfig),
}
"""Name, as in ``--method``, to estimator and its options."""
