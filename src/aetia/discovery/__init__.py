"""From data to a posterior over causal graphs."""

from aetia.discovery.amortised import Pretrained
from aetia.discovery.avici import AVICI, AVICIConfig, AVICIOptions
from aetia.discovery.bcnp import BCNP, BCNPConfig, BCNPOptions
from aetia.discovery.dibs import DiBS, DiBSConfig, Schedule
from aetia.discovery.exact import ExactConfig, ExactPosterior

__all__ = [
    "AVICI",
    "BCNP",
    "METHODS",
    "AVICIConfig",
    "AVICIOptions",
    "BCNPConfig",
    "BCNPOptions",
    "DiBS",
    "DiBSConfig",
    "ExactConfig",
    "ExactPosterior",
    "Pretrained",
    "Schedule",
]

METHODS: dict[str, tuple[type, type]] = {
    "dibs": (DiBS, DiBSConfig),
    "exact": (ExactPosterior, ExactConfig),
    "avici": (AVICI, AVICIOptions),
    "bcnp": (BCNP, BCNPOptions),
}
"""Name, as in ``--method``, to estimator and its options."""
