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
from aetia.generation.diffusion.image_config import ImageDDDMConfig
from aetia.generation.diffusion.image_estimator import ImageDDDM
from aetia.generation.diffusion.schedule import CosineSchedule, LinearSchedule

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
