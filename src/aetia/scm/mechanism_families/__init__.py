r"""Families of random mechanisms, evaluated for many tasks at once.

A family draws the parameters of all variables of one task (NumPy, from the task's own stream) and
evaluates one variable of a batch of tasks (torch). Variables are in topological order, so the
causes of variable k are among the first k columns. Inputs are those columns, standardised within
the task (requirement M0), which makes length scales and weights free of units. Roots are pure
noise in every family.

Parameters have one leading row for each variable: ``weights[k, i]`` belongs to the edge i -> k.
"""

from aetia.scm.mechanism_families.composed import (
    MECHANISM_FAMILIES,
    Heteroscedastic,
    MechanismMixture,
    PostNonlinear,
)
from aetia.scm.mechanism_families.gaussian_process import GaussianProcess
from aetia.scm.mechanism_families.joint_gaussian_process import JointGaussianProcess
from aetia.scm.mechanism_families.linear import Linear
from aetia.scm.mechanism_families.neural import NeuralNetwork
from aetia.scm.mechanism_families.noise_scale import NoiseScale
from aetia.scm.mechanism_families.projected import LogisticMap, Periodic, Square
from aetia.scm.mechanism_families.protocol import MechanismFamily

__all__ = [
    "MECHANISM_FAMILIES",
    "GaussianProcess",
    "Heteroscedastic",
    "JointGaussianProcess",
    "Linear",
    "LogisticMap",
    "MechanismFamily",
    "MechanismMixture",
    "NeuralNetwork",
    "NoiseScale",
    "Periodic",
    "PostNonlinear",
    "Square",
]
