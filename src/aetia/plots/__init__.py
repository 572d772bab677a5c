"""Arrays in, matplotlib axes and the frame that was drawn out."""

from aetia.plots.arms import plot_arms
from aetia.plots.calibration import plot_reliability
from aetia.plots.convergence import plot_trace
from aetia.plots.data_uri import svg_data_uri
from aetia.plots.diffusion import plot_dynamics, plot_points
from aetia.plots.dose_response import plot_dose_response, plot_overlap, plot_unit_effects
from aetia.plots.effect import plot_effect
from aetia.plots.effect_matrix import plot_effect_matrix
from aetia.plots.graph import plot_graph
from aetia.plots.health import plot_record, plot_shares
from aetia.plots.health_record import draw_health_record
from aetia.plots.imputation import plot_imputed_cells, plot_missingness, plot_pictures
from aetia.plots.imputed_series import plot_imputed_series
from aetia.plots.lagged_graph import circle_order, plot_lagged_graph
from aetia.plots.learning_curve import plot_learning_curve
from aetia.plots.marginals import plot_correlations, plot_marginals
from aetia.plots.matrix import plot_edge_matrix
from aetia.plots.named_effects import plot_named_effects
from aetia.plots.prediction_ranks import plot_prediction_ranks
from aetia.plots.regime_shifts import plot_regime_shifts
from aetia.plots.shift import plot_families, plot_shift

__all__ = [
    "circle_order",
    "draw_health_record",
    "plot_arms",
    "plot_correlations",
    "plot_dose_response",
    "plot_dynamics",
    "plot_edge_matrix",
    "plot_effect",
    "plot_effect_matrix",
    "plot_families",
    "plot_graph",
    "plot_imputed_cells",
    "plot_imputed_series",
    "plot_lagged_graph",
    "plot_learning_curve",
    "plot_marginals",
    "plot_missingness",
    "plot_named_effects",
    "plot_overlap",
    "plot_pictures",
    "plot_points",
    "plot_prediction_ranks",
    "plot_record",
    "plot_regime_shifts",
    "plot_reliability",
    "plot_shares",
    "plot_shift",
    "plot_trace",
    "plot_unit_effects",
    "svg_data_uri",
]
