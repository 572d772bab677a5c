"""Perceptrons with draws of weights, variational ones, and heads, against loops and torch."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from aetia.nets import (
    Dense,
    Discriminator,
    Perceptron,
    VariationalPerceptron,
    flatten_layers,
    gradient_penalty,
    normal_log_prob,
    perceptron,
    scalar_head,
    seeded,
    unflatten_layers,
)

SIZES = (3, 5, 4, 2)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def made(cls, *args, seed=0, **kwargs):
    with seeded(gen(seed)):
        return cls(*args, **kwargs)


def by_torch(layers, x):
    for k, (w, b) in enumerate(layers):
        x = nn.functional.linear(x, w.T, b)
        if k < len(layers) - 1:
            x = nn.functional.leaky_relu(x, 0.2)
    return x


def test_members_are_networks_of_their_own():
    net = made(Perceptron, SIZES, n_members=6)
    x = torch.randn(7, 3, generator=gen())
    own = torch.randn(6, 7, 3, generator=gen(1))
    shared, separate = net(x), net(own)
    assert shared.shape == separate.shape == (6, 7, 2)
    for m in range(6):
        layers = [Dense(w[m], b[m]) for w, b in net.layers]
        torch.testing.assert_close(shared[m], by_torch(layers, x))
        torch.testing.assert_close(separate[m], by_torch(layers, own[m]))
    assert not torch.equal(shared[0], shared[1])


def test_one_network_has_no_leading_dimension():
    net = made(Perceptron, SIZES)
    x = torch.randn(7, 3, generator=gen())
    torch.testing.assert_close(net(x), by_torch(net.layers, x))


def test_weights_start_within_glorots_bounds_and_biases_at_zero():
    net = made(Perceptron, (300, 500))
    bound = math.sqrt(6 / 800)
    w, b = net.layers[0]
    assert 0.99 * bound < w.abs().max() <= bound
    assert abs(float(w.std()) / (bound / 3**0.5) - 1) < 0.01
    assert not b.any()


@pytest.mark.parametrize("members", [None, 4])
def test_flat_weights_come_back(members):
    net = made(Perceptron, SIZES, n_members=members)
    flat = flatten_layers(net.layers)
    assert flat.shape[-1] == 3 * 5 + 5 + 5 * 4 + 4 + 4 * 2 + 2
    x = torch.randn(7, 3, generator=gen())
    torch.testing.assert_close(perceptron(unflatten_layers(flat, SIZES), x), net(x))


def test_the_divergence_is_that_of_torch():
    net = made(VariationalPerceptron, SIZES, prior_std=0.7, initial_std=0.2)
    expected = sum(
        kl_divergence(Normal(m, nn.functional.softplus(r)), Normal(torch.zeros_like(m), 0.7)).sum()
        for m, r in zip(net.means, net.raw_stds, strict=True)
    )
    torch.testing.assert_close(net.kl(), expected)


def test_the_fan_in_prior_narrows_with_the_width():
    net = made(VariationalPerceptron, (4, 100, 1))
    assert net.prior_stds == [0.5, 0.1]


@pytest.mark.parametrize("sizes", [(3, 1), (3, 4, 1)])
def test_local_noise_has_the_law_of_drawn_weights(sizes):
    """Means and variances of one output over 20,000 draws, z-tests at 4.5."""
    net = made(VariationalPerceptron, sizes, initial_std=0.4)
    x, n = torch.tensor([[1.0, -2.0, 0.5]]), 20_000
    local = net(x.expand(n, 3), gen(1))[:, 0]
    drawn = perceptron(net.draw(n, gen(2)), x)[:, 0, 0]
    spread = math.sqrt(float(local.var() + drawn.var()) / n)
    assert abs(float(local.mean() - drawn.mean())) < 4.5 * spread
    ratio = float(local.var() / drawn.var())
    assert abs(math.log(ratio)) < 4.5 * math.sqrt(8 / n)


def test_a_draw_is_one_function_for_all_rows():
    net = made(VariationalPerceptron, SIZES, initial_std=0.5)
    x = torch.randn(1, 3, generator=gen()).expand(4, 3)
    out = perceptron(net.draw(3, gen(1)), x)
    assert (out == out[:, :1]).all()
    assert not torch.equal(out[0], out[1])
    local = net(x, gen(1))
    assert not torch.equal(local[0], local[1])


def test_variational_members_are_networks_of_their_own():
    """With hardly any noise a member is the plain network of its means."""
    net = made(VariationalPerceptron, SIZES, initial_std=1e-6, n_members=3)
    one = made(VariationalPerceptron, SIZES, initial_std=1e-6)
    x = torch.randn(7, 3, generator=gen())
    expected = torch.stack(
        [by_torch([Dense(w[m], b[m]) for w, b in net.layers], x) for m in range(3)]
    )
    torch.testing.assert_close(net(x, gen()), expected, atol=1e-4, rtol=0)
    drawn = perceptron(net.draw(2, gen()), x)
    torch.testing.assert_close(drawn, expected.expand(2, 3, 7, 2), atol=1e-4, rtol=0)
    assert net.kl().shape == (3,)
    torch.testing.assert_close(
        net.kl()[0],
        kl_of([w[0] for w in net.means], [r[0] for r in net.raw_stds], net.prior_stds),
        rtol=1e-5,
        atol=0,
    )
    assert one.kl().shape == ()


def kl_of(means, raws, priors):
    return sum(
        kl_divergence(Normal(m, nn.functional.softplus(r)), Normal(torch.zeros_like(m), p)).sum()
        for m, r, p in zip(means, raws, priors, strict=True)
    )


def test_training_finds_the_posterior_of_a_linear_model():
    """One layer, known noise: the mean-field optimum is N(mean, 1 / diagonal of the precision)."""
    x = torch.randn(200, 2, generator=gen())
    y = x @ torch.tensor([1.0, -0.5]) + 0.5 * torch.randn(200, generator=gen(1))
    net = made(VariationalPerceptron, (2, 1), prior_std=1.0)
    net.biases[0].requires_grad_(False)
    optimiser, g = torch.optim.Adam(net.parameters(), 0.03), gen(2)
    for step in range(1500):
        optimiser.param_groups[0]["lr"] = 0.03 * (1 - step / 1500)
        optimiser.zero_grad()
        loss = (net(x, g)[:, 0] - y).square().sum() / (2 * 0.25) + net.kl()
        loss.backward()
        optimiser.step()
    precision = x.T @ x / 0.25 + torch.eye(2)
    mean = torch.linalg.solve(precision, x.T @ y / 0.25)
    torch.testing.assert_close(net.means[0][:, 0], mean, atol=0.01, rtol=0)
    std = nn.functional.softplus(net.raw_stds[0][:, 0])
    torch.testing.assert_close(std, precision.diagonal().rsqrt(), atol=0.004, rtol=0)


def test_heads_are_normal_laws():
    raw = torch.randn(6, 8, generator=gen())
    x = torch.randn(6, 7, generator=gen(1))
    one = scalar_head(raw)
    expected = Normal(one.mean, one.variance.sqrt()).log_prob(x).sum(-1)
    torch.testing.assert_close(normal_log_prob(x, one), expected)
    assert (one.variance > 0).all()


def test_cells_that_were_not_seen_do_not_count():
    head = scalar_head(torch.randn(6, 4, generator=gen()))
    x = torch.randn(6, 3, generator=gen(1))
    observed = torch.rand(6, 3, generator=gen(2)) < 0.5
    terms = Normal(head.mean, head.variance.sqrt()).log_prob(x)
    got = normal_log_prob(x.masked_fill(~observed, torch.nan), head, observed)
    torch.testing.assert_close(got, (terms * observed).sum(-1))


def test_gradients_survive_missing_cells():
    raw = torch.randn(2, 3, requires_grad=True, generator=gen())
    x = torch.tensor([[1.0, torch.nan], [torch.nan, 0.0]])
    seen = ~x.isnan()
    normal_log_prob(x.nan_to_num(), scalar_head(raw), seen).sum().backward()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


def test_the_penalty_of_a_linear_critic_is_known():
    """A critic a'x has slope |a| everywhere."""
    a = torch.tensor([3.0, 4.0], requires_grad=True)
    rows = gradient_penalty(lambda x: x @ a, torch.zeros(5, 2), torch.ones(5, 2), gen())
    assert rows.shape == (5,)
    penalty = rows.mean()
    torch.testing.assert_close(penalty, torch.tensor(16.0))
    penalty.backward()
    torch.testing.assert_close(a.grad, 2 * 4 * torch.tensor([0.6, 0.8]))


