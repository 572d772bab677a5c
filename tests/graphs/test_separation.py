"""d-separation against partial correlations of a generic linear model."""

import itertools

import numpy as np
import torch

from aetia.graphs import all_dags, d_separated


def test_separated_means_a_zero_partial_correlation():
    rng = np.random.default_rng(3)
    for graph in all_dags(4)[::6]:
        weights = graph.numpy() * rng.uniform(0.5, 1.5, (4, 4))
        total = np.linalg.inv(np.eye(4) - weights)
        covariance = total.T @ total
        for a, b in itertools.combinations(range(4), 2):
            rest = [v for v in range(4) if v not in (a, b)]
            for given in [(), rest[:1], rest[1:], rest]:
                index = [a, b, *given]
                precision = np.linalg.inv(covariance[np.ix_(index, index)])
                zero = bool(abs(precision[0, 1]) < 1e-9)
                assert d_separated(graph, [a], [b], given) == zero
                assert d_separated(graph, [b], [a], given) == zero


def test_sets_are_separated_when_all_their_pairs_are():
    g = torch.zeros(5, 5, dtype=torch.bool)
    g[0, 2] = g[1, 2] = g[2, 3] = g[2, 4] = True  # 0, 1 -> 2 -> 3, 4
    assert d_separated(g, [0, 1], [3, 4], [2])
    assert not d_separated(g, [0, 1], [3, 4])
    assert d_separated(g, [0], [1])
    assert not d_separated(g, [0], [1], [3])  # a collider's descendant opens the path
    assert d_separated(g, [3], [4], [2])
