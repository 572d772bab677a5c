"""How well a graph explains data, and the parameters' posterior given a graph."""

from aetia.likelihoods.additive import Additive, NormalScores, RankBasis, on_normal_scores
from aetia.likelihoods.bge import BGe
from aetia.likelihoods.block_bge import BlockBGe
from aetia.likelihoods.by_name import LIKELIHOODS
from aetia.likelihoods.conditional_gaussian import ConditionalGaussian
from aetia.likelihoods.copula import GaussianCopula
from aetia.likelihoods.discrete import QNML, BDeu
from aetia.likelihoods.evidence_choice import (
    choose_by_evidence,
    noise_is_additive,
    non_gaussian_nats,
)
from aetia.likelihoods.interventional import interventional_nll
from aetia.likelihoods.linear import LinearGaussian
from aetia.likelihoods.local_scores import DecomposableLikelihood, LocalScores
from aetia.likelihoods.mlp import MLP
from aetia.likelihoods.moments import Moments
from aetia.likelihoods.parameters import WeightPosterior
from aetia.likelihoods.protocol import JointScore, Likelihood, MarginalScore
from aetia.likelihoods.regimes import (
    ChangedMechanisms,
    UnknownTargets,
    add_regime_columns,
    regime_targets,
)
from aetia.likelihoods.variance_test import variance_evidence
from aetia.likelihoods.varying_noise import VaryingNoise

__all__ = [
    "LIKELIHOODS",
    "MLP",
    "QNML",
    "Additive",
    "BDeu",
    "BGe",
    "BlockBGe",
    "ChangedMechanisms",
    "ConditionalGaussian",
    "DecomposableLikelihood",
    "GaussianCopula",
    "JointScore",
    "Likelihood",
    "LinearGaussian",
    "LocalScores",
    "MarginalScore",
    "Moments",
    "NormalScores",
    "RankBasis",
    "UnknownTargets",
    "VaryingNoise",
    "WeightPosterior",
    "add_regime_columns",
    "choose_by_evidence",
    "interventional_nll",
    "noise_is_additive",
    "non_gaussian_nats",
    "on_normal_scores",
    "regime_targets",
    "variance_evidence",
]
