"""The losses of the joint start against their formulas."""

import pytest
import torch
import torch.nn.functional as F

from aetia.effects.causalbgm.egm import (
    batch_fit,
    critic_loss,
    generative_loss,
    weighted_likelihood,
)
from aetia.nets import Discriminator, NormalHead, seeded
from effects.causalbgm.small import ROLES, generator, make_networks, random_units

N, P, M = 20, 3, 2
D = ROLES.total


def rows(seed, *shape):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def batch(is_binary=False):
    """Other units for every member."""
    one, two = (random_units(N, P, seed, is_binary=is_binary) for seed in (1, 2))
    pairs = zip(one, two, strict=True)
    units = type(one)(*(None if a is None else torch.stack([a, b]) for a, b in pairs))
    return make_networks(one, is_binary=is_binary), units


def critic(hidden, seed=0):
    with seeded(generator(seed)):
        return Discriminator(D, hidden, M).double()


def test_a_linear_critic_pays_for_its_slope_whatever_the_points():
    # Its gradient is the same everywhere: the penalty needs no random point to be checked.
    d, prior, encoded = critic(()), rows(0, M, N, D), rows(1, M, N, D)
    eye = torch.eye(D, dtype=torch.float64).expand(M, D, D)
    slope = d(eye) - d(torch.zeros_like(eye))
    penalty = 10 * (slope.norm(dim=-1) - 1).square()
    gap = d(encoded).mean(-1) - d(prior).mean(-1)
    loss, parts = critic_loss(d, prior, encoded, generator())
    torch.testing.assert_close(loss, gap + penalty)
    assert len(parts) == 2
    torch.testing.assert_close(sum(parts.values()), loss)
    free, _ = critic_loss(d, prior, encoded, generator(), penalty=0.0)
    torch.testing.assert_close(free, gap)


def test_the_penalty_of_a_bent_critic_lies_between_the_slopes_on_the_line():
    d, prior, encoded = critic((6,)), rows(0, M, N, D), rows(1, M, N, D)
    gap = d(encoded).mean(-1) - d(prior).mean(-1)
    loss, _ = critic_loss(d, prior, encoded, generator())
    found = ((loss - gap) / 10).detach()
    bounds = []
    for u in torch.linspace(0, 1, 101, dtype=torch.float64):
        x = (u * prior + (1 - u) * encoded).requires_grad_()
        (slope,) = torch.autograd.grad(d(x).sum(), x)
        bounds.append((slope.norm(dim=-1) - 1).square())
    grid = torch.stack(bounds)  # the mean over rows must lie between mean least and mean largest
    assert (grid.min(0).values.mean(-1) - 1e-4 < found).all()
    assert (found < grid.max(0).values.mean(-1) + 1e-4).all()


def test_the_critic_learns_nothing_about_the_encoder():
    d, encoded = critic((4,)), rows(1, M, N, D).requires_grad_()
    loss, _ = critic_loss(d, rows(0, M, N, D), encoded, generator())
    loss.sum().backward()
    assert encoded.grad is None
    assert all(p.grad is not None for p in d.weights)


def test_members_of_the_critic_do_not_see_each_other():
    d, prior, encoded = critic((4,)), rows(0, M, N, D), rows(1, M, N, D)
    loss, _ = critic_loss(d, prior, encoded, generator())
    moved = torch.cat([encoded[:1], encoded[1:] + 1])
    other, _ = critic_loss(d, prior, moved, generator())
    assert torch.equal(loss[0], other[0])
    assert not torch.equal(loss[1], other[1])


def test_the_generative_loss_is_the_sum_of_its_four_terms():
    networks, units = batch()
    encoded, prior = rows(2, M, N, D), rows(3, M, N, D)
    loss, parts = generative_loss(
        networks, units, encoded, prior, generator(), latent_weight=0.7, variance_penalty=0.3
    )
    layers = networks.mechanisms().covariates

    def g(z):
        (w0, b0), (w1, b1) = layers
        return F.leaky_relu(z @ w0 + b0[:, None], 0.2) @ w1 + b1[:, None]

    again, drawn = g(encoded), g(prior)
    back = networks.encode(drawn[..., :-1])
    terms = [
        -networks.critic(encoded).mean(-1),
        F.mse_loss(again[..., :-1], units.covariates, reduction="none").mean((1, 2)),
        0.7 * F.mse_loss(back, prior, reduction="none").mean((1, 2)),
        0.3 * drawn[..., -1].square().mean(-1),
    ]
    torch.testing.assert_close(loss, sum(terms))
    torch.testing.assert_close(sum(parts.values()), loss)


