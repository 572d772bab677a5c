"""The likelihoods of tables by name."""

from __future__ import annotations

from typing import Any

from aetia.likelihoods.additive import Additive, NormalScores, RankBasis
from aetia.likelihoods.bge import BGe
from aetia.likelihoods.block_bge import BlockBGe
from aetia.likelihoods.conditional_gaussian import ConditionalGaussian
from aetia.likelihoods.copula import GaussianCopula
from aetia.likelihoods.discrete import QNML, BDeu
from aetia.likelihoods.linear import LinearGaussian
from aetia.likelihoods.mlp import MLP

__all__ = ["LIKELIHOODS"]

LIKELIHOODS: dict[str, type[Any]] = {
    cls.name: cls
    for cls in (
        BGe,
        LinearGaussian,
        MLP,
        Additive,
        NormalScores,
        RankBasis,
        BlockBGe,
        BDeu,
        QNML,
        ConditionalGaussian,
        GaussianCopula,
    )
}
"""Name, as in the option ``likelihood=``, to options with their defaults."""
