"""Pure functions on adjacency tensors; ``adjacency[..., i, j] = 1`` means i -> j."""

from aetia.graphs.acyclicity import (
    ACYCLICITY,
    exponential_trace,
    log_determinant,
    perron_radius,
    power_trace,
    spectral_radius,
)
from aetia.graphs.distances import (
    adjustment_distance,
    area_under_precision_recall,
    auroc,
    average_precision,
    edge_scores,
    expected,
    expected_cpdag_shd,
    shd,
    sid,
)
from aetia.graphs.effects import total_effect_moments, total_effects
from aetia.graphs.enumeration import MAX_ENUMERATED, all_dags, n_dags
from aetia.graphs.equivalence import cpdag, markov_equivalent, skeleton, v_structures
from aetia.graphs.knowledge import Constraints, Knowledge
from aetia.graphs.laws import GRAPH_LAWS, ErdosRenyi, GraphLaw, ScaleFree, UniformDAGs
from aetia.graphs.orders import is_acyclic, on_cycle, topological_order, transitive_closure
from aetia.graphs.retrieval import oracle_f1, retrieval_scores
from aetia.graphs.separation import d_separated
from aetia.graphs.sortability import r2_sortability, varsortability

__all__ = [
    "ACYCLICITY",
    "GRAPH_LAWS",
    "MAX_ENUMERATED",
    "Constraints",
    "ErdosRenyi",
    "GraphLaw",
    "Knowledge",
    "ScaleFree",
    "UniformDAGs",
    "adjustment_distance",
    "all_dags",
    "area_under_precision_recall",
    "auroc",
    "average_precision",
    "cpdag",
    "d_separated",
    "edge_scores",
    "expected",
    "expected_cpdag_shd",
    "exponential_trace",
    "is_acyclic",
    "log_determinant",
    "markov_equivalent",
    "n_dags",
    "on_cycle",
    "oracle_f1",
    "perron_radius",
    "power_trace",
    "r2_sortability",
    "retrieval_scores",
    "shd",
    "sid",
    "skeleton",
    "spectral_radius",
    "topological_order",
    "total_effect_moments",
    "total_effects",
    "transitive_closure",
    "v_structures",
    "varsortability",
]
