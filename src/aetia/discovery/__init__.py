"""From data to a posterior over causal graphs."""

from aetia.discovery.amortised import Pretrained
from aetia.discovery.automatic import choose_method, discover, read_discovery_table
from aetia.discovery.avici import AVICI, AVICIConfig, AVICIOptions
from aetia.discovery.bcnp import BCNP, BCNPConfig, BCNPOptions
from aetia.discovery.dibs import DiBS, DiBSConfig, Schedule
from aetia.discovery.exact import ExactConfig, ExactPosterior
from aetia.discovery.methods import METHODS
from aetia.discovery.order_mcmc import OrderMCMC, OrderMCMCConfig
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
    "OrderMCMC",
    "OrderMCMCConfig",
    "Pretrained",
    "RCGNNConfig",
    "Schedule",
    "choose_method",
    "discover",
    "read_discovery_table",
]
