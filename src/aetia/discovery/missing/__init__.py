"""Graphs of tables with missing cells: joint draws of the graph and of what was not seen."""

from aetia.discovery.missing.augmentation import AugmentedPosterior, Completion, augment, run_chains
from aetia.discovery.missing.columns import Columns, Levels, Numbers, gaussian_columns
from aetia.discovery.missing.copula import copula_posterior

__all__ = [
    "AugmentedPosterior",
    "Columns",
    "Completion",
    "Levels",
    "Numbers",
    "augment",
    "copula_posterior",
    "gaussian_columns",
    "run_chains",
]
