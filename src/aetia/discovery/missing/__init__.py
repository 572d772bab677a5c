"""Graphs of tables with missing cells: joint draws of the graph and of what was not seen."""

from aetia.discovery.missing.augmentation import AugmentedPosterior, Completion, augment, run_chains
from aetia.discovery.missing.columns import Columns, Levels, Numbers, gaussian_columns

__all__ = [
    "AugmentedPosterior",
    "Columns",
    "Completion",
    "Levels",
    "Numbers",
    "augment",
    "gaussian_columns",
    "run_chains",
]
