"""Effects against brute-force Monte Carlo with scipy, rescaled units, and simulated truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from aetia.discovery import ExactPosterior
from aetia.graphs import Knowledge
from aetia.likelihoods import BGe, LinearGaussian
from aetia.scm import SCM, LinearMechanism

NAMES = ["a", "b", "c"]
EDGES = [(0, 1), (0, 2), (1, 2)]  # a -> b -> c and a -> c
N = 25

LIKELIHOODS = {
    "bge": BGe(),
    "bge with a wide prior": BGe(alpha_mu=2.0, alpha_w=9.0),
    "linear": LinearGaussian(noise_variance=0.4, theta_prior_scale=0.8),
    "learned noise": LinearGaussian(noise_variance="learned", noise_shape=4.0, noise_rate=1.5),
}


def table(seed=0, n=N):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = 0.8 * a + 0.7 * rng.normal(size=n)
    c = -0.5 * a + 0.9 * b + 0.7 * rng.normal(size=n)
    x = np.column_stack([a, b, c])
    return x - x.mean(0)


def one_graph(likelihood, x, edges=EDGES, intervened=None, scaling="none"):
    """The posterior when the graph is known, through hard knowledge."""
    every = [(i, j) for i in range(3) for j in range(3) if i != j]
    knowledge = Knowledge(
        required=[(NAMES[i], NAMES[j]) for i, j in edges],
        forbidden=[(NAMES[i], NAMES[j]) for i, j in every if (i, j) not in edges],
    )
    frame = pd.DataFrame(x, columns=NAMES)
    fit = ExactPosterior(likelihood=likelihood, scaling=scaling)
    posterior = fit.fit(frame, knowledge=knowledge, intervened=intervened).posterior_
    assert len(posterior.graphs) == 1
    return posterior


def brute_force(likelihood, x, edges, n_draws, rng, mask=None):
    """Draws of (I - W)^-1, written down from the textbook laws with scipy.

    BGe: precision ~ Wishart(alpha_w, (t I)^-1), mean | precision ~ N(0, (alpha_mu precision)^-1),
    so the parameters of j given its l parents follow from the marginal law of (parents, j),
    whose precision is Wishart with N + alpha_w - (d - l - 1) degrees of freedom and scale R:
    the noise variance is inverse gamma((N + alpha_w - d + l + 1) / 2, R_j|P / 2).
    Linear: Bayesian ridge regression.
    """
    n_all, d = x.shape
    mask = np.zeros((n_all, d), bool) if mask is None else mask
    weights = np.zeros((n_draws, d, d))
    for j in range(d):
        parents = [i for i, k in edges if k == j]
        if not parents:
            continue
        rows = x[~mask[:, j]]
        n = len(rows)
        if isinstance(likelihood, BGe):
            alpha_w = d + 2 if likelihood.alpha_w == "auto" else likelihood.alpha_w
            t = likelihood.alpha_mu * (alpha_w - d - 1) / (likelihood.alpha_mu + 1)
            mean = rows.mean(0)
            shrink = n * likelihood.alpha_mu / (n + likelihood.alpha_mu)
            r = t * np.eye(d) + (rows - mean).T @ (rows - mean) + shrink * np.outer(mean, mean)
            block, cross, own = r[np.ix_(parents, parents)], r[parents, j], r[j, j]
            precision = block
            shape = (n + alpha_w - d + len(parents) + 1) / 2
            rate = (own - cross @ np.linalg.solve(block, cross)) / 2
            variance = stats.invgamma(shape, scale=rate).rvs(n_draws, random_state=rng)
        else:
            design, target = rows[:, parents], rows[:, j]
            learned = likelihood.noise_variance == "learned"
            v = 1.0 if learned else likelihood.noise_variance
            precision = design.T @ design + v / likelihood.theta_prior_scale**2 * np.eye(
                len(parents)
            )
            cross = design.T @ target
            if learned:
                square = target @ target - cross @ np.linalg.solve(precision, cross)
                law = stats.invgamma(
                    likelihood.noise_shape + n / 2, scale=likelihood.noise_rate + square / 2
                )
                variance = law.rvs(n_draws, random_state=rng)
            else:
                variance = np.full(n_draws, v)
        centre = np.linalg.solve(precision, cross)
        unit = stats.multivariate_normal(np.zeros(len(parents)), np.linalg.inv(precision))
        noise = unit.rvs(n_draws, random_state=rng).reshape(n_draws, -1)
        weights[:, parents, j] = centre + np.sqrt(variance)[:, None] * noise
    return np.linalg.inv(np.eye(d) - weights)


def assert_moments(effect, draws, limit=4.5):
    """z-scores of mean and second moment at 4.5 sigma: 1.4e-5 false alarms in each call."""
    n = len(draws)
    z_mean = (draws.mean() - effect.mean[0]) / (draws.std() / np.sqrt(n))
    squares = (draws - effect.mean[0]) ** 2
    z_sd = (squares.mean() - effect.sd[0] ** 2) / (squares.std() / np.sqrt(n))
    assert abs(z_mean) < limit, f"mean off by {z_mean:.1f} standard errors"
    assert abs(z_sd) < limit, f"variance off by {z_sd:.1f} standard errors"


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("with_interventions", [False, True])
def test_moments_are_those_of_brute_force_draws(name, with_interventions):
    likelihood, x, n = LIKELIHOODS[name], table(), 100_000
    mask = np.random.default_rng(7).random(x.shape) < 0.25 if with_interventions else None
    posterior = one_graph(likelihood, x, intervened=mask)
    total = brute_force(likelihood, x, EDGES, n, np.random.default_rng(1), mask)
    for i, j in EDGES:
        assert_moments(posterior.effect(NAMES[i], NAMES[j], n_draws=10), total[:, i, j])


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_draws_have_the_exact_moments(name):
    posterior = ExactPosterior(likelihood=LIKELIHOODS[name]).fit(
        pd.DataFrame(table(), columns=NAMES)
    ).posterior_  # fmt: skip
    assert len(posterior.graphs) == 25
    effect = posterior.effect("a", "c", treated=3.0, control=1.0, n_draws=40_000, random_state=2)
    assert_moments(effect, effect.draws[:, 0])


def test_the_law_of_the_draws_is_that_of_brute_force():
    """Two samples of 20,000, Kolmogorov-Smirnov at p > 1e-4."""
    likelihood, x = BGe(), table()
    draws = one_graph(likelihood, x).effect("a", "c", n_draws=20_000).draws[:, 0]
    total = brute_force(likelihood, x, EDGES, 20_000, np.random.default_rng(3))
    assert stats.ks_2samp(draws, total[:, 0, 2]).pvalue > 1e-4


def test_any_part_of_the_draws_is_a_sample_of_the_posterior():
    """Draws are documented as independent: first and second half follow the same law."""
    x = table(n=12)
    posterior = ExactPosterior().fit(pd.DataFrame(x, columns=NAMES)).posterior_
    draws = posterior.effect("a", "c", n_draws=8000, random_state=1).draws[:, 0]
    assert stats.ks_2samp(draws[:4000], draws[4000:]).pvalue > 1e-4


def test_averaging_over_graphs_is_the_mixture_of_the_graphs():
    """Law of total expectation and variance over the 3 graphs of a pair, one fit each."""
    x = table()[:, :2]
    frame = pd.DataFrame(x, columns=["a", "b"])
    both = ExactPosterior().fit(frame).posterior_
    p = both.edge_probabilities()
    alone = ExactPosterior().fit(frame, knowledge={"required": ["a -> b"]}).posterior_
    given = alone.effect("a", "b", n_draws=10)
    effect = both.effect("a", "b", n_draws=10)
    assert effect.mean[0] == pytest.approx(p[0, 1] * given.mean[0])
    second = p[0, 1] * (given.sd[0] ** 2 + given.mean[0] ** 2)
    assert effect.sd[0] == pytest.approx(np.sqrt(second - effect.mean[0] ** 2))
    assert effect.probability_of_effect == pytest.approx(p[0, 1])
    zero = (both.effect("a", "b", n_draws=20_000).draws == 0).mean()
    assert zero == pytest.approx(1 - p[0, 1], abs=4.5 * 0.5 / np.sqrt(20_000))


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("with_interventions", [False, True])
def test_other_units_change_the_effect_by_their_ratio(name, with_interventions):
    """Rescaling and shifting columns: effect of a on c in units of c per unit of a."""
    x = table(4)
    mask = np.random.default_rng(5).random(x.shape) < 0.15 if with_interventions else None
    scale, shift = np.array([1000.0, 0.03, 7.0]), np.array([5.0, -2.0, 300.0])
    fit = ExactPosterior(likelihood=LIKELIHOODS[name], scaling="standardise")
    plain, scaled = (
        fit.fit(pd.DataFrame(t, columns=NAMES), intervened=mask).posterior_
        for t in (x, x * scale + shift)
    )
    np.testing.assert_allclose(
        plain.edge_probabilities(), scaled.edge_probabilities(), rtol=1e-6, atol=1e-12
    )
    for i, j in [(0, 2), (1, 2), (2, 0)]:
        first = plain.effect(NAMES[i], NAMES[j], n_draws=200, random_state=1)
        second = scaled.effect(NAMES[i], NAMES[j], n_draws=200, random_state=1)
        ratio = scale[j] / scale[i]
        np.testing.assert_allclose(second.mean, ratio * first.mean, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(second.sd, ratio * first.sd, rtol=1e-6, atol=1e-12)


def test_the_contrast_multiplies_the_effect():
    posterior = one_graph(BGe(), table())
    unit = posterior.effect("a", "c", random_state=3)
    triple = posterior.effect("a", "c", treated=-1.0, control=2.0, random_state=3)
    np.testing.assert_allclose(triple.mean, -3 * unit.mean)
    np.testing.assert_allclose(triple.sd, 3 * unit.sd)
    np.testing.assert_allclose(triple.draws, -3 * unit.draws)
    none = posterior.effect("a", "c", treated=1.0, control=1.0)
    assert none.mean[0] == none.sd[0] == 0


def test_nothing_flows_against_the_arrows():
    posterior = one_graph(BGe(), table())
    effect = posterior.effect("c", "a")
    assert effect.probability_of_effect == 0
    assert not effect.draws.any()
    assert effect.mean[0] == effect.sd[0] == 0


def test_seeds_decide_the_draws_and_not_the_moments():
    posterior = one_graph(BGe(), table())
    first, again, other = (posterior.effect("a", "c", random_state=s) for s in (0, 0, 1))
    assert first.draws.tobytes() == again.draws.tobytes()
    assert first.draws.tobytes() != other.draws.tobytes()
    assert first.mean[0] == other.mean[0]
    assert first.labels == ("ATE",)
    assert (first.treatment, first.outcome) == ("a", "c")


def simulated(seed, n):
    weights = np.zeros((3, 3))
    weights[0, 1], weights[0, 2], weights[1, 2] = 0.8, -0.5, 1.1
    model = SCM(
        adjacency=weights != 0,
        mechanism=LinearMechanism(torch.from_numpy(weights)),
        noise_std=np.sqrt([0.5, 0.5, 0.5]),
        names=tuple(NAMES),
    )
    return model, model.sample(n, random_state=seed).data


def test_many_rows_recover_the_true_total_effect():
    """Equal variances identify the graph; n = 20,000; 3 effects at 4.5 posterior sds."""
    model, data = simulated(3, 20_000)
    posterior = ExactPosterior(likelihood=LinearGaussian(noise_variance=0.5)).fit(data).posterior_
    for i, j in EDGES:
        effect = posterior.effect(NAMES[i], NAMES[j], n_draws=2000)
        truth = model.total_effects()[i, j]
        assert abs(effect.mean[0] - truth) < 4.5 * effect.sd[0]
        assert effect.sd[0] < 0.02
        low, high = effect.interval(0.99999)[0]
        assert low < truth + 0.02
        assert truth - 0.02 < high


def test_interventional_rows_of_the_outcome_do_not_bias_the_effect():
    """The outcome set to noise in half the rows: those rows say nothing about its causes."""
    model, data = simulated(4, 4000)
    x = data.values.copy()
    mask = np.zeros_like(x, dtype=bool)
    mask[2000:, 2] = True
    x[2000:, 2] = np.random.default_rng(0).normal(size=2000) * 5
    frame = pd.DataFrame(x, columns=NAMES)
    fit = ExactPosterior(likelihood=LinearGaussian(noise_variance=0.5))
    effect = fit.fit(frame, intervened=mask).posterior_.effect("a", "c")
    assert abs(effect.mean[0] - model.total_effects()[0, 2]) < 4.5 * effect.sd[0]
    naive = fit.fit(frame).posterior_.effect("a", "c")
    assert abs(naive.mean[0] - model.total_effects()[0, 2]) > 4.5 * effect.sd[0]


def test_a_posterior_without_exact_marginals_gives_the_same_effect():
    posterior = ExactPosterior().fit(pd.DataFrame(table(), columns=NAMES)).posterior_
    doubled = replace(
        posterior,
        graphs=np.concatenate([posterior.graphs, posterior.graphs]),
        log_weights=np.concatenate([posterior.log_weights, posterior.log_weights]),
        edge_marginals=None,
    )
    assert doubled.effect("a", "c").mean[0] == pytest.approx(posterior.effect("a", "c").mean[0])
    assert doubled.effect("a", "c").sd[0] == pytest.approx(posterior.effect("a", "c").sd[0])
