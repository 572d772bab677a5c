"""Graphs of tables with missing cells: joint draws of the graph and of what was not seen."""

from aetia.discovery.missing.augmentation import AugmentedPosterior, Completion, augment, run_chains
from aetia.discovery.missing.columns import Levels, Numbers, VariableColumns, gaussian_columns
from aetia.discovery.missing.copula import copula_posterior

__all__ = [
    "AugmentedPosterior",
    "Completion",
    "Levels",
    "Numbers",
    "VariableColumns",
    "augment",
    "copula_posterior",
    "gaussian_columns",
    "run_chains",
]
