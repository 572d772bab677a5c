"""Sinkhorn normalisation and Gumbel-Sinkhorn permutations against brute force and differences."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.nets import gumbel_sinkhorn, log_sinkhorn
from aetia.nets.sinkhorn import standard_gumbel

DOUBLE = torch.float64


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def scores(*shape, seed=0, dtype=DOUBLE):
    return torch.randn(*shape, generator=gen(seed), dtype=DOUBLE).to(dtype)


matrices = st.builds(
    lambda d, seed, scale: scale * scores(d, d, seed=seed),
    st.integers(1, 6),
    st.integers(0, 1000),
    st.floats(0.1, 3),
)


@given(matrices)
def test_rows_and_columns_sum_to_one(x):
    p = log_sinkhorn(x, n_iterations=5000).exp()
    torch.testing.assert_close(p.sum(-1), torch.ones(len(x), dtype=DOUBLE), rtol=0, atol=1e-5)
    torch.testing.assert_close(p.sum(-2), torch.ones(len(x), dtype=DOUBLE), rtol=0, atol=1e-12)


@given(matrices)
def test_equals_plain_normalisation_of_the_matrix(x):
    p = x.exp().numpy()
    for _ in range(7):
        p = p / p.sum(1, keepdims=True)
        p = p / p.sum(0, keepdims=True)
    got = log_sinkhorn(x, n_iterations=7, tolerance=0.0).exp()
    np.testing.assert_allclose(got.numpy(), p, rtol=1e-10)


@given(matrices, st.integers(0, 1000))
def test_potentials_change_nothing_and_labels_permute(x, seed):
    """What is added to a whole row or column is normalised away."""
    d = len(x)
    expected = log_sinkhorn(x, n_iterations=5000, tolerance=1e-12).exp()
    moved = x + scores(d, 1, seed=seed) + scores(1, d, seed=seed + 1)
    torch.testing.assert_close(
        log_sinkhorn(moved, n_iterations=5000, tolerance=1e-12).exp(), expected, rtol=0, atol=1e-6
    )
    r, c = torch.randperm(d, generator=gen(seed)), torch.randperm(d, generator=gen(seed + 1))
    permuted = log_sinkhorn(x[r][:, c], n_iterations=5000, tolerance=1e-12).exp()
    torch.testing.assert_close(permuted, expected[r][:, c], rtol=0, atol=1e-6)


def test_a_batch_is_its_parts():
    x = scores(2, 3, 4, 4)
    whole = log_sinkhorn(x, n_iterations=1000)
    for i, j in itertools.product(range(2), range(3)):
        alone = log_sinkhorn(x[i, j], n_iterations=1000)
        torch.testing.assert_close(whole[i, j], alone, rtol=0, atol=1e-5)


def best_permutation(x):
    """By trying all."""
    d = len(x)
    chosen = max(itertools.permutations(range(d)), key=lambda p: sum(x[i, p[i]] for i in range(d)))
    return torch.eye(d, dtype=x.dtype)[list(chosen)]


@pytest.mark.parametrize("seed", range(2))
def test_limits_of_the_temperature(seed):
    x = scores(4, 4, seed=seed)
    cold = log_sinkhorn(x / 0.01, n_iterations=10_000, tolerance=1e-9).exp()
    torch.testing.assert_close(cold, best_permutation(x), rtol=0, atol=1e-3)
    hot = log_sinkhorn(x / 1e6, n_iterations=100).exp()
    torch.testing.assert_close(hot, torch.full((4, 4), 0.25, dtype=DOUBLE), rtol=0, atol=1e-5)


def test_a_permutation_and_a_constant_are_fixed_points():
    assert torch.allclose(
        log_sinkhorn(torch.zeros(3, 3), n_iterations=5).exp(), torch.tensor(1 / 3)
    )
    hard = torch.eye(3, dtype=DOUBLE)[[2, 0, 1]].clamp_min(1e-300).log()
    torch.testing.assert_close(log_sinkhorn(hard, n_iterations=5).exp(), hard.exp())


def test_extreme_scores_stay_finite():
    x = 1e4 * scores(5, 5, dtype=torch.float32)
    p = log_sinkhorn(x, n_iterations=50)
    assert p.isfinite().all()
    torch.testing.assert_close(p.exp().sum(-2), torch.ones(5))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_low_precision_is_normalised_in_float32(dtype):
    p = log_sinkhorn(scores(4, 4, dtype=dtype), n_iterations=1000)
    assert p.dtype == torch.float32
    torch.testing.assert_close(p.exp().sum(-1), torch.ones(4), rtol=0, atol=1e-5)


def test_the_gradient_is_that_of_finite_differences():
    x = scores(3, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: log_sinkhorn(x, n_iterations=20, tolerance=0.0), x)


# -- permutations -----------------------------------------------------------------------------


@pytest.mark.parametrize("needs_gradient", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 4, 4), (2, 3, 5, 5)])
def test_draws_are_hard_permutations(shape, needs_gradient):
    x = scores(*shape, dtype=torch.float32).requires_grad_(needs_gradient)
    p = gumbel_sinkhorn(x, generator=gen()).detach()
    assert p.shape == x.shape
    torch.testing.assert_close(p, p.round(), rtol=0, atol=1e-6)
    assert (p.round() >= 0).all()
    assert (p.round().sum(-1) == 1).all()
    assert (p.round().sum(-2) == 1).all()


@pytest.mark.parametrize("d", [2, 3, 4])
def test_draws_maximise_the_noisy_scores(d):
    """With the gradient or without: the same noise, the same permutation."""
    x = scores(20, d, d)
    noisy = x + standard_gumbel(x.shape, gen(3)).to(x)
    expected = torch.stack([best_permutation(m) for m in noisy])
    assert torch.equal(gumbel_sinkhorn(x, generator=gen(3)), expected)
    with_gradient = gumbel_sinkhorn(x.clone().requires_grad_(), generator=gen(3))
    torch.testing.assert_close(with_gradient.detach(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_gradient_of_draws_is_that_of_the_relaxation(temperature):
    """Against finite differences of an objective linear in the relaxed permutation."""
    x, cost = scores(3, 3), scores(3, 3, seed=9)
    noise = standard_gumbel(x.shape, gen(4)).to(x)

    def relaxed(x):
        p = ((x + noise) / temperature).exp().numpy()
        for _ in range(2000):
            p = p / p.sum(1, keepdims=True)
            p = p / p.sum(0, keepdims=True)
        return float((cost.numpy() * p).sum())

    leaf = x.clone().requires_grad_()
    draws = gumbel_sinkhorn(
        leaf, generator=gen(4), temperature=temperature, n_iterations=2000, tolerance=1e-12
    )
    (cost * draws).sum().backward()
    for i, j in itertools.product(range(3), range(3)):
        step = torch.zeros_like(x)
        step[i, j] = 1e-5
        slope = (relaxed(x + step) - relaxed(x - step)) / 2e-5
        assert float(leaf.grad[i, j]) == pytest.approx(slope, abs=1e-6)


def test_certain_scores_give_certain_permutations():
    hard = torch.eye(5)[[3, 1, 4, 0, 2]]
    draws = gumbel_sinkhorn(1000 * hard.expand(50, 5, 5), generator=gen())
    assert torch.equal(draws, hard.expand(50, 5, 5))


def test_the_generator_decides():
    x = scores(8, 5, 5)
    assert torch.equal(gumbel_sinkhorn(x, generator=gen(1)), gumbel_sinkhorn(x, generator=gen(1)))
    assert not torch.equal(
        gumbel_sinkhorn(x, generator=gen(1)), gumbel_sinkhorn(x, generator=gen(2))
    )


def test_scores_of_low_precision_get_noise_of_full_precision():
    """bfloat16 noise has two digits: ties among draws, and a permutation that they decide."""
    x = scores(200, 4, 4, dtype=torch.bfloat16)
    low = gumbel_sinkhorn(x, generator=gen(1))
    full = gumbel_sinkhorn(x.float(), generator=gen(1))
    assert torch.equal(low.float(), full)


def test_noise_is_standard_gumbel():
    """Kolmogorov-Smirnov: one false alarm in 10 000 seeds."""
    noise = standard_gumbel(torch.Size((20_000,)), gen())
    assert noise.isfinite().all()
    assert scipy.stats.kstest(noise.numpy(), "gumbel_r").pvalue > 1e-4


def test_two_items_are_swapped_as_often_as_the_law_says():
    """Two Gumbel pairs differ by two logistic draws. False alarm at 4 sigma: one in 16 000."""
    gap, n = 1.0, 20_000
    x = torch.tensor([[gap, 0.0], [0.0, 0.0]]).expand(n, 2, 2)
    kept = float(gumbel_sinkhorn(x, generator=gen())[:, 0, 0].mean())
    grid = np.linspace(-40, 40, 80_001)
    density = scipy.stats.logistic.pdf(grid)
    expected = np.trapezoid(density * scipy.stats.logistic.cdf(gap - grid), grid)
    assert abs(kept - expected) < 4 * math.sqrt(expected * (1 - expected) / n)
