"""Causal models with known truth: random graphs, mechanisms, noise, interventions, streams."""

from aetia.scm.corruption import Corruption, corrupt
from aetia.scm.distance import family_distance
from aetia.scm.effect_designs import EFFECT_DESIGNS, simulate_study
from aetia.scm.family import Family, TaskSize
from aetia.scm.graph_families import (
    GRAPH_FAMILIES,
    Blocks,
    EdgeCoins,
    Geometric,
    GraphFamily,
    GraphMixture,
    PreferentialAttachment,
    SmallWorld,
)
from aetia.scm.graph_families.network_modules import NetworkModules
from aetia.scm.interventions import Interventions
from aetia.scm.known_linear import KnownLinear
from aetia.scm.mechanism_families import (
    MECHANISM_FAMILIES,
    GaussianProcess,
    Heteroscedastic,
    JointGaussianProcess,
    Linear,
    LogisticMap,
    MechanismFamily,
    MechanismMixture,
    NeuralNetwork,
    NoiseScale,
    Periodic,
    PostNonlinear,
    Square,
)
from aetia.scm.mechanisms import (
    AdditiveMechanism,
    LinearMechanism,
    Mechanism,
    MLPMechanism,
    random_linear,
    random_mlp,
)
from aetia.scm.model import SCM
from aetia.scm.noise import Noise, NoiseMixture
from aetia.scm.simulate import Simulated, Simulation, simulate, sortability_card
from aetia.scm.stream import FixedTasks, Split, TaskFamily, TaskStream, overlap
from aetia.scm.tasks import Tasks
from aetia.scm.time_series import (
    Regimes,
    StructuralVAR,
    random_structural_var,
    simulate_lorenz96,
)

__all__ = [
    "EFFECT_DESIGNS",
    "GRAPH_FAMILIES",
    "MECHANISM_FAMILIES",
    "SCM",
    "AdditiveMechanism",
    "Blocks",
    "Corruption",
    "EdgeCoins",
    "Family",
    "FixedTasks",
    "GaussianProcess",
    "Geometric",
    "GraphFamily",
    "GraphMixture",
    "Heteroscedastic",
    "Interventions",
    "JointGaussianProcess",
    "KnownLinear",
    "Linear",
    "LinearMechanism",
    "LogisticMap",
    "MLPMechanism",
    "Mechanism",
    "MechanismFamily",
    "MechanismMixture",
    "NetworkModules",
    "NeuralNetwork",
    "Noise",
    "NoiseMixture",
    "NoiseScale",
    "Periodic",
    "PostNonlinear",
    "PreferentialAttachment",
    "Regimes",
    "Simulated",
    "Simulation",
    "SmallWorld",
    "Split",
    "Square",
    "StructuralVAR",
    "TaskFamily",
    "TaskSize",
    "TaskStream",
    "Tasks",
    "corrupt",
    "family_distance",
    "overlap",
    "random_linear",
    "random_mlp",
    "random_structural_var",
    "simulate",
    "simulate_lorenz96",
    "simulate_study",
    "sortability_card",
]
