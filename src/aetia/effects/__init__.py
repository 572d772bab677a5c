"""Effects of treatments: a table in, an EffectPosterior out."""

from aetia.effects.causalbgm import (
    CausalBGM,
    CausalBGMConfig,
    FullMCMCCausalBGM,
    FullMCMCConfig,
    IdentifiableCausalBGM,
    IdentifiableConfig,
)

__all__ = ["METHODS", "CausalBGM", "FullMCMCCausalBGM", "IdentifiableCausalBGM"]

METHODS: dict[str, tuple[type, type]] = {
    "causalbgm": (CausalBGM, CausalBGMConfig),
    "identifiable": (IdentifiableCausalBGM, IdentifiableConfig),
    "full-mcmc": (FullMCMCCausalBGM, FullMCMCConfig),
}
"""Name, as in ``--method``, to estimator and its options."""
