"""Weighted exact draws against every DAG listed, and against sums over layers."""

import math
import warnings

import numpy as np
import pytest
import torch

import layered_programme
from aetia.data import as_dataset
from aetia.discovery import ExactPosterior
from aetia.discovery.candidate_parents import all_others
from aetia.discovery.exact.enumeration import enumerate_posterior
from aetia.discovery.exact.weighted_draws import draw_until
from aetia.errors import DataWarning, InputError
from aetia.graphs import (
    Knowledge,
    SparseEdgeRate,
    order_programme,
    prior_tables,
    transitive_closure,
)
from aetia.likelihoods import BGe, LinearGaussian


def sparse_table(d, n, seed):
    rng = np.random.default_rng(seed)
    graph = np.triu(rng.random((d, d)) < 2.5 / (d - 1), 1)
    x = np.zeros((n, d))
    for j in range(d):
        x[:, j] = x[:, graph[:, j]] @ rng.uniform(0.4, 1.2, graph[:, j].sum()) + rng.normal(size=n)
    return x


def bge_tables(x):
    scores = BGe().local_scores(as_dataset((x - x.mean(0)) / x.std(0)))
    candidates = all_others(x.shape[1])
    tables = scores.tables(candidates, x.shape[1] - 1)
    terms = SparseEdgeRate().parent_count_terms(x.shape[1])
    constraints = Knowledge().constraints([f"x{i}" for i in range(x.shape[1])])
    return tables + prior_tables(candidates, terms, constraints), candidates


@pytest.mark.parametrize("seed", range(3))
def test_edges_and_paths_of_five_variables_are_those_of_the_enumeration(seed):
    """40 probabilities a table at 4.5 standard errors: one false alarm in about 3,000 seeds."""
    tables, candidates = bge_tables(sparse_table(5, 60, seed))
    graphs, scores = enumerate_posterior(tables, candidates)
    exact = scores.softmax(0)
    draws = draw_until(
        order_programme(tables, candidates),
        min_ess=20_000,
        max_draws=100_000,
        generator=torch.Generator().manual_seed(seed),
    )
    assert draws.ess >= 20_000
    assert abs(draws.log_total - float(scores.logsumexp(0))) < 4.5 * draws.log_total_error
    for feature in (lambda g: g, transitive_closure):
        p = torch.einsum("s,sij->ij", exact, feature(graphs).double())
        found = torch.einsum("s,sij->ij", draws.log_weights.exp(), feature(draws.graphs).double())
        error = (p * (1 - p) / draws.ess).sqrt()
        assert ((found - p).abs() <= 4.5 * error + 1e-4).all()


def test_unweighted_draws_have_the_bias_of_orders():
    """The same comparison must fail without the weights, or it could not fail at all."""
    tables, candidates = bge_tables(sparse_table(5, 60, 0))
    graphs, scores = enumerate_posterior(tables, candidates)
    p = torch.einsum("s,sij->ij", scores.softmax(0), graphs.double())
    from aetia.graphs import draw_dags

    drawn = draw_dags(order_programme(tables, candidates), 20_000, torch.Generator().manual_seed(0))
    bias = (drawn.double().mean(0) - p).abs().max()
    assert bias > 10 * math.sqrt(0.25 / 20_000)


def test_edges_of_seven_variables_are_those_of_the_sum_over_layers():
    """Six probabilities at 4.5 standard errors: one false alarm in about 20,000 seeds."""
    tables, candidates = bge_tables(sparse_table(7, 80, 4))
    draws = draw_until(
        order_programme(tables, candidates),
        min_ess=10_000,
        max_draws=100_000,
        generator=torch.Generator().manual_seed(1),
    )
    total = layered_programme.log_total(tables.numpy(), candidates.numpy())
    assert abs(draws.log_total - total) < 4.5 * draws.log_total_error
    found = torch.einsum("s,sij->ij", draws.log_weights.exp(), draws.graphs.double())
    for i, j in [(0, 1), (1, 0), (2, 5), (6, 3), (4, 6), (5, 2)]:
        p = layered_programme.edge_probability(tables.numpy(), candidates.numpy(), i, j)
        assert abs(float(found[i, j]) - p) <= 4.5 * math.sqrt(p * (1 - p) / draws.ess) + 1e-4


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    x = sparse_table(7, 50, 2)
    first = ExactPosterior("bge", random_state=3).fit(x).posterior_
    again = ExactPosterior("bge", random_state=3).fit(x).posterior_
    other = ExactPosterior("bge", random_state=4).fit(x).posterior_
    assert np.array_equal(first.graphs, again.graphs)
    assert np.array_equal(first.log_weights, again.log_weights)
    assert not np.array_equal(first.edge_probabilities(), other.edge_probabilities())


def test_relabelling_and_rescaling_the_columns_changes_nothing_but_the_labels():
    """42 probabilities at 4.5 standard errors of a difference."""
    x = sparse_table(7, 100, 5)
    order = np.random.default_rng(0).permutation(7)
    units = 10.0 ** np.array([0, 9, -6, 3, 0, -3, 6])
    plain = ExactPosterior("bge", random_state=0).fit(x).posterior_
    moved = ExactPosterior("bge", random_state=1).fit((x * units + 5 * units)[:, order]).posterior_
    a, b = plain.edge_probabilities()[np.ix_(order, order)], moved.edge_probabilities()
    ess = min(plain.diagnostics["ess"], moved.diagnostics["ess"])
    pooled = (a + b) / 2
    assert (abs(a - b) <= 4.5 * np.sqrt(2 * pooled * (1 - pooled) / ess) + 1e-3).all()


