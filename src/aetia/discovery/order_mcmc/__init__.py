"""Order MCMC: tempered chains over orders of the variables, corrected to count each DAG once."""

from aetia.discovery.order_mcmc.config import OrderMCMCConfig
from aetia.discovery.order_mcmc.estimator import OrderMCMC

__all__ = ["OrderMCMC", "OrderMCMCConfig"]
