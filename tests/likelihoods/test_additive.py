"""Additive score tables against least squares, golden numbers, and what must not change them."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.graphs import all_dags
from aetia.likelihoods.additive import Additive, NormalScores, RankBasis
from aetia.likelihoods.basis_scores import AveragedScores, BasisScores, zellner_scores
from aetia.likelihoods.bge import BGe
from aetia.likelihoods.column_bases import normal_scores, rank_cosines, spline_columns

LIKELIHOODS = (Additive(), NormalScores(), RankBasis())


def others(d):
    return torch.tensor([[i for i in range(d) if i != j] for j in range(d)])


def as_data(x, intervened=None):
    x = np.asarray(x, dtype=float)
    return Dataset(
        values=(x - x.mean(0)) / x.std(0),
        names=tuple(f"x{i}" for i in range(x.shape[1])),
        observed=np.ones(x.shape, bool),
        intervened=intervened,
        kinds=("continuous",) * x.shape[1],
    )


@pytest.fixture
def x():
    rng = np.random.default_rng(3)
    a = rng.normal(size=80)
    b = np.sin(2 * a) + 0.5 * rng.normal(size=80)
    c = a + b**2 + rng.normal(size=80)
    return np.column_stack([a, b, c, rng.normal(size=80)])


def least_squares_share(features, response):
    """Residual over total sum of squares, with an intercept."""
    y = response - response.mean()
    if not features.shape[1]:
        return 1.0
    f = features - features.mean(0)
    weights = np.linalg.lstsq(f, y, rcond=None)[0]
    return ((y - f @ weights) ** 2).sum() / (y**2).sum()


def subsets_of(candidates, m):
    return [int(c) for b, c in enumerate(candidates) if m >> b & 1]


def test_spline_evidence_is_that_of_least_squares_for_every_parent_set(x):
    data = as_data(x)
    features = [spline_columns(v, 4) for v in torch.from_numpy(data.values).unbind(1)]
    scores = BasisScores(features, torch.from_numpy(data.values), None, zellner_scores, 5)
    table = scores.tables(others(4), 3)
    n = len(x)
    for j, m in itertools.product(range(4), range(8)):
        parents = subsets_of(others(4)[j], m)
        columns = [features[i].numpy() for i in parents] or [np.zeros((n, 0))]
        phi = np.column_stack(columns)
        share = least_squares_share(phi, data.values[:, j])
        expected = 0.5 * (n - 1 - phi.shape[1]) * math.log1p(n) - 0.5 * (n - 1) * math.log1p(
            n * share
        )
        assert table[j, m].item() == pytest.approx(expected, abs=1e-8)


def test_rank_basis_evidence_is_that_of_a_dense_normal_marginal(x):
    options = RankBasis(variances=(0.2,))
    table = options.local_scores(as_data(x)).tables(others(4), 3)
    n = len(x)
    y = normal_scores(torch.from_numpy(x)).numpy()
    centring = np.eye(n) - 1.0 / n
    basis = np.linalg.svd(centring)[0][:, : n - 1]  # the n - 1 contrasts

    def log_evidence(j, parents):
        """Density of the contrasts with the noise variance integrated out, up to a constant."""
        covariance = np.eye(n)
        for i in parents:
            phi = rank_cosines(torch.from_numpy(x[:, i]), 8).numpy()
            covariance = covariance + 0.2 * phi @ phi.T
        small = basis.T @ covariance @ basis
        z = basis.T @ y[:, j]
        form = z @ np.linalg.solve(small, z)
        return -0.5 * np.linalg.slogdet(small)[1] - 0.5 * (n - 1) * math.log(form)

    for j, m in itertools.product(range(4), range(8)):
        expected = log_evidence(j, subsets_of(others(4)[j], m)) - log_evidence(j, [])
        assert table[j, m].item() == pytest.approx(expected, abs=1e-8)


def test_golden_posterior_of_a_cubic_basis():
    golden = json.loads((Path(__file__).parents[1] / "golden" / "order.json").read_text())
    case = next(c for c in golden["cases"] if c["name"] == "additive_gprior_d4")
    x = np.array(case["x"])
    z = torch.from_numpy((x - x.mean(0)) / x.std(0))
    cubic = [torch.stack([v, v**2 - 1, v**3 - 3 * v], dim=1) for v in z.unbind(1)]
    table = BasisScores(cubic, z, None, zellner_scores, 3).tables(others(4), 3)
    for row in case["local_scores"]:
        j = row["node"]
        m = sum(1 << others(4)[j].tolist().index(i) for i in row["parents"])
        assert table[j, m].item() == pytest.approx(row["score"], abs=1e-9)
    graphs = all_dags(4)
    bits = 1 << torch.arange(3)
    total = sum(table[j, (graphs[:, others(4)[j], j] * bits).sum(1)] for j in range(4))
    assert total.logsumexp(0).item() == pytest.approx(case["uniform"]["log_evidence"], abs=1e-8)
    edges = torch.einsum("s,sij->ij", total.softmax(0), graphs.double())
    torch.testing.assert_close(edges, torch.tensor(case["uniform"]["edge"]).double())


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda l: l.name)
def test_the_empty_set_scores_zero_and_large_sets_are_ruled_out(likelihood, x):
    table = likelihood.local_scores(as_data(x)).tables(others(4), 2)
    assert (table[:, 0] == 0).all()
    assert table[:, 7].isinf().all()
    assert table[:, 1:7].isfinite().all()


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda l: l.name)
def test_neither_units_nor_the_order_of_the_rows_matter(likelihood, x):
    table = likelihood.local_scores(as_data(x)).tables(others(4), 3)
    other_units = x * np.array([1e3, -2.0, 0.01, 1.0]) + np.array([5.0, 0.0, -1.0, 100.0])
    shuffled = np.random.default_rng(0).permutation(other_units)
    again = likelihood.local_scores(as_data(shuffled)).tables(others(4), 3)
    torch.testing.assert_close(again, table, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda l: l.name)
def test_relabelling_the_columns_relabels_the_tables(likelihood, x):
    order = [2, 0, 3, 1]
    table = likelihood.local_scores(as_data(x)).tables(others(4), 3)
    moved = likelihood.local_scores(as_data(x[:, order])).tables(others(4), 3)
    for j, m in itertools.product(range(4), range(8)):
        parents = [order[i] for i in subsets_of(others(4)[j], m)]
        old = others(4)[order[j]].tolist()
        at = sum(1 << old.index(i) for i in parents)
        assert moved[j, m].item() == pytest.approx(table[order[j], at].item(), abs=1e-8)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda l: l.name)
def test_few_candidates_give_the_entries_of_the_full_tables(likelihood, x):
    full = likelihood.local_scores(as_data(x)).tables(others(4), 3)
    few = torch.tensor([[1, 3], [3, 0], [0, 1], [2, 0]])
    table = likelihood.local_scores(as_data(x)).tables(few, 2)
    for j, m in itertools.product(range(4), range(4)):
        at = sum(1 << others(4)[j].tolist().index(i) for i in subsets_of(few[j], m))
        assert table[j, m].item() == pytest.approx(full[j, at].item(), abs=1e-8)


def test_rows_set_by_intervention_leave_the_score_of_that_variable(x):
    intervened = np.zeros(x.shape, bool)
    intervened[60:, 2] = True
    data = as_data(x, intervened)
    features = [spline_columns(v, 4) for v in torch.from_numpy(data.values).unbind(1)]
    z = torch.from_numpy(data.values)
    table = BasisScores(features, z, intervened, zellner_scores, 5).tables(others(4), 3)
    seen = [f[:60] for f in features]
    cut = BasisScores(seen, z[:60], None, zellner_scores, 5).tables(others(4), 3)
    whole = BasisScores(features, z, None, zellner_scores, 5).tables(others(4), 3)
    torch.testing.assert_close(table[2], cut[2], rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(table[[0, 1, 3]], whole[[0, 1, 3]], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda l: l.name)
def test_a_variable_set_in_every_row_says_nothing_about_its_parents(likelihood, x):
    intervened = np.zeros(x.shape, bool)
    intervened[:, 0] = True
    table = likelihood.local_scores(as_data(x, intervened)).tables(others(4), 3)
    assert table[0].abs().max() < 1e-9


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda l: l.name)
def test_a_copy_of_a_parent_costs_evidence_and_breaks_nothing(likelihood, x):
    noise = np.random.default_rng(1).normal(size=len(x))
    twin = np.column_stack([x[:, 0], x[:, 0] + 1e-9 * noise, x[:, 2]])
    table = likelihood.local_scores(as_data(twin)).tables(others(3), 2)
    assert table.isfinite().all()
    assert table[2, 3] < table[2, 1]


def test_a_linear_truth_costs_at_most_log_2_a_variable():
    rng = np.random.default_rng(5)
    a = rng.normal(size=500)
    b = 0.8 * a + rng.normal(size=500)
    data = as_data(np.column_stack([a, b]))
    linear = BGe(alpha_mu=0.1).local_scores(data).tables(others(2), 1)
    mixed = Additive().local_scores(data).tables(others(2), 1)
    assert (mixed[:, 1] - linear[:, 1]).abs().max() <= math.log(2) + 1e-12
    assert (mixed[:, 1] < linear[:, 1]).all()  # the linear model is the better half


def test_a_smooth_effect_is_directed(x):
    table = Additive().local_scores(as_data(x)).tables(others(4), 1)
    forward, backward = table[1, 1], table[0, 1]
    assert forward > backward + 5  # x1 = sin(2 x0) + noise


def test_a_model_without_a_score_counts_as_no_evidence(x):
    data = as_data(x)
    linear = BGe().local_scores(data)
    z = torch.from_numpy(data.values)
    spline = BasisScores([z[:, [i]] for i in range(4)], z, None, zellner_scores, 1)
    table = AveragedScores([linear, spline], linear.empty).tables(others(4), 3)
    expected = linear.tables(others(4), 3)[:, 7] - math.log(2)
    torch.testing.assert_close(table[:, 7], expected)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda l: l.name)
def test_counts_and_codes_with_many_equal_values_are_scored(likelihood):
    rng = np.random.default_rng(2)
    a = rng.integers(0, 2, 60)
    b = rng.poisson(1 + 2 * a)
    data = as_data(np.column_stack([a, b, rng.poisson(0.2, 60)]))
    data = replace(data, kinds=("binary", "count", "count"))
    table = likelihood.local_scores(data).tables(others(3), 2)
    assert table.isfinite().all()
    assert table[1, 1] > 2  # the code explains the count


@pytest.mark.parametrize("n", [4, 6, 12])
def test_tables_with_fewer_rows_than_columns_rule_out_what_cannot_be_fitted(n):
    x = np.random.default_rng(0).normal(size=(n, 4))
    table = Additive().local_scores(as_data(x)).tables(others(4), 3)
    assert table.isfinite().all()  # the linear part scores every set
    assert (table[:, 0] == 0).all()


def test_categories_are_refused_with_the_likelihood_that_takes_them(x):
    data = replace(as_data(x), kinds=("categorical",) + ("continuous",) * 3)
    with pytest.raises(InputError, match=r"x0.*categorical.*likelihood='block'"):
        Additive().local_scores(data)


def test_options_outside_their_range_are_refused():
    with pytest.raises(InputError, match="n_columns must be a whole number"):
        Additive(n_columns=0)
    with pytest.raises(InputError, match="max_parents must be a whole number"):
        NormalScores(max_parents=0)
    with pytest.raises(InputError, match="variances must be numbers larger than 0"):
        RankBasis(variances=(0.1, -1.0))
