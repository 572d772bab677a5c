"""Causal models with known truth: random graphs, mechanisms, noise, interventions."""

from aetia.scm.mechanisms import (
    LinearMechanism,
    Mechanism,
    MLPMechanism,
    random_linear,
    random_mlp,
)
from aetia.scm.model import SCM
from aetia.scm.noise import Noise
from aetia.scm.random_graphs import erdos_renyi, scale_free
from aetia.scm.simulate import Simulated, Simulation, simulate, sortability_card

__all__ = [
    "SCM",
    "LinearMechanism",
    "MLPMechanism",
    "Mechanism",
    "Noise",
    "Simulated",
    "Simulation",
    "erdos_renyi",
    "random_linear",
    "random_mlp",
    "scale_free",
    "simulate",
    "sortability_card",
]
