"""Distributional diffusion (De Bortoli et al., 2025): maths, networks, estimators."""

from aetia.generation.diffusion.images.config import ImageDDDMConfig
from aetia.generation.diffusion.images.estimator import ImageDDDM
from aetia.generation.diffusion.process.distances import (
    RBF,
    AnnealedEnergy,
    Energy,
    Exponential,
    InverseMultiquadric,
)
from aetia.generation.diffusion.process.schedule import CosineSchedule, LinearSchedule
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.estimator import DDDM

__all__ = [
    "DDDM",
    "RBF",
    "AnnealedEnergy",
    "CosineSchedule",
    "DDDMConfig",
    "Energy",
    "Exponential",
    "ImageDDDM",
    "ImageDDDMConfig",
    "InverseMultiquadric",
    "LinearSchedule",
]
