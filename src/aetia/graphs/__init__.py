"""Pure functions on adjacency tensors; ``adjacency[..., i, j] = 1`` means i -> j."""

from aetia.graphs.acyclicity import (
    ACYCLICITY,
    exponential_trace,
    log_determinant,
    perron_radius,
    power_trace,
    spectral_radius,
)
from aetia.graphs.cycles import greedy_dag, without_cycles
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
from aetia.graphs.distinct import distinct_graphs
from aetia.graphs.effects import total_effect_moments, total_effects
from aetia.graphs.enumeration import MAX_ENUMERATED, all_dags, n_dags
from aetia.graphs.equivalence import cpdag, markov_equivalent, skeleton, v_structures
from aetia.graphs.knowledge import Constraints, Knowledge
from aetia.graphs.linear_extensions import log_linear_extensions
from aetia.graphs.order_programme import MAX_COLUMNS, OrderProgramme, draw_dags, order_programme
from aetia.graphs.orders import is_acyclic, on_cycle, topological_order, transitive_closure
from aetia.graphs.parent_set_prior import prior_tables
from aetia.graphs.retrieval import oracle_f1, retrieval_scores
from aetia.graphs.separation import d_separated
from aetia.graphs.sortability import r2_sortability, varsortability
from aetia.graphs.structure_priors import (
    STRUCTURE_PRIORS,
    BICPenalty,
    ErdosRenyi,
    FairParentCounts,
    ModularPrior,
    ScaleFree,
    SparseEdgeRate,
    StructurePrior,
    UniformDAGs,
)
from aetia.graphs.subset_sums import subset_log_sums

__all__ = [
    "ACYCLICITY",
    "MAX_COLUMNS",
    "MAX_ENUMERATED",
    "STRUCTURE_PRIORS",
    "BICPenalty",
    "Constraints",
    "ErdosRenyi",
    "FairParentCounts",
    "Knowledge",
    "ModularPrior",
    "OrderProgramme",
    "ScaleFree",
    "SparseEdgeRate",
    "StructurePrior",
    "UniformDAGs",
    "adjustment_distance",
    "all_dags",
    "area_under_precision_recall",
    "auroc",
    "average_precision",
    "cpdag",
    "d_separated",
    "distinct_graphs",
    "draw_dags",
    "edge_scores",
    "expected",
    "expected_cpdag_shd",
    "exponential_trace",
    "greedy_dag",
    "is_acyclic",
    "log_determinant",
    "log_linear_extensions",
    "markov_equivalent",
    "n_dags",
    "on_cycle",
    "oracle_f1",
    "order_programme",
    "perron_radius",
    "power_trace",
    "prior_tables",
    "r2_sortability",
    "retrieval_scores",
    "shd",
    "sid",
    "skeleton",
    "spectral_radius",
    "subset_log_sums",
    "topological_order",
    "total_effect_moments",
    "total_effects",
    "transitive_closure",
    "v_structures",
    "varsortability",
    "without_cycles",
]
