"""Samplers as pairs of pure functions, ``init`` and ``step``."""

from aetia.samplers.chains import Chain, LogDensity, WarmUp, chain_draws, warm_up
from aetia.samplers.dual_averaging import (
    DualAveraging,
    dual_averaging_start,
    dual_averaging_update,
)
from aetia.samplers.hmc import HMC, HMCInfo, HMCState
from aetia.samplers.kernels import KERNELS, FixedBandwidth, Kernel, MedianBandwidth
from aetia.samplers.metropolis import Metropolis, MetropolisInfo, MetropolisState
from aetia.samplers.optimisers import OPTIMISERS, Adam, ClippedAscent, Optimiser, RMSprop
from aetia.samplers.svgd import SVGD, SVGDInfo, SVGDState, stein_direction

__all__ = [
    "HMC",
    "KERNELS",
    "OPTIMISERS",
    "SVGD",
    "Adam",
    "Chain",
    "ClippedAscent",
    "DualAveraging",
    "FixedBandwidth",
    "HMCInfo",
    "HMCState",
    "Kernel",
    "LogDensity",
    "MedianBandwidth",
    "Metropolis",
    "MetropolisInfo",
    "MetropolisState",
    "Optimiser",
    "RMSprop",
    "SVGDInfo",
    "SVGDState",
    "WarmUp",
    "chain_draws",
    "dual_averaging_start",
    "dual_averaging_update",
    "stein_direction",
    "warm_up",
]
