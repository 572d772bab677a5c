"""The spectral radius by power iteration, against eigenvalues."""

import pytest
import torch
import torch.nn.functional as F

from aetia.graphs import perron_radius

DOUBLE = torch.float64


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def positive(n, d, seed=0):
    """Every edge has some probability."""
    w = 0.01 + 0.98 * torch.rand(n, d, d, generator=gen(seed), dtype=DOUBLE)
    return w * (1 - torch.eye(d, dtype=DOUBLE))


def by_eigenvalues(w):
    return torch.linalg.eigvals(w).abs().amax(-1)


@pytest.mark.parametrize("d", [2, 3, 4, 5, 10, 20, 40])
def test_is_the_largest_eigenvalue_when_the_iteration_has_converged(d):
    """With two variables the other eigenvalue is as large, with the opposite sign."""
    w = positive(200, d)
    got = perron_radius(w, n_iterations=300)
    torch.testing.assert_close(got, by_eigenvalues(w), rtol=1e-6, atol=0)


@pytest.mark.parametrize("d", [5, 10, 20, 40])
def test_ten_iterations_are_enough_for_dense_matrices(d):
    w = positive(200, d)
    torch.testing.assert_close(perron_radius(w), by_eigenvalues(w), rtol=1e-3, atol=0)


def test_two_variables_that_point_at_each_other():
    """The eigenvalues of [[0, a], [b, 0]] are the two roots of a b; one sure direction is a DAG."""
    for a, b in ((0.9, 0.9), (0.9, 0.1), (1.0, 1e-6), (0.5, 0.0)):
        w = torch.tensor([[0.0, a], [b, 0.0]], dtype=DOUBLE)
        assert float(perron_radius(w)) == pytest.approx((a * b) ** 0.5, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 10, 20, 22, 30, 50])
@pytest.mark.parametrize("kind", ["chain", "complete", "sparse", "soft", "empty"])
def test_is_zero_on_acyclic_graphs(d, kind):
    w = {
        "chain": torch.diag(torch.ones(max(d - 1, 0)), 1),
        "complete": torch.ones(d, d).triu(1),
        "sparse": (torch.rand(d, d, generator=gen()) < 4 / d).float().triu(1),
        "soft": torch.rand(d, d, generator=gen()).triu(1),
        "empty": torch.zeros(d, d),
    }[kind].to(DOUBLE)
    p = torch.randperm(d, generator=gen(1))
    w = w[p][:, p].requires_grad_()
    radius = perron_radius(w)
    assert float(radius.detach()) == pytest.approx(0.0, abs=1e-9)
    radius.backward()
    assert w.grad.isfinite().all()


def test_never_negative_nor_huge():
    """From signed starts, half of these came out near -1e12."""
    w = positive(1000, 20, seed=3).float()
    radius = perron_radius(w)
    assert (radius > 0).all()
    assert (radius < 20).all()


@pytest.mark.parametrize("d", [3, 5, 8])
def test_the_gradient_is_that_of_the_eigenvalue(d):
    """Against central differences of the eigenvalue."""
    w = positive(1, d)[0]
    leaf = w.clone().requires_grad_()
    perron_radius(leaf, n_iterations=100).backward()
    for i in range(d):
        for j in range(d):
            if i != j:
                step = torch.zeros_like(w)
                step[i, j] = 1e-6
                slope = float(by_eigenvalues(w + step) - by_eigenvalues(w - step)) / 2e-6
                assert float(leaf.grad[i, j]) == pytest.approx(slope, abs=1e-6)


def test_no_gradient_is_negative():
    """More of any edge is never less cyclic."""
    w = positive(100, 6).requires_grad_()
    perron_radius(w).sum().backward()
    assert (w.grad >= 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("d", [2, 5, 20])
@pytest.mark.parametrize("sure", ["all", "none", "acyclic", "random"])
def test_sure_logits_give_finite_values_and_gradients(d, sure, dtype):
    on = {
        "all": torch.ones(d, d),
        "none": torch.zeros(d, d),
        "acyclic": torch.ones(d, d).triu(1),
        "random": (torch.rand(d, d, generator=gen()) < 0.5).float(),
    }[sure]
    logits = (80 * on - 40).to(dtype).requires_grad_()
    off = 1 - torch.eye(d, dtype=dtype)
    radius = perron_radius(F.logsigmoid(logits).exp() * off)
    radius.backward()
    assert 0 <= float(radius.detach()) <= d - 1 + 1e-3
    assert logits.grad.isfinite().all()


def test_labels_and_batches_do_not_matter():
    w = positive(6, 5).view(2, 3, 5, 5)
    p = torch.randperm(5, generator=gen(1))
    whole = perron_radius(w)
    assert whole.shape == (2, 3)
    torch.testing.assert_close(perron_radius(w[..., p, :][..., p]), whole)
    torch.testing.assert_close(perron_radius(w[1, 2]), whole[1, 2])
    torch.testing.assert_close(perron_radius(w.mT), whole, rtol=1e-6, atol=0)


def test_a_scaled_matrix_has_a_scaled_radius():
    w = positive(10, 5)
    torch.testing.assert_close(perron_radius(1e-6 * w), 1e-6 * perron_radius(w), rtol=1e-6, atol=0)
