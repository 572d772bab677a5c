"""What users get back."""

from aetia.results.drawn_weights import completed_spreads
from aetia.results.draws import Draws
from aetia.results.effect_posterior import EffectPosterior
from aetia.results.equivalence_classes import EquivalenceClasses
from aetia.results.experiment_value import ExperimentValues
from aetia.results.graph_effects import EffectModel, effect_model
from aetia.results.graph_posterior import CPDAGProbabilities, GraphPosterior
from aetia.results.linear_effects import LinearModel
from aetia.results.overlap import Overlap
from aetia.results.run_facts import RunFacts
from aetia.results.simulation_model import SimulationModel
from aetia.results.truth import as_graph

__all__ = [
    "CPDAGProbabilities",
    "Draws",
    "EffectModel",
    "EffectPosterior",
    "EquivalenceClasses",
    "ExperimentValues",
    "GraphPosterior",
    "LinearModel",
    "Overlap",
    "RunFacts",
    "SimulationModel",
    "as_graph",
    "completed_spreads",
    "effect_model",
]
