"""Effects of treatments: a table in, an EffectPosterior out."""

from aetia.effects.causalbgm import CausalBGM, FullMCMCCausalBGM, IdentifiableCausalBGM

__all__ = ["CausalBGM", "FullMCMCCausalBGM", "IdentifiableCausalBGM"]
