"""Processes in time with known graphs: structural VARs, with regimes, and Lorenz-96."""

from aetia.scm.time_series.edge_functions import EDGE_FUNCTIONS
from aetia.scm.time_series.lorenz import simulate_lorenz96
from aetia.scm.time_series.regimes import RegimeKind, Regimes, Shifts
from aetia.scm.time_series.structural_var import StructuralVAR, random_structural_var

__all__ = [
    "EDGE_FUNCTIONS",
    "RegimeKind",
    "Regimes",
    "Shifts",
    "StructuralVAR",
    "random_structural_var",
    "simulate_lorenz96",
]
