"""Samplers of graph laws against enumeration, and against exact sums beyond it."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.graphs import ErdosRenyi, ScaleFree, UniformDAGs, all_dags

pytestmark = pytest.mark.statistical


@pytest.fixture(autouse=True)
def one_thread():
    """Thousands of tiny operations: threads only wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("law", "log_weight"),
    [
        (UniformDAGs(), lambda indegree: 0.0),
        (ErdosRenyi(edges_per_node=0.6), lambda indegree: sum(indegree) * math.log(0.4 / 0.6)),
        (ScaleFree(), lambda indegree: -3 * sum(math.log(1 + k) for k in indegree)),
        (ScaleFree(exponent=1.0), lambda indegree: -sum(math.log(1 + k) for k in indegree)),
    ],
    ids=["uniform", "erdos-renyi", "scale-free", "scale-free-1"],
)
def test_draws_on_four_variables_follow_the_enumerated_law(law, log_weight):
    """Chi-square over 543 graphs (rare ones pooled), refused at p < 1e-4: that is the rate."""
    n, dags = 8_000, all_dags(4)
    code = 2 ** torch.arange(16)
    weight = np.exp([log_weight(g.sum(0).tolist()) for g in dags])
    expected = n * weight / weight.sum()
    draws = law.sample(n, 4, torch.Generator().manual_seed(11))
    order = {c: k for k, c in enumerate((dags.reshape(543, 16) * code).sum(-1).tolist())}
    found = np.zeros(543)
    np.add.at(found, [order[c] for c in (draws.reshape(n, 16) * code).sum(-1).tolist()], 1)
    rare = expected < 5
    if rare.any():
        found = np.append(found[~rare], found[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    assert stats.chisquare(found, expected).pvalue > 1e-4


def mean_edges(d, weight):
    """Exact mean number of edges when a DAG's weight is a product over indegrees.

    Inclusion-exclusion over the k sinks, each with parents among the other m - k variables:
    Z(m) = sum_k (-1)^(k+1) C(m, k) F(m - k)^k Z(m - k), F(m) = sum_l C(m, l) weight(l).
    """

    def log_z(tilt):
        f = [sum(math.comb(m, l) * weight(l) * tilt**l for l in range(m + 1)) for m in range(d)]
        z = [1.0]
        for m in range(1, d + 1):
            z.append(
                sum((-1) ** (k + 1) * math.comb(m, k) * f[m - k] ** k * z[m - k]
                    for k in range(1, m + 1))
            )  # fmt: skip
        return math.log(z[d])

    return (log_z(1 + 1e-4) - log_z(1 - 1e-4)) / 2e-4


def test_the_exact_sum_agrees_with_enumeration():
    """No randomness: it is the yardstick of the next test."""
    assert mean_edges(4, lambda l: 1.0) == pytest.approx(float(all_dags(4).sum()) / 543, rel=1e-6)


@pytest.mark.parametrize(
    ("law", "d", "n", "weight"),
    [
        (UniformDAGs(), 9, 1500, lambda l: 1.0),
        (ErdosRenyi(), 10, 1500, lambda l: (4 / 5) ** l),  # q = 4/9
        (ErdosRenyi(edges_per_node=0.9), 10, 1500, lambda l: 0.25**l),
        (ScaleFree(), 7, 800, lambda l: (1 + l) ** -3.0),
        (ScaleFree(exponent=1.0), 8, 800, lambda l: 1 / (1 + l)),
    ],
)
def test_the_mean_number_of_edges_is_exact_beyond_enumeration(law, d, n, weight):
    """One z-score at 4.5 sigma each, 7e-6 false alarms; ScaleFree is a chain, biased below it."""
    draws = law.sample(n, d, torch.Generator().manual_seed(3))
    edges = draws.sum((-1, -2)).double()
    z = (edges.mean() - mean_edges(d, weight)) / (edges.std() / n**0.5)
    assert abs(float(z)) < 4.5, f"off by {float(z):.1f} standard errors"
