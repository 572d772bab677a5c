"""AVICI: independent edge probabilities from a pre-trained network."""

from aetia.discovery.avici.config import AVICIConfig
from aetia.discovery.avici.estimator import AVICI, AVICIOptions

__all__ = ["AVICI", "AVICIConfig", "AVICIOptions"]