def test_hard_knowledge_holds_in_every_draw_of_seven_columns():
    x = sparse_table(7, 100, 6)
    known = {"required": ["x6 -> x0"], "forbidden": ["x0 -> x1"], "roots": ["x5"], "sinks": ["x2"]}
    posterior = ExactPosterior("bge", random_state=0).fit(x, knowledge=known).posterior_
    graphs = posterior.graphs
    assert graphs[:, 6, 0].all()
    assert not graphs[:, 0, 1].any()
    assert not graphs[:, :, 5].any()
    assert not graphs[:, 2].any()


def test_huge_units_cost_no_probability():
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    b = 0.8 * a + rng.normal(size=300)
    x = np.column_stack([a, 1e9 * b, b + rng.normal(size=300)])
    p = ExactPosterior("linear").fit(x).posterior_
    assert p.weights.sum() == pytest.approx(1.0)
    assert p.edge_probabilities().max() <= 1.0


def test_a_score_that_does_not_decompose_is_refused_and_one_of_the_users_own_plugs_in():
    class Whole:
        name = "whole"

        def on(self, x, intervened=None):
            return None

    class EdgeCounts:
        """Every parent is worth one nat, whatever the data."""

        name, kinds, scaling = "edge-counts", ("continuous",), "none"

        def local_scores(self, data):
            return self

        empty = torch.zeros(3, dtype=torch.float64)

        def tables(self, candidates, max_parents):
            d, k = candidates.shape
            sizes = torch.tensor([bin(m).count("1") for m in range(1 << k)], dtype=torch.float64)
            return sizes.expand(d, -1).clone()

    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(InputError, match="local_scores"):
        ExactPosterior(Whole()).fit(x)
    posterior = ExactPosterior(EdgeCounts(), "uniform").fit(x).posterior_
    n_edges = posterior.graphs.sum((1, 2))
    expected = np.exp(n_edges) / np.exp(n_edges).sum()
    np.testing.assert_allclose(posterior.weights, expected, rtol=1e-12)


def test_a_regime_that_changes_one_mechanism_is_found_to_touch_that_variable_alone():
    rng = np.random.default_rng(1)
    site = np.repeat([0, 1], [200, 100])
    a, c = rng.normal(size=(2, 300))
    b = np.where(site == 1, 3 + 0.3 * rng.normal(size=300), a + rng.normal(size=300))
    x = np.column_stack([a, b, c, b + c + rng.normal(size=300)])
    posterior = ExactPosterior("bge").fit(x, regime=site).posterior_
    targets = posterior.diagnostics["regime_targets"]["regime 1"]
    assert targets["x1"] > 0.99
    assert max(p for name, p in targets.items() if name != "x1") < 0.1
    assert posterior.names == ("x0", "x1", "x2", "x3")
    assert posterior.edge_probabilities()[1, 3] > 0.99


def test_cells_that_are_missing_are_drawn_with_the_graph():
    x = sparse_table(4, 200, 3)
    holes = np.where(np.random.default_rng(0).random(x.shape) < 0.1, np.nan, x)
    fitted = ExactPosterior(random_state=0).fit(holes)
    complete = ExactPosterior("bge").fit(x).posterior_.edge_probabilities()
    assert fitted.posterior_.diagnostics["missing"]["converged"]
    assert abs(fitted.posterior_.edge_probabilities() - complete).max() < 0.25
    assert fitted.imputed_ is not None
    with pytest.raises(InputError, match="likelihood='block'"):
        ExactPosterior("additive").fit(holes)


def test_the_average_over_prior_scales_is_the_sum_of_its_parts():
    x = sparse_table(4, 60, 7)
    mean = ExactPosterior(BGe(alpha_mu="auto")).fit(x)
    parts = [ExactPosterior(score).fit(x) for score in BGe(alpha_mu="auto").each_alpha_mu()]
    evidence = np.array([p.log_evidence_ for p in parts])
    share = np.exp(evidence - np.logaddexp.reduce(evidence))
    expected = sum(w * p.posterior_.edge_probabilities() for w, p in zip(share, parts, strict=True))
    np.testing.assert_allclose(mean.posterior_.edge_probabilities(), expected, atol=1e-12)
    total = np.logaddexp.reduce(evidence) - math.log(len(parts))
    assert mean.log_evidence_ == pytest.approx(total)
    with pytest.raises(InputError, match="alpha_mu='auto'"):
        BGe(alpha_mu="auto").on(torch.from_numpy(x))


def test_a_fixed_noise_variance_that_cannot_be_that_of_the_table_is_said():
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    x = np.column_stack([a, a + rng.normal(size=400), rng.normal(size=400)])
    with pytest.warns(DataWarning, match="edges that do not exist"):
        ExactPosterior("linear").fit(x)  # the model says .1, the noise is 1
    with pytest.warns(DataWarning, match="repeat the prior"):
        ExactPosterior("linear").fit(1e-3 * x)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        ExactPosterior(LinearGaussian(noise_variance=1.0)).fit(x)
        ExactPosterior(LinearGaussian(noise_variance="learned")).fit(x)
