"""Simulated studies with known effects."""

from aetia.scm.effect_designs.arm_designs import BinaryLatent, Hahn, NieWager
from aetia.scm.effect_designs.dose_designs import Colangelo, HiranoImbens, Sun
from aetia.scm.effect_designs.protocol import EffectDesign, Units
from aetia.scm.effect_designs.studies import EFFECT_DESIGNS, simulate_study

__all__ = [
    "EFFECT_DESIGNS",
    "BinaryLatent",
    "Colangelo",
    "EffectDesign",
    "Hahn",
    "HiranoImbens",
    "NieWager",
    "Sun",
    "Units",
    "simulate_study",
]
