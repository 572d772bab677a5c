"""The Plackett-Luce law of orders against enumeration."""

import itertools

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.nets import log_prob_of_orders, precedence_probabilities, sample_orders

DOUBLE = torch.float64


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def every_order(d):
    return torch.tensor(list(itertools.permutations(range(d))))


score_vectors = st.lists(st.floats(-5, 5), min_size=1, max_size=4).map(
    lambda s: torch.tensor(s, dtype=DOUBLE)
)


def one_by_one(scores, order):
    """Draw the first, then the next from those that are left."""
    weights, p = scores.exp().tolist(), 1.0
    left = sum(weights)
    for item in order:
        p *= weights[item] / left
        left -= weights[item]
    return p


@given(score_vectors)
def test_probabilities_are_those_of_drawing_one_by_one_and_sum_to_one(scores):
    orders = every_order(len(scores))
    p = log_prob_of_orders(scores, orders).exp()
    assert float(p.sum()) == pytest.approx(1.0, abs=1e-12)
    expected = [one_by_one(scores, o) for o in orders.tolist()]
    assert p.tolist() == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(score_vectors, st.floats(-100, 100))
def test_only_differences_of_scores_matter(scores, shift):
    orders = every_order(len(scores))
    got = log_prob_of_orders(scores + shift, orders)
    torch.testing.assert_close(got, log_prob_of_orders(scores, orders), rtol=1e-9, atol=1e-9)


@given(score_vectors)
def test_precedence_is_that_of_enumeration(scores):
    d = len(scores)
    orders = every_order(d)
    p = log_prob_of_orders(scores, orders).exp()
    rank = orders.argsort(-1)
    before = (rank[:, :, None] < rank[:, None, :]).to(DOUBLE)
    expected = (p[:, None, None] * before).sum(0)
    torch.testing.assert_close(precedence_probabilities(scores), expected, rtol=0, atol=1e-9)


def test_the_score_function_has_mean_zero():
    scores = torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=DOUBLE, requires_grad=True)
    log_p = log_prob_of_orders(scores, every_order(4))
    (slope,) = torch.autograd.grad((log_p.detach().exp() * log_p).sum(), scores)
    assert slope.abs().max() < 1e-14
    assert torch.autograd.gradcheck(lambda s: log_prob_of_orders(s, every_order(4)), scores)


@pytest.mark.parametrize("scores", [[0.0, 0.0, 0.0], [1.0, 0.0, -0.5], [2.0, -1.0, 0.5, 0.0]])
def test_draws_have_the_frequencies_of_the_law(scores):
    """Chi-square over all orders: one false alarm in 10 000 seeds for each case."""
    scores, n = torch.tensor(scores), 20_000
    d = len(scores)
    codes = (sample_orders(scores, n, gen()) * 10 ** torch.arange(d)).sum(-1)
    orders = every_order(d)
    counts = [(codes == c).sum().item() for c in (orders * 10 ** torch.arange(d)).sum(-1)]
    assert sum(counts) == n
    p = log_prob_of_orders(scores.double(), orders).exp().numpy()
    assert scipy.stats.chisquare(counts, n * p).pvalue > 1e-4


def test_batches_are_drawn_and_scored_entry_by_entry():
    scores = torch.randn(2, 3, 5, generator=gen())
    orders = sample_orders(scores, 7, gen(1))
    assert orders.shape == (7, 2, 3, 5)
    assert torch.equal(orders.sort(-1).values, torch.arange(5).expand(7, 2, 3, 5))
    log_p = log_prob_of_orders(scores, orders)
    for k, i, j in itertools.product(range(7), range(2), range(3)):
        alone = log_prob_of_orders(scores[i, j], orders[k, i, j][None])[0]
        torch.testing.assert_close(log_p[k, i, j], alone)
    precedence = precedence_probabilities(scores)
    torch.testing.assert_close(precedence[1, 2], precedence_probabilities(scores[1, 2]))


def test_extreme_scores_are_certain_and_finite():
    scores = torch.tensor([1e4, 0.0, -1e4])
    orders = sample_orders(scores, 100, gen())
    assert torch.equal(orders, torch.tensor([0, 1, 2]).expand(100, 3))
    log_p = log_prob_of_orders(scores, every_order(3))
    assert log_p.isfinite().all()
    assert float(log_p[0]) == pytest.approx(0.0, abs=1e-3)
    p = precedence_probabilities(scores)
    assert torch.equal(p, torch.ones(3, 3).triu(1))


def test_precedence_of_a_pair_and_its_reverse_sum_to_one():
    p = precedence_probabilities(torch.randn(4, 6, generator=gen()))
    off = 1 - torch.eye(6)
    torch.testing.assert_close(p + p.mT, off.expand(4, 6, 6))


def test_the_generator_decides():
    scores = torch.zeros(6)
    assert torch.equal(sample_orders(scores, 9, gen(1)), sample_orders(scores, 9, gen(1)))
    assert not torch.equal(sample_orders(scores, 9, gen(1)), sample_orders(scores, 9, gen(2)))


def test_draws_need_no_gradient():
    assert sample_orders(torch.zeros(3, requires_grad=True), 2, gen()).dtype == torch.int64
