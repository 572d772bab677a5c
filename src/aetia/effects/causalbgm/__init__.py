"""CausalBGM: effects through a generative model of treatment, outcome and covariates."""

from aetia.effects.causalbgm.config import CausalBGMConfig, FullMCMCConfig, IdentifiableConfig
from aetia.effects.causalbgm.estimator import CausalBGM
from aetia.effects.causalbgm.full_mcmc import FullMCMCCausalBGM
from aetia.effects.causalbgm.identifiable import IdentifiableCausalBGM
from aetia.effects.causalbgm.schedule import joint_steps

__all__ = [
    "CausalBGM",
    "CausalBGMConfig",
    "FullMCMCCausalBGM",
    "FullMCMCConfig",
    "IdentifiableCausalBGM",
    "IdentifiableConfig",
    "joint_steps",
]
