"""Corruption of measurements: what sensors do to true values, with everything known."""

from aetia.scm.corruption.corrupt import Corrupted, corrupt
from aetia.scm.corruption.in_words import corruption_in_words
from aetia.scm.corruption.options import (
    Corruption,
    Failures,
    Missing,
    Nonlinear,
    Outliers,
    build_corruption,
)
from aetia.scm.corruption.presets import PRESETS, Preset

__all__ = [
    "PRESETS",
    "Corrupted",
    "Corruption",
    "Failures",
    "Missing",
    "Nonlinear",
    "Outliers",
    "Preset",
    "build_corruption",
    "corrupt",
    "corruption_in_words",
]
