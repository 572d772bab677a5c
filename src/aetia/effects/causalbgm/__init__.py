"""CausalBGM: effects through a generative model of treatment, outcome and covariates."""

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.estimator import CausalBGM

__all__ = ["CausalBGM", "CausalBGMConfig"]
