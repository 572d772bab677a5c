"""Distributions of rows with holes against dense normal ones."""

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.generation.bgm.likelihood import ColumnLikelihood

P, RANK = 5, 2


@pytest.fixture
def case():
    g = torch.Generator().manual_seed(0)
    likelihood = ColumnLikelihood("low-rank", torch.zeros(P, dtype=torch.bool), RANK)
    raw = torch.randn(3, 7, likelihood.n_outputs, generator=g, dtype=torch.float64)
    x = torch.randn(7, P, generator=g, dtype=torch.float64)
    observed = torch.rand(7, P, generator=g) < 0.6
    observed[0], observed[1] = False, True
    return likelihood, raw, x, observed


def dense(likelihood, raw):
    head = likelihood.read(raw)
    return head.mean, torch.diag_embed(head.variance) + head.factors @ head.factors.mT


def test_the_low_rank_density_is_the_marginal_of_the_dense_one(case):
    likelihood, raw, x, observed = case
    found = likelihood.log_prob(raw, x, observed)
    mean, covariance = dense(likelihood, raw)
    for s in range(3):
        for i in range(7):
            o = observed[i]
            exact = 0.0
            if o.any():
                exact = stats.multivariate_normal(
                    mean[s, i, o].numpy(), covariance[s, i][o][:, o].numpy()
                ).logpdf(x[i, o].numpy())
            assert float(found[s, i]) == pytest.approx(exact, abs=1e-9)


def test_what_is_not_observed_does_not_count(case):
    likelihood, raw, x, observed = case
    other = torch.where(observed, x, 123.0)
    torch.testing.assert_close(
        likelihood.log_prob(raw, x, observed), likelihood.log_prob(raw, other, observed)
    )


def test_means_of_missing_cells_use_the_seen_ones(case):
    likelihood, raw, x, observed = case
    found = likelihood.mean(raw, x, observed)
    mean, covariance = dense(likelihood, raw)
    for i in range(7):
        o, h = observed[i], ~observed[i]
        gain = covariance[0, i][h][:, o] @ torch.linalg.inv(covariance[0, i][o][:, o])
        exact = mean[0, i, h] + gain @ (x[i, o] - mean[0, i, o])
        torch.testing.assert_close(found[0, i, h], exact)


def test_draws_of_missing_cells_have_the_conditional_covariance(case):
    likelihood, raw, x, observed = case
    i = 4
    observed[i] = torch.tensor([True, False, True, False, False])
    n = 40_000
    many = raw[:1, i : i + 1].expand(n, 1, -1)
    drawn = likelihood.sample(
        many, x[i : i + 1], observed[i : i + 1], torch.Generator().manual_seed(1)
    )
    o, h = observed[i], ~observed[i]
    _, covariance = dense(likelihood, raw)
    c = covariance[0, i]
    exact = c[h][:, h] - c[h][:, o] @ torch.linalg.inv(c[o][:, o]) @ c[o][:, h]
    mean = likelihood.mean(raw[:1], x, observed)[0, i, h]
    u = torch.linalg.solve(torch.linalg.cholesky(exact), (drawn[:, 0, h] - mean).T).numpy()
    for one in u:  # three tests, false alarms 1 in 10,000 each
        assert stats.kstest(one, "norm").pvalue > 1e-4
    assert np.abs(np.corrcoef(u) - np.eye(3)).max() < 4 / np.sqrt(n)


@pytest.mark.parametrize("kind", ["gaussian", "bernoulli"])
def test_binary_columns_count_by_their_probability(kind):
    binary = torch.tensor([True, kind == "bernoulli"])
    likelihood = ColumnLikelihood(kind, binary)
    raw = torch.tensor([[0.7, -0.2, 0.1, 0.3]])[:, : likelihood.n_outputs]
    x, seen = torch.tensor([[1.0, 0.0]]), torch.tensor([[True, False]])
    assert float(likelihood.log_prob(raw, x, seen)) == pytest.approx(np.log(1 / (1 + np.exp(-0.7))))
    assert float(likelihood.mean(raw, x, seen)[0, 0]) == pytest.approx(1 / (1 + np.exp(-0.7)))
    drawn = likelihood.sample(raw.expand(500, -1), x, seen, torch.Generator().manual_seed(0))
    assert set(drawn[:, 0].tolist()) == {0.0, 1.0}


def test_soft_draws_pass_gradients_to_all_outputs():
    for kind, rank in (("gaussian", 0), ("low-rank", 2), ("bernoulli", 0)):
        likelihood = ColumnLikelihood(kind, torch.full((3,), kind == "bernoulli"), rank)
        raw = torch.zeros(4, likelihood.n_outputs, requires_grad=True)
        likelihood.soft(raw, torch.Generator().manual_seed(0)).square().sum().backward()
        assert (raw.grad != 0).all() or kind == "low-rank"
