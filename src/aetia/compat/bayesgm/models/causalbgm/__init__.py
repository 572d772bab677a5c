"""CausalBGM and its two variants."""

from aetia.compat.bayesgm.models.causalbgm.base import CausalBGM
from aetia.compat.bayesgm.models.causalbgm.fullmcmc import FullMCMCCausalBGM
from aetia.compat.bayesgm.models.causalbgm.identifiable import IdentifiableCausalBGM

__all__ = ["CausalBGM", "FullMCMCCausalBGM", "IdentifiableCausalBGM"]
