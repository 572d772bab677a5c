"""Latents drawn given what is known of a unit, against the linear-Gaussian closed form."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Normal

from aetia.effects.causalbgm.generative import Units
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.latents import latent_chains, latent_density
from aetia.nets import seeded
from effects.causalbgm.small import ROLES, LinearGaussian, generator

D = ROLES.total
MODEL = LinearGaussian()
STANDARD = LatentPrior(D, 1)
STEPS = {"hmc": (60, 3), "metropolis": (400, 60)}


def partly(units: Units, known: str) -> Units:
    """What is known: everything, covariates alone, some covariates, or nothing at all."""
    if known == "everything":
        return units
    if known == "covariates":
        return units._replace(treatment=None, outcome=None)
    seen = torch.rand(units.covariates.shape, generator=generator(7)) < 0.5
    if known == "nothing":
        return Units(units.covariates, torch.zeros_like(seen))
    return units._replace(observed=seen)


def draw(units, sampler, n_kept=2, seed=0, steps=None):
    density = latent_density(MODEL.mechanisms, ROLES, units, STANDARD, is_binary=False)
    n_warmup, thin = steps or STEPS[sampler]
    start = torch.zeros(1, len(units.covariates), D, dtype=torch.float64)
    chains = latent_chains(
        density,
        start,
        generator(seed),
        sampler=sampler,
        n_warmup=n_warmup,
        n_kept=n_kept,
        thin=thin,
    )
    return np.stack([z[0].numpy() for z in chains.draws]), chains.warm_up


def whitened(units, z):
    """Independent standard normal numbers, if z has the exact posterior."""
    means, covariances = MODEL.posterior(units)
    return np.stack(
        [
            np.linalg.solve(np.linalg.cholesky(c), x - m)
            for x, m, c in zip(z, means, covariances, strict=True)
        ]
    ).ravel()


def test_the_density_is_the_closed_form_up_to_a_constant():
    units = partly(MODEL.units(6)[0], "some")
    means, covariances = MODEL.posterior(units)
    density = latent_density(MODEL.mechanisms, ROLES, units, STANDARD, is_binary=False)
    z = torch.randn(40, 6, D, generator=generator(), dtype=torch.float64)
    found = density(z).numpy()
    for i in range(6):
        exact = stats.multivariate_normal(means[i], covariances[i]).logpdf(z[:, i].numpy())
        np.testing.assert_allclose(np.diff(found[:, i] - exact), 0, atol=1e-8)


@pytest.mark.parametrize("known", ["everything", "some"])
@pytest.mark.parametrize("sampler", ["hmc", "metropolis"])
def test_draws_follow_the_closed_form(sampler, known):
    # One draw of each of 600 units, 3,000 numbers: KS, false alarms 1 in 10,000 for each of 4.
    units = partly(MODEL.units(600)[0], known)
    z, record = draw(units, sampler, n_kept=1)
    assert stats.kstest(whitened(units, z[-1]), "norm").pvalue > 1e-4
    assert record.n_divergent == 0 or sampler == "hmc"


def test_the_check_would_notice_draws_that_ignore_the_outcome():
    units, _ = MODEL.units(600)
    z, _ = draw(partly(units, "covariates"), "hmc", n_kept=1)
    assert stats.kstest(whitened(units, z[-1]), "norm").pvalue < 1e-4


def test_the_check_would_notice_means_in_place_of_draws():
    units, _ = MODEL.units(600)
    assert stats.kstest(whitened(units, MODEL.posterior(units)[0]), "norm").pvalue < 1e-4


@pytest.mark.parametrize("sampler", ["hmc", "metropolis"])
def test_draws_follow_their_generator_and_are_handed_out_one_by_one(sampler):
    units, _ = MODEL.units(10)
    one, again, other = (draw(units, sampler, 3, s, steps=(20, 5))[0] for s in (0, 0, 1))
    assert one.shape == (3, 10, D)
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.9
    assert (one[0] != one[-1]).any()


def test_units_are_drawn_alone_whatever_the_others_are():
    """Densities do not mix units: the gradient of one unit's term is zero elsewhere."""
    units, _ = MODEL.units(5)
    density = latent_density(MODEL.mechanisms, ROLES, units, STANDARD, is_binary=False)
    z = torch.randn(1, 5, D, generator=generator(), dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(density(z)[0, 2], z)
    assert (slope[0, [0, 1, 3, 4]] == 0).all()
    assert (slope[0, 2] != 0).any()


# -- the prior ----------------------------------------------------------------------------------


def test_without_labels_the_prior_is_standard_normal():
    z = torch.randn(2, 7, 3, generator=generator())
    prior = LatentPrior(3, 2)
    assert not prior.is_conditional
    expected = Normal(0.0, 1.0).log_prob(z).sum(-1)
    torch.testing.assert_close(prior.log_prob(z), expected)
    torch.testing.assert_close(prior.log_prob(z, torch.zeros(7, dtype=torch.long)), expected)


def conditional(members=2, segments=4):
    with seeded(generator(1)):
        prior = LatentPrior(3, members, segments, (5,))
    with torch.no_grad():
        for p in prior.parameters():
            p.copy_(torch.randn(p.shape, generator=generator(2)))
    return prior


def test_with_labels_it_is_normal_with_a_mean_and_one_variance_for_each_label():
    prior, labels = conditional(), torch.tensor([0, 3, 3, 1, 2])
    z = torch.randn(2, 5, 3, generator=generator())
    assert prior.is_conditional
    found = prior.log_prob(z, labels)
    eye = torch.eye(4)
    (w0, w1), (b0, b1) = list(prior.network.weights), list(prior.network.biases)
    for m in range(2):
        hidden = eye @ w0[m] + b0[m]
        raw = torch.where(hidden > 0, hidden, 0.2 * hidden) @ w1[m] + b1[m]
        sd = (torch.log1p(raw[:, 3:].exp()) + 1e-6).sqrt()
        distribution = Normal(raw[labels, :3], sd[labels])
        torch.testing.assert_close(found[m], distribution.log_prob(z[m]).sum(-1))


def test_a_new_conditional_prior_is_nearly_standard_normal():
    with seeded(generator(1)):
        prior = LatentPrior(3, 2, 4, (5,))
    z = torch.randn(2, 4, 3, generator=generator())
    gap = prior.log_prob(z, torch.arange(4)) - Normal(0.0, 1.0).log_prob(z).sum(-1)
    assert gap.abs().max() < 1.5


def test_labels_may_be_those_of_every_members_own_batch():
    prior, z = conditional(), torch.randn(2, 3, 3, generator=generator())
    labels = torch.tensor([[0, 1, 2], [3, 3, 0]])
    both = prior.log_prob(z, labels)
    torch.testing.assert_close(both[0], prior.log_prob(z, labels[0])[0])
    torch.testing.assert_close(both[1], prior.log_prob(z, labels[1])[1])


def test_the_latents_feel_the_prior_of_their_label():
    units, _ = MODEL.units(6)
    with seeded(generator(1)):
        prior = LatentPrior(D, 1, 2, ()).double()
    with torch.no_grad():
        prior.network.weights[0].copy_(torch.randn((1, 2, D + 1), generator=generator(3)))
    labels = torch.tensor([0, 1, 0, 1, 1, 1])
    z = torch.randn(1, 6, D, generator=generator(), dtype=torch.float64)
    parts = [
        latent_density(MODEL.mechanisms, ROLES, units, p, is_binary=False, segments=s)(z)
        for p, s in ((prior, labels), (STANDARD, None))
    ]
    gap = prior.log_prob(z, labels) - STANDARD.log_prob(z)
    torch.testing.assert_close(parts[0] - parts[1], gap)