def test_unseen_covariates_are_not_reconstructed():
    networks, units = batch()
    seen = torch.rand(M, N, P, generator=generator(5)) < 0.7
    z, prior = rows(2, M, N, D), rows(3, M, N, D)
    results = []
    for fill in (0.0, 50.0):
        v = torch.where(seen, units.covariates, fill)
        one = units._replace(covariates=v, observed=seen)
        results.append(generative_loss(networks, one, z, prior, generator())[0])
    torch.testing.assert_close(*results)
    all_seen = units._replace(observed=torch.ones_like(seen))
    a, b = (generative_loss(networks, u, z, prior, generator())[0] for u in (units, all_seen))
    torch.testing.assert_close(a, b)


def head(seed=0, low=-0.5):
    mean = rows(seed, N, 1).requires_grad_()
    log_variance = (rows(seed + 1, N, 1) * 0.5 + low).requires_grad_()
    return mean, log_variance, NormalHead(mean, log_variance.exp())


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_the_weighted_likelihood_equals_its_formula(beta):
    x = rows(9, N)
    mean, log_variance, distribution = head()
    s2 = log_variance.exp()[:, 0]
    inner = (x - mean[:, 0]).square() / (2 * s2) + s2.log() / 2
    expected = inner * s2**beta / (s2**beta).mean()
    torch.testing.assert_close(weighted_likelihood(x, distribution, beta), expected)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_its_gradient_is_that_of_finite_differences_with_the_factor_held(beta):
    x = rows(9, N)
    mean, log_variance, distribution = head()
    weighted_likelihood(x, distribution, beta).sum().backward()
    held = log_variance.detach().exp()[:, 0] ** beta
    held = held / held.mean()

    def loss(m, a):
        s2 = a.exp()[:, 0]
        return (held * ((x - m[:, 0]).square() / (2 * s2) + s2.log() / 2)).sum()

    for wrt, grad in ((0, mean.grad), (1, log_variance.grad)):
        for i in range(N):
            step = torch.zeros(N, 1, dtype=torch.float64)
            step[i] = 1e-6
            args = [mean.detach(), log_variance.detach()]
            up, down = list(args), list(args)
            up[wrt], down[wrt] = args[wrt] + step, args[wrt] - step
            slope = (loss(*up) - loss(*down)) / 2e-6
            torch.testing.assert_close(slope, grad[i, 0], atol=1e-6, rtol=1e-5)


def test_the_likelihood_weighted_with_exponent_one_fits_means_as_least_squares_does():
    x = rows(9, N)
    mean, log_variance, distribution = head()
    weighted_likelihood(x, distribution, 1.0).sum().backward()
    least_squares = (mean.detach()[:, 0] - x) / log_variance.detach().exp().mean()
    torch.testing.assert_close(mean.grad[:, 0], least_squares)


@pytest.mark.parametrize("is_binary", [False, True], ids=["doses", "arms"])
def test_the_fit_is_that_of_treatment_and_outcome_from_their_own_latents(is_binary):
    networks, units = batch(is_binary)
    z = rows(4, M, N, D)
    treatment, outcome = batch_fit(networks, units, z, generator(), exponent=0.0)

    def net(layers, x):
        (w0, b0), (w1, b1) = layers
        return F.leaky_relu(x @ w0 + b0[:, None], 0.2) @ w1 + b1[:, None]

    def normal(x, raw):
        s2 = F.softplus(raw[..., 1]) + 1e-6
        return (x - raw[..., 0]).square() / (2 * s2) + s2.log() / 2

    weights = networks.mechanisms()
    raw = net(weights.treatment, z[..., [0, 1, 3]])
    expected = normal(units.treatment, raw)
    if is_binary:
        p = torch.sigmoid(raw[..., 0])
        expected = -(units.treatment * p.log() + (1 - units.treatment) * (1 - p).log())
    torch.testing.assert_close(treatment, expected.mean(-1))
    t = units.treatment[..., None]
    bends = [] if is_binary else [F.relu(t - weights.dose_knots)]
    raw = net(weights.outcome, torch.cat([z[..., :3], t, *bends], -1))
    torch.testing.assert_close(outcome, normal(units.outcome, raw).mean(-1))
