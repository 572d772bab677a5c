"""Spline columns, ranks and normal scores of single variables, and regressions on their blocks."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from aetia.likelihoods.column_bases import (
    mean_ranks,
    normal_scores,
    rank_cosines,
    spline_columns,
)
from aetia.likelihoods.negentropy import negentropy
from aetia.likelihoods.regression_walk import regression_walk


def drawn(n, seed=0):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_spline_columns_are_orthogonal_and_the_first_is_the_variable():
    x = drawn(200)
    phi = spline_columns(x, 4)
    torch.testing.assert_close(phi.mT @ phi / 200, torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(phi[:, 0], (x - x.mean()) / x.std(correction=0))
    assert phi.sum(0).abs().max() < 1e-10


def test_splines_are_linear_beyond_the_outer_knots():
    x = torch.linspace(-3, 3, 301, dtype=torch.float64)
    phi = spline_columns(x, 5)
    curvature = phi[2:] - 2 * phi[1:-1] + phi[:-2]
    assert curvature[:5].abs().max() < 1e-9
    assert curvature[-5:].abs().max() < 1e-9
    assert curvature[100:200].abs().max() > 1e-5


def test_splines_follow_a_smooth_function():
    x = torch.linspace(-2, 2, 400, dtype=torch.float64)
    y = torch.sin(1.5 * x)
    phi = spline_columns(x, 5)
    rest = y - y.mean() - phi @ (phi.mT @ (y - y.mean())) / len(x)
    assert rest.square().mean() < 1e-3 * y.var()


@pytest.mark.parametrize(("values", "columns"), [((0, 1), 1), ((0, 1, 2), 2), ((7,), 0)])
def test_a_variable_with_few_values_has_few_columns(values, columns):
    x = torch.tensor(values, dtype=torch.float64).repeat(30)
    assert spline_columns(x, 4).shape == (len(x), columns)


def test_equal_values_share_the_mean_of_their_ranks():
    x = torch.tensor([3.0, 1.0, 3.0, 2.0, 3.0]).unsqueeze(1)
    assert mean_ranks(x).flatten().tolist() == [3.0, 0.0, 3.0, 1.0, 3.0]
    y = np.random.default_rng(0).integers(0, 9, (50, 2))
    expected = rankdata(y, axis=0) - 1
    np.testing.assert_array_equal(mean_ranks(torch.from_numpy(y).double()).numpy(), expected)


def test_normal_scores_do_not_see_monotone_functions():
    x = drawn(100).unsqueeze(1)
    torch.testing.assert_close(normal_scores(x.exp()), normal_scores(x))
    torch.testing.assert_close(normal_scores(-x), -normal_scores(x))
    assert normal_scores(torch.ones(5, 1)).abs().max() == 0


def test_rank_cosines_have_the_variances_of_a_brownian_function():
    phi = rank_cosines(drawn(1000), 6)
    expected = [1 / k**2 for k in range(2, 7)]
    np.testing.assert_allclose(phi[:, 1:].square().mean(0), expected, rtol=1e-6)


def test_walk_equals_least_squares_and_skips_collinear_columns():
    a, b = drawn(90, 1).view(30, 3), drawn(60, 2).view(30, 2)
    columns = torch.cat([a, a[:, :1] + a[:, 1:2], b, drawn(60, 3).view(30, 2)], dim=1)
    walk = regression_walk(columns.mT @ columns, [3, 1, 2], 2)
    assert sorted(walk.subsets.tolist()) == [0, 1, 2, 3, 4, 5, 6]
    spans = {0: [], 1: [0, 1, 2], 2: [3], 3: [0, 1, 2], 4: [4, 5], 5: [0, 1, 2, 4, 5], 6: [3, 4, 5]}
    y = columns[:, 6:]
    for at, subset in enumerate(walk.subsets.tolist()):
        phi = columns[:, spans[subset]]
        rest = y - phi @ torch.linalg.lstsq(phi, y).solution if spans[subset] else y
        torch.testing.assert_close(walk.residual[at], rest.square().sum(0))
        torch.testing.assert_close(walk.log_det[at], torch.logdet(phi.mT @ phi))
    assert walk.n_columns[walk.subsets == 3].item() == 4


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda r, n: r.normal(size=n), 0.0),
        (lambda r, n: r.uniform(size=n), 0.5 * math.log(2 * math.pi * math.e / 12)),
        (lambda r, n: r.exponential(size=n), 0.5 * math.log(2 * math.pi * math.e) - 1),
        (lambda r, n: r.laplace(size=n), 0.5 * math.log(math.pi / math.e)),
    ],
)
def test_negentropy_is_the_divergence_from_a_normal(draw, expected):
    """Bias and error of the estimate stay below .05 nats at 4,000 rows."""
    x = torch.from_numpy(draw(np.random.default_rng(0), 4000)).unsqueeze(1)
    assert negentropy(x).item() == pytest.approx(expected, abs=0.05)
    torch.testing.assert_close(negentropy(3 - 7 * x), negentropy(x), atol=1e-9, rtol=0)


def test_rounding_a_column_hardly_changes_its_negentropy():
    x = drawn(2000).unsqueeze(1)
    assert negentropy((4 * x).round()).item() < 0.03
    assert negentropy(torch.ones(10, 1)).item() == 0
