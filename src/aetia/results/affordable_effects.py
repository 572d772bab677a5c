"""Total effects of all pairs, where they take a second or two."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from aetia.errors import DataWarning, InputError
from aetia.results.drawn_weights import DrawnWeights
from aetia.results.graph_effects import needed_model
from aetia.results.graph_posterior import GraphPosterior
from aetia.results.simulated_effects import systematic_draws
from aetia.results.simulation_model import SimulationModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["affordable_total_effects"]

_LINEAR_WORK = 1.6e7
"""Graphs times columns cubed that take about 2 seconds."""
_FEWEST_GRAPHS = 150
_SIMULATED_CELLS, _SIMULATED_COLUMNS, _SIMULATED_DRAWS = 40_000, 8, 100
"""Rows times columns squared, and columns, up to which simulations take about a second."""


def affordable_total_effects(posterior: GraphPosterior) -> pd.DataFrame | None:
    """Compute the total effects of all pairs if this takes about 2 seconds at most.

    Args:
        posterior: The posterior.

    Returns:
        The table, from fewer graphs and draws than by default where there are many columns;
        None if there is no model for effects, or it would take longer.
    """
    if posterior.kind != "posterior" or posterior.lagged is not None or len(posterior.names) < 2:
        return None
    try:
        model = needed_model(posterior)
    except InputError:
        return None
    d = len(posterior.names)
    n_draws = None
    if isinstance(model, SimulationModel):
        if d > _SIMULATED_COLUMNS or len(model.values) * d**2 > _SIMULATED_CELLS:
            return None
        n_draws = _SIMULATED_DRAWS
    elif not isinstance(model, DrawnWeights):
        n_graphs = len(posterior.distinct()[0])
        if (n_graphs + 4000) * d**3 > _LINEAR_WORK:
            n_draws = int(_LINEAR_WORK / (3 * d**3))
            if n_draws < _FEWEST_GRAPHS:
                return None
            posterior = _thinned(posterior, min(n_draws, n_graphs))
    with warnings.catch_warnings():
        # Default contrasts move a column by its own spread, perhaps a little beyond its range.
        warnings.simplefilter("ignore", DataWarning)
        return posterior.total_effects(n_draws=n_draws)


def _thinned(posterior: GraphPosterior, n: int) -> GraphPosterior:
    """Take n graphs, each as often as its probability says."""
    generator = torch.Generator().manual_seed(0)
    rows = systematic_draws(torch.from_numpy(posterior.weights), n, generator).numpy()
    return replace(
        posterior,
        graphs=posterior.graphs[rows],
        log_weights=np.full(n, -np.log(n)),
        parameters={},
        edge_marginals=None,
        trace={},
    )
