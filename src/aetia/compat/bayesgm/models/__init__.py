"""The five models, under the original's names."""

from aetia.compat.bayesgm.models.bgm import BGM, MNISTBGM
from aetia.compat.bayesgm.models.causalbgm import (
    CausalBGM,
    FullMCMCCausalBGM,
    IdentifiableCausalBGM,
)

__all__ = ["BGM", "MNISTBGM", "CausalBGM", "FullMCMCCausalBGM", "IdentifiableCausalBGM"]
