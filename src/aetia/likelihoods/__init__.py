"""How well a graph explains data, and the parameters' posterior given a graph."""

from aetia.likelihoods.bge import BGe
from aetia.likelihoods.interventional import interventional_nll
from aetia.likelihoods.linear import LinearGaussian
from aetia.likelihoods.mlp import MLP
from aetia.likelihoods.moments import Moments
from aetia.likelihoods.parameters import WeightPosterior
from aetia.likelihoods.protocol import JointScore, Likelihood, MarginalScore

__all__ = [
    "LIKELIHOODS",
    "MLP",
    "BGe",
    "JointScore",
    "Likelihood",
    "LinearGaussian",
    "MarginalScore",
    "Moments",
    "WeightPosterior",
    "interventional_nll",
]

LIKELIHOODS: dict[str, type[BGe] | type[LinearGaussian] | type[MLP]] = {
    "bge": BGe,
    "linear": LinearGaussian,
    "mlp": MLP,
}
"""Name, as in the option ``likelihood=``, to options with their defaults."""
