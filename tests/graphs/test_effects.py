"""Total effects against path sums, and their moments against exact averages."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.errors import InputError
from aetia.graphs import total_effect_moments, total_effects


def random_weights(d, seed):
    rng = np.random.default_rng(seed)
    p = rng.permutation(d)
    upper = np.triu(rng.normal(size=(d, d)) * (rng.random((d, d)) < 0.6), 1)
    return torch.tensor(upper[p][:, p])


weights = st.builds(random_weights, d=st.integers(1, 6), seed=st.integers(0, 2**31))


@given(weights)
def test_a_total_effect_is_the_sum_over_paths_of_the_products_of_weights(w):
    def along_paths(i, j):
        if i == j:
            return 1.0
        return sum(w[i, k].item() * along_paths(k, j) for k in w[i].nonzero().flatten().tolist())

    d = len(w)
    expected = [[along_paths(i, j) for j in range(d)] for i in range(d)]
    torch.testing.assert_close(total_effects(w), torch.tensor(expected, dtype=w.dtype))


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_a_cycle_is_named_whatever_the_batch_shape(batch):
    w = torch.zeros(*batch, 3, 3)
    w[..., 0, 1] = w[..., 1, 0] = 0.5
    with pytest.raises(InputError, match=r"rain.*wind") as error:
        total_effects(w, names=["rain", "wind", "sun"])
    assert "sun" not in str(error.value)


def test_moments_on_a_chain_are_those_of_a_product_of_independent_weights():
    g = torch.tensor([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=torch.bool)[None]
    mean, covariance = torch.zeros(1, 3, 3).double(), torch.zeros(1, 3, 3, 3).double()
    (m1, v1), (m2, v2) = (2.0, 0.3), (-1.5, 0.2)
    mean[0, 0, 1], covariance[0, 1, 0, 0] = m1, v1
    mean[0, 1, 2], covariance[0, 2, 1, 1] = m2, v2
    centre, variance = total_effect_moments(g, mean, covariance, source=0)
    product = (m1**2 + v1) * (m2**2 + v2) - (m1 * m2) ** 2
    torch.testing.assert_close(centre, torch.tensor([[1.0, m1, m1 * m2]]).double())
    torch.testing.assert_close(variance, torch.tensor([[0.0, v1, product]]).double())


@pytest.mark.parametrize("source", range(4))
def test_moments_are_exact_averages_over_two_point_weights(source):
    """Only two moments of the weights matter: take signs +-1 and average all 2^6 cases."""
    d = 4
    rng = np.random.default_rng(source)
    p = rng.permutation(d)
    g = np.triu(np.ones((d, d), dtype=bool), 1)[p][:, p]
    mean = rng.normal(size=(d, d)) * g
    root = [rng.normal(size=(d, d)) * np.outer(g[:, j], g[:, j]) for j in range(d)]
    covariance = np.stack([a @ a.T for a in root])
    edges = np.argwhere(g)
    draws = []
    for signs in itertools.product([-1.0, 1.0], repeat=len(edges)):
        sign = np.zeros((d, d))
        sign[tuple(edges.T)] = signs
        w = mean + np.stack([root[j] @ sign[:, j] for j in range(d)], axis=1)
        w[:, source] = 0.0  # do(source) cuts what points into it
        draws.append(np.linalg.inv(np.eye(d) - w)[source])
    centre, variance = total_effect_moments(
        torch.tensor(g)[None], torch.tensor(mean)[None], torch.tensor(covariance)[None], source
    )
    torch.testing.assert_close(centre[0], torch.tensor(np.mean(draws, 0)))
    torch.testing.assert_close(variance[0], torch.tensor(np.var(draws, 0)))


def test_each_draw_of_a_batch_has_its_own_moments():
    generator = torch.Generator().manual_seed(0)
    upper = torch.ones(3, 3, dtype=torch.bool).triu(1)
    g = torch.stack([upper, upper.mT])
    mean = torch.randn(2, 3, 3, generator=generator).double() * g
    covariance = torch.diag_embed(torch.rand(2, 3, 3, generator=generator).double() * g.mT)
    together = total_effect_moments(g, mean, covariance, 1)
    for k in range(2):
        alone = total_effect_moments(g[k : k + 1], mean[k : k + 1], covariance[k : k + 1], 1)
        for a, b in zip(together, alone, strict=True):
            torch.testing.assert_close(a[k], b[0])
