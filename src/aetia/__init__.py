"""aetia: Bayesian and generative causal learning.

The public names are loaded when first used, so that importing the package is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aetia.version import __version__

if TYPE_CHECKING:
    from aetia.data import Dataset, Labelled, Truth, Windows, as_dataset, as_windows, load_public
    from aetia.discovery import (
        AVICI,
        BCNP,
        RCGNN,
        DiBS,
        ExactPosterior,
        OrderMCMC,
        Pretrained,
        Schedule,
        discover,
    )
    from aetia.effects import CausalBGM, FullMCMCCausalBGM, IdentifiableCausalBGM
    from aetia.generation import BGM, DDDM, MNISTBGM, ImageBGM, ImageDDDM
    from aetia.graphs import (
        BICPenalty,
        ErdosRenyi,
        FairParentCounts,
        Knowledge,
        ScaleFree,
        SparseEdgeRate,
        UniformDAGs,
    )
    from aetia.likelihoods import (
        MLP,
        QNML,
        Additive,
        BDeu,
        BGe,
        BlockBGe,
        ConditionalGaussian,
        LinearGaussian,
        NormalScores,
        RankBasis,
    )
    from aetia.results import Draws, EffectPosterior, GraphPosterior
    from aetia.scm import SCM, Family, Simulation, simulate, simulate_study
    from aetia.training import TrainingConfig

_ROOMS = {
    "data": (
        "Dataset",
        "Labelled",
        "Truth",
        "Windows",
        "as_dataset",
        "as_windows",
        "load_public",
    ),
    "discovery": (
        "AVICI",
        "BCNP",
        "DiBS",
        "ExactPosterior",
        "OrderMCMC",
        "Pretrained",
        "RCGNN",
        "Schedule",
        "discover",
    ),
    "effects": (
        "CausalBGM",
        "FullMCMCCausalBGM",
        "IdentifiableCausalBGM",
    ),
    "generation": (
        "BGM",
        "DDDM",
        "ImageBGM",
        "ImageDDDM",
        "MNISTBGM",
    ),
    "graphs": (
        "BICPenalty",
        "ErdosRenyi",
        "FairParentCounts",
        "Knowledge",
        "ScaleFree",
        "SparseEdgeRate",
        "UniformDAGs",
    ),
    "likelihoods": (
        "Additive",
        "BDeu",
        "BGe",
        "BlockBGe",
        "ConditionalGaussian",
        "LinearGaussian",
        "MLP",
        "NormalScores",
        "QNML",
        "RankBasis",
    ),
    "results": (
        "Draws",
        "EffectPosterior",
        "GraphPosterior",
    ),
    "scm": (
        "SCM",
        "Family",
        "Simulation",
        "simulate",
        "simulate_study",
    ),
    "training": ("TrainingConfig",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "AVICI",
    "BCNP",
    "BGM",
    "DDDM",
    "MLP",
    "MNISTBGM",
    "QNML",
    "RCGNN",
    "SCM",
    "Additive",
    "BDeu",
    "BGe",
    "BICPenalty",
    "BlockBGe",
    "CausalBGM",
    "ConditionalGaussian",
    "Dataset",
    "DiBS",
    "Draws",
    "EffectPosterior",
    "ErdosRenyi",
    "ExactPosterior",
    "FairParentCounts",
    "Family",
    "FullMCMCCausalBGM",
    "GraphPosterior",
    "IdentifiableCausalBGM",
    "ImageBGM",
    "ImageDDDM",
    "Knowledge",
    "Labelled",
    "LinearGaussian",
    "NormalScores",
    "OrderMCMC",
    "Pretrained",
    "RankBasis",
    "ScaleFree",
    "Schedule",
    "Simulation",
    "SparseEdgeRate",
    "TrainingConfig",
    "Truth",
    "UniformDAGs",
    "Windows",
    "__version__",
    "as_dataset",
    "as_windows",
    "discover",
    "load_public",
    "simulate",
    "simulate_study",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'aetia' has no attribute {name!r}")
    value = getattr(import_module(f"aetia.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
