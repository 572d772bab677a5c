"""Posterior draws of the conditional distribution of one variable given its parents."""

from aetia.likelihoods.mechanisms.additive import AdditivePosterior, fit_additive
from aetia.likelihoods.mechanisms.columns import (
    RegressionColumns,
    cosine_columns,
    level_columns,
    smoothing_columns,
    spline_columns,
)
from aetia.likelihoods.mechanisms.conditional_table import ConditionalTable, fit_table
from aetia.likelihoods.mechanisms.logistic import LogisticPosterior, fit_logistic
from aetia.likelihoods.mechanisms.protocol import DrawnMechanism, MechanismPosterior
from aetia.likelihoods.mechanisms.root import RootDistribution
from aetia.likelihoods.mechanisms.table import MechanismTable

__all__ = [
    "AdditivePosterior",
    "ConditionalTable",
    "DrawnMechanism",
    "LogisticPosterior",
    "MechanismPosterior",
    "MechanismTable",
    "RegressionColumns",
    "RootDistribution",
    "cosine_columns",
    "fit_additive",
    "fit_logistic",
    "fit_table",
    "level_columns",
    "smoothing_columns",
    "spline_columns",
]