def test_the_penalty_looks_between_the_rows_with_one_number_each():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.square().sum(-1)

    real, fake = torch.zeros(50, 3), torch.ones(50, 3)
    gradient_penalty(critic, real, fake, gen())
    between = seen[0]
    assert ((between > 0) & (between < 1)).all()
    assert (between == between[:, :1]).all()
    assert len(between[:, 0].unique()) > 40


def test_the_slope_of_an_image_is_taken_over_all_pixels():
    def critic(x):
        return 2 * x.flatten(1).sum(1)

    rows = gradient_penalty(
        critic, torch.zeros(5, 1, 2, 2), torch.ones(5, 1, 2, 2), gen(), event_dims=3
    )
    torch.testing.assert_close(rows, torch.full((5,), (2 * 2 - 1.0) ** 2))


def test_critics_of_an_ensemble_are_critics_of_their_own():
    many = made(Discriminator, 3, (8, 4), n_members=2)
    x = torch.randn(2, 6, 3, generator=gen())
    together = many(x)
    for m in range(2):
        one = made(Discriminator, 3, (8, 4))
        one.load_state_dict({k: v[m] for k, v in many.state_dict().items()})
        torch.testing.assert_close(together[m], one(x[m]))


def test_critics_score_rows_on_their_own():
    critic = made(Discriminator, 3, (8, 4))
    x = torch.randn(6, 3, generator=gen())
    together = critic(x)
    assert together.shape == (6,)
    alone = torch.cat([critic(row[None]) for row in x])
    torch.testing.assert_close(together, alone)
