"""Samplers as pairs of pure functions, ``init`` and ``step``."""

from aetia.samplers.kernels import KERNELS, FixedBandwidth, Kernel, MedianBandwidth
from aetia.samplers.optimisers import OPTIMISERS, Adam, ClippedAscent, Optimiser, RMSprop
from aetia.samplers.svgd import SVGD, SVGDInfo, SVGDState, stein_direction

__all__ = [
    "KERNELS",
    "OPTIMISERS",
    "SVGD",
    "Adam",
    "ClippedAscent",
    "FixedBandwidth",
    "Kernel",
    "MedianBandwidth",
    "Optimiser",
    "RMSprop",
    "SVGDInfo",
    "SVGDState",
    "stein_direction",
]
