"""Effects of treatments: a table in, an EffectPosterior out."""

from aetia.effects import causalbgm as _family
from aetia.effects.causalbgm import CausalBGM, CausalBGMConfig
from aetia.effects.causalbgm.config import FullMCMCConfig, IdentifiableConfig

__all__ = ["METHODS", "CausalBGM", "CausalBGMConfig"]

METHODS: dict[str, tuple[type | None, type]] = {
    "causalbgm": (CausalBGM, CausalBGMConfig),
    "identifiable": (getattr(_family, "IdentifiableCausalBGM", None), IdentifiableConfig),
    "full-mcmc": (getattr(_family, "FullMCMCCausalBGM", None), FullMCMCConfig),
}
"""Name, as in ``--method``, to estimator (None where it is not in this version) and options."""
