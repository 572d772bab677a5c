"""Sortability on cases worked out by hand, and R2 against least squares."""

import math

import numpy as np
import pytest
import torch

from aetia.graphs import r2_sortability, varsortability
from aetia.graphs.sortability import r2_from_covariance


def dag(d, *edges):
    g = torch.zeros(d, d, dtype=torch.bool)
    for i, j in edges:
        g[i, j] = True
    return g


CHAIN = dag(3, (0, 1), (1, 2))
TRIANGLE = dag(3, (0, 1), (1, 2), (0, 2))
DIAMOND = dag(4, (0, 1), (0, 2), (1, 3), (2, 3))


@pytest.mark.parametrize(
    ("graph", "variances", "expected"),
    [
        (CHAIN, [1, 2, 3], 1.0),
        (CHAIN, [3, 2, 1], 0.0),
        (CHAIN, [2, 2, 2], 0.5),
        (CHAIN, [1, 3, 2], 2 / 3),  # 0-1 up, 1-2 down, 0-2 up
        (CHAIN, [1, 1, 2], 2.5 / 3),  # a tie counts one half
        (TRIANGLE, [1, 3, 2], 3 / 4),  # 0-2 counts twice: at lengths 1 and 2
        (DIAMOND, [1, 2, 0.5, 3], 4 / 5),  # 0-3 counts once though two paths have length 2
        (dag(2, (1, 0)), [1, 2], 0.0),
    ],
)
def test_varsortability_counts_paths_along_which_variance_grows(graph, variances, expected):
    covariance = torch.diag(torch.tensor(variances, dtype=torch.float64))
    assert varsortability(graph, covariance) == pytest.approx(expected)


def test_nothing_to_sort_is_nan():
    empty = torch.zeros(3, 3, dtype=torch.bool)
    assert math.isnan(varsortability(empty, torch.eye(3)))
    assert math.isnan(r2_sortability(empty, torch.eye(3)))


def test_r2_is_that_of_least_squares_on_all_other_columns():
    x = np.random.default_rng(0).normal(size=(60, 4)) @ np.random.default_rng(1).normal(size=(4, 4))
    x -= x.mean(0)
    expected = []
    for j in range(4):
        others = np.delete(x, j, axis=1)
        fit = others @ np.linalg.lstsq(others, x[:, j], rcond=None)[0]
        expected.append(1 - ((x[:, j] - fit) ** 2).sum() / (x[:, j] ** 2).sum())
    r2 = r2_from_covariance(torch.tensor(np.cov(x.T)))
    torch.testing.assert_close(r2, torch.tensor(expected, dtype=torch.float64))


def test_r2_sortability_of_a_random_walk_is_two_thirds_in_any_units():
    walk = torch.tensor([[1.0, 1.0, 1.0], [1.0, 2.0, 2.0], [1.0, 2.0, 3.0]], dtype=torch.float64)
    # Explained shares are 1/2, 3/4, 2/3: 0-1 up, 1-2 down, 0-2 up.
    assert r2_sortability(CHAIN, walk) == pytest.approx(2 / 3)
    units = torch.tensor([100.0, 1.0, 0.01], dtype=torch.float64)
    rescaled = walk * units * units[:, None]
    assert r2_sortability(CHAIN, rescaled) == pytest.approx(2 / 3)
    assert varsortability(CHAIN, walk) == 1.0
    assert varsortability(CHAIN, rescaled) == 0.0
