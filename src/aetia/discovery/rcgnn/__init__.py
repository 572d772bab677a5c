"""RC-GNN: causal graphs from corrupted, multi-regime sensor recordings."""

from aetia.discovery.rcgnn.config import RCGNNConfig
from aetia.discovery.rcgnn.estimator import RCGNN

__all__ = ["RCGNN", "RCGNNConfig"]
