"""Simulation-based calibration (Talts et al., 2018) of the posterior over graphs.

For each likelihood, graphs come from the library's own structure prior and tables from the
likelihood's own prior; the number of edges, two edges, one ancestor relation and, where it has a
closed form, one total effect of the truth must then have uniform ranks. Chi-square over ten bins;
each p-value must exceed 0.01 / 55 for the 55 p-values that the calibrated models of this file have,
so the whole file gives a false alarm for at most one seed in a hundred.
"""

import numpy as np
import pytest
from scipy import stats

from aetia.graphs import all_dags, log_linear_extensions
from prior_tables import models, ranks

pytestmark = pytest.mark.statistical

N_ROWS = 60
LEAST_P = 0.01 / 55
FIVE, SEVEN = models(5), models(7)


def p_values(model, d, n_tables, seed, tilt=None):
    rng = np.random.default_rng(seed)
    found = [ranks(model, graph, rng, N_ROWS, tilt) for graph in model.graphs(n_tables, d, seed)]
    return {
        name: stats.chisquare(np.histogram([r[name] for r in found], 10, (0, 1))[0]).pvalue
        for name in found[0]
    }


@pytest.mark.parametrize("name", FIVE)
def test_graphs_and_effects_are_calibrated_by_enumeration(name):
    """Four or five p-values at 0.01 / 55: a false alarm for at most one seed in 1,000."""
    found = p_values(FIVE[name], 5, 200, seed=5)
    assert min(found.values()) > LEAST_P, found


@pytest.mark.parametrize("name", ["bge", "linear, learned noise", "bdeu"])
def test_graphs_and_effects_are_calibrated_through_the_order_programme(name):
    """Seven variables, weighted draws; a false alarm for at most one seed in 1,000."""
    found = p_values(SEVEN[name], 7, 200, seed=7)
    assert min(found.values()) > LEAST_P, found


def test_draws_without_the_weights_of_the_orders_are_noticed():
    """The power of the check: each graph counted once for each of its topological orders.

    The posterior is otherwise exact. It holds sparse graphs too likely, so the true number of
    edges ranks too high.
    """
    of_all = log_linear_extensions(all_dags(5))
    found = p_values(FIVE["bge"], 5, 150, seed=5, tilt=lambda graphs: of_all[: len(graphs)])
    assert found["edges"] < LEAST_P, found
