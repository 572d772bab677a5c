"""I-NIL against regressions done one by one, and its invariances."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aetia.errors import InputError
from aetia.graphs import all_dags
from aetia.likelihoods.interventional import interventional_nll


def data(d=3, n=60, m=12, seed=0):
    """A chain; each held-out row sets one variable to a value far out."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 2.0
    z = rng.normal(size=(m, d)) + 2.0
    for j in range(1, d):
        x[:, j] += 1.5 * x[:, j - 1]
    mask = np.zeros((m, d), dtype=bool)
    mask[np.arange(m), np.arange(m) % d] = True
    for j in range(d):
        if j:
            z[:, j] += 1.5 * z[:, j - 1]
        z[mask[:, j], j] = rng.normal(size=mask[:, j].sum()) * 4
    return x, z, mask


def tensors(*arrays):
    return [torch.from_numpy(np.asarray(a)) for a in arrays]


def nll_of(graph, x, z, mask):
    """Least squares with an intercept for each variable, Gaussian density of what was not set."""
    total = 0.0
    for j in range(x.shape[1]):
        causes = np.flatnonzero(graph[:, j])
        design = np.column_stack([np.ones(len(x)), x[:, causes]])
        weights, *_ = np.linalg.lstsq(design, x[:, j], rcond=None)
        spread = math.sqrt(np.mean((x[:, j] - design @ weights) ** 2))
        mean = np.column_stack([np.ones(len(z)), z[:, causes]]) @ weights
        density = stats.norm(mean, spread).logpdf(z[:, j])
        total -= density[~mask[:, j]].sum()
    return total


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_log_of_the_weighted_mean_likelihood(seed):
    x, z, mask = data(seed=seed)
    rng = np.random.default_rng(seed)
    graphs = all_dags(3)[torch.from_numpy(rng.choice(25, 6, replace=False))]
    log_weights = rng.normal(size=6)
    each = np.array([nll_of(g.numpy(), x, z, mask) for g in graphs])
    w = np.exp(log_weights) / np.exp(log_weights).sum()
    expected = -np.logaddexp.reduce(np.log(w) - each) / len(z)
    got = interventional_nll(graphs, *tensors(log_weights, x, z, mask))
    assert got == pytest.approx(expected, rel=1e-6)


def test_every_graph_alone_has_its_own_regressions():
    x, z, mask = data(m=9)
    for g in all_dags(3):
        got = interventional_nll(g[None], torch.zeros(1).double(), *tensors(x, z, mask))
        assert got == pytest.approx(nll_of(g.numpy(), x, z, mask) / 9, rel=1e-6)


def test_values_that_were_set_do_not_count_themselves():
    """At a variable without effects, what it was set to is of no importance."""
    x, z, mask = data()
    g = torch.zeros(1, 3, 3, dtype=torch.bool)
    g[0, 0, 1] = g[0, 1, 2] = True
    other = z.copy()
    other[mask[:, 2], 2] = 1e3
    one, two = (
        interventional_nll(g, torch.zeros(1).double(), *tensors(x, t, mask)) for t in (z, other)
    )
    assert one == pytest.approx(two)


def test_the_true_graph_predicts_interventions_better_than_its_reverse():
    x, z, mask = data(n=500, m=60)
    g = torch.zeros(1, 3, 3, dtype=torch.bool)
    g[0, 0, 1] = g[0, 1, 2] = True
    one = torch.zeros(1).double()
    true, back, none = (
        interventional_nll(h, one, *tensors(x, z, mask)) for h in (g, g.mT, torch.zeros_like(g))
    )
    assert true < back - 0.5
    assert true < none - 0.1


@settings(max_examples=20)
@given(
    factors=st.lists(st.sampled_from([1e-6, 1e-3, 1.0, 7.0, 1e6]), min_size=3, max_size=3),
    which=st.integers(0, 24),
)
def test_units_add_the_logarithm_of_the_factors_and_no_more(factors, which):
    x, z, mask = data()
    c, g, one = np.array(factors), all_dags(3)[which][None], torch.zeros(1).double()
    plain = interventional_nll(g, one, *tensors(x, z, mask))
    scaled = interventional_nll(g, one, *tensors(x * c, z * c, mask))
    shift = ((~mask) * np.log(c)).sum() / len(z)
    assert scaled - shift == pytest.approx(plain, abs=1e-4)


def test_the_weights_need_not_be_normalised_and_order_is_nothing():
    x, z, mask = data()
    graphs, lw = all_dags(3)[::5], np.random.default_rng(0).normal(size=5)
    one = interventional_nll(graphs, *tensors(lw, x, z, mask))
    two = interventional_nll(graphs, *tensors(lw + 9.0, x, z, mask))
    flipped = interventional_nll(graphs.flip(0), *tensors(lw[::-1].copy(), x, z, mask))
    assert one == pytest.approx(two)
    assert one == pytest.approx(flipped)


def test_no_interventional_rows_are_an_error():
    x, z, mask = data()
    with pytest.raises(InputError, match="rows with interventions"):
        interventional_nll(all_dags(3)[:1], torch.zeros(1).double(), *tensors(x, z[:0], mask[:0]))
