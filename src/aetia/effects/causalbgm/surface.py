"""What :mod:`aetia.compat` may use of the inside of CausalBGM: these names and no others.

The import contract refuses any other way in, so everything else here may be reorganised freely.
Users have no need of this module; what is theirs is in ``aetia.effects.causalbgm``.
"""

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.fitted import Fitted, level_distributions
from aetia.effects.causalbgm.folds import Folds, take_units
from aetia.effects.causalbgm.generative import (
    LatentRoles,
    Mechanisms,
    Units,
    outcome_distribution,
    outcome_inputs,
    treatment_distribution,
)
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.latents import latent_density
from aetia.effects.causalbgm.networks import Networks
from aetia.effects.causalbgm.study_table import read_study
from aetia.effects.causalbgm.weight_chains import weight_density

__all__ = [
    "CausalBGMConfig",
    "Fitted",
    "Folds",
    "LatentPrior",
    "LatentRoles",
    "Mechanisms",
    "Networks",
    "Units",
    "latent_density",
    "level_distributions",
    "outcome_distribution",
    "outcome_inputs",
    "read_study",
    "take_units",
    "treatment_distribution",
    "weight_density",
]
