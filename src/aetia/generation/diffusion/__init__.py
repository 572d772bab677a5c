"""Distributional diffusion (De Bortoli et al., 2025): maths, networks, estimators."""

from aetia.generation.diffusion.config import DDDMConfig
from aetia.generation.diffusion.distances import (
    RBF,
    AnnealedEnergy,
    Energy,
    Exponential,
    InverseMultiquadric,
)
from aetia.generation.diffusion.estimator import DDDM
from aetia.generation.diffusion.schedule import CosineSchedule, LinearSchedule

__all__ = [
    "DDDM",
    "RBF",
    "AnnealedEnergy",
    "CosineSchedule",
    "DDDMConfig",
    "Energy",
    "Exponential",
    "InverseMultiquadric",
    "LinearSchedule",
]
