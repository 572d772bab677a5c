"""The linear likelihood against golden numbers, autograd, dense normals and quadrature."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from aetia.errors import InputError
from aetia.likelihoods import LinearGaussian, Moments
from autograd_gradients import graph_gradients_by_autograd, parameter_gradients_by_autograd


@pytest.fixture
def golden(dibs_golden):
    scores = dibs_golden["scores"]
    x = torch.tensor(scores["x"], dtype=torch.float64)
    return scores, x, torch.tensor(scores["interv_mask"]).bool()


@pytest.fixture
def theta(golden):
    return {"theta": torch.tensor(golden[0]["theta_linear"], dtype=torch.float64)[None]}


def rows_of(scores, key):
    return torch.tensor([[row[key] for row in scores["rows"]]], dtype=torch.float64)


def close(values, expected, tolerance=1e-8):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(values, expected, rtol=tolerance, atol=tolerance)


def soft_problem(options, seed=0, s=2, m=4, d=5):
    generator = torch.Generator().manual_seed(seed)
    graphs = torch.rand(s, m, d, d, generator=generator, dtype=torch.float64)
    graphs = graphs * (1 - torch.eye(d))
    x = torch.randn(30, d, generator=generator, dtype=torch.float64)
    intervened = torch.rand(30, d, generator=generator) < 0.2
    parameters = {k: v.double() for k, v in options.on(x).sample_parameters(s, generator).items()}
    return graphs, x, intervened, parameters


def test_likelihood_and_prior_match_the_golden_numbers(golden, theta):
    scores, x, intervened = golden
    graphs = rows_of(scores, "g")
    options = LinearGaussian(noise_variance=scores["obs_noise"])
    for mask, key in ((None, "lin_loglik"), (intervened, "lin_loglik_interv")):
        bound = options.on(x, mask)
        likelihood = bound.node_log_likelihoods(graphs, theta).sum(-1)
        close(likelihood, rows_of(scores, key))
        prior = bound.node_scores(graphs, theta).sum(-1) - likelihood
        close(prior, rows_of(scores, "lin_log_prior_theta"))
    soft = torch.tensor(scores["soft"]["g_soft"], dtype=torch.float64)[None, None]
    joint = options.on(x).node_scores(soft, theta).sum()
    close(joint, scores["soft"]["lin_log_joint"])


@pytest.mark.parametrize("noise", [0.3, "learned"])
@pytest.mark.parametrize("with_interventions", [False, True])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_closed_form_gradients_are_those_of_autograd(noise, with_interventions, scale):
    options = LinearGaussian(noise_variance=noise, theta_prior_scale=0.7)
    graphs, x, intervened, parameters = soft_problem(options)
    bound = options.on(x, intervened if with_interventions else None, likelihood_scale=scale)

    def weigh(scores):
        return (scores / 50).softmax(1)

    got = bound.graph_gradients(graphs, parameters, weigh)
    expected = graph_gradients_by_autograd(bound, graphs, parameters, weigh)
    close(got.scores, expected.scores)
    off_diagonal = 1 - torch.eye(5, dtype=torch.float64)
    close(got.graphs * off_diagonal, expected.graphs * off_diagonal)
    got = bound.parameter_gradients(graphs, parameters, weigh)
    expected = parameter_gradients_by_autograd(bound, graphs, parameters, weigh)
    close(got.scores, expected.scores)
    assert got.parameters.keys() == expected.parameters.keys() == parameters.keys()
    for name in parameters:
        close(got.parameters[name], expected.parameters[name])


def test_an_intervention_changes_only_the_term_of_its_target(golden, theta):
    scores, x, _ = golden
    graphs, mask = rows_of(scores, "g"), torch.zeros_like(golden[2])
    mask[5:20, 3] = True
    plain = LinearGaussian().on(x).node_scores(graphs, theta)
    changed = LinearGaussian().on(x, mask).node_scores(graphs, theta)
    others = [0, 1, 2, 4]
    close(changed[..., others], plain[..., others])
    rows = torch.cat([x[:5], x[20:]])
    close(changed[..., 3], LinearGaussian().on(rows).node_scores(graphs, theta)[..., 3])


@pytest.mark.parametrize("noise", [0.1, "learned"])
def test_the_scale_multiplies_the_likelihood_and_not_the_prior(noise):
    options = LinearGaussian(noise_variance=noise)
    graphs, x, intervened, parameters = soft_problem(options)
    one, three = (options.on(x, intervened, likelihood_scale=s) for s in (1.0, 3.0))
    difference = three.node_scores(graphs, parameters) - one.node_scores(graphs, parameters)
    close(difference, 2 * one.node_log_likelihoods(graphs, parameters))


@pytest.mark.parametrize("with_interventions", [False, True])
def test_the_evidence_is_that_of_a_dense_normal_law(golden, with_interventions):
    """Given its parents, x_j is N(0, v I + s^2 X_P X_P^T) once the weights are integrated out."""
    scores, x, intervened = golden
    v, s = 0.3, 0.7
    mask = intervened if with_interventions else torch.zeros_like(intervened)
    evidence = LinearGaussian(noise_variance=v, theta_prior_scale=s).evidence(
        Moments.of(x, intervened if with_interventions else None)
    )
    graphs = rows_of(scores, "g")[0].bool()
    got = evidence.node_scores(graphs)
    for k, g in enumerate(graphs):
        for j in range(5):
            rows = x[~mask[:, j]].numpy()
            parents = rows[:, g[:, j].numpy()]
            covariance = v * np.eye(len(rows)) + s**2 * parents @ parents.T
            law = stats.multivariate_normal(np.zeros(len(rows)), covariance)
            close(got[k, j], law.logpdf(rows[:, j]))


def test_the_evidence_with_learned_noise_is_the_integral_over_the_variance(golden):
    scores, x, _ = golden
    x, shape, rate, s = x[:15], 2.5, 0.6, 0.8
    options = LinearGaussian(
        noise_variance="learned", noise_shape=shape, noise_rate=rate, theta_prior_scale=s
    )
    graphs = rows_of(scores, "g")[0, 3:7].bool()
    got = options.evidence(Moments.of(x)).node_scores(graphs)
    for k, g in enumerate(graphs):
        for j in range(5):
            parents = x[:, g[:, j]].numpy()
            covariance = np.eye(15) + s**2 * parents @ parents.T
            _, det = np.linalg.slogdet(covariance)
            square = x[:, j].numpy() @ np.linalg.solve(covariance, x[:, j].numpy())

            def log_integrand(u, det=det, square=square):  # u = log v; du = dv / v
                v = math.exp(u)
                data = -7.5 * math.log(2 * math.pi * v) - 0.5 * det - 0.5 * square / v
                return data + stats.invgamma.logpdf(v, shape, scale=rate) + u

            grid = np.linspace(-8, 6, 400)
            top = max(map(log_integrand, grid))
            value, _ = integrate.quad(
                lambda u, top=top: math.exp(log_integrand(u) - top), -8, 8, limit=200
            )
            close(got[k, j], top + math.log(value), tolerance=1e-6)


def test_the_joint_density_with_learned_noise_integrates_to_the_evidence():
    """One edge 0 -> 1, integrated over its weight and both log variances on a grid."""
    options = LinearGaussian(noise_variance="learned", noise_shape=3.0, noise_rate=0.8)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 2, generator=generator, dtype=torch.float64)
    x[:, 1] += 0.7 * x[:, 0]
    graph = torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    weights = torch.linspace(-9, 10, 401, dtype=torch.float64)
    log_noise = torch.linspace(-5, 5, 201, dtype=torch.float64)
    w, u = (a.flatten() for a in torch.meshgrid(weights, log_noise, indexing="ij"))
    theta = torch.zeros(len(w), 2, 2, dtype=torch.float64)
    theta[:, 0, 1] = w
    parameters = {"theta": theta, "log_noise": torch.stack([u, u], -1)}
    bound = options.on(x)
    graphs = graph.expand(len(w), 1, 2, 2).contiguous()
    scores = bound.node_scores(graphs, parameters)[:, 0].reshape(401, 201, 2)
    du, dw = float(log_noise[1] - log_noise[0]), float(weights[1] - weights[0])
    root = scores[0, :, 0].logsumexp(0) + math.log(du)
    child = scores[:, :, 1].flatten().logsumexp(0) + math.log(du * dw)
    expected = options.evidence(Moments.of(x)).node_scores(graph.bool())
    close(torch.stack([root, child]), expected, tolerance=1e-5)


@pytest.mark.parametrize("noise", [0.3, "learned"])
@pytest.mark.parametrize("with_interventions", [False, True])
def test_the_weight_posterior_is_ridge_regression(golden, noise, with_interventions):
    scores, x, intervened = golden
    s, shape, rate = 0.7, 2.5, 0.6
    options = LinearGaussian(
        noise_variance=noise, theta_prior_scale=s, noise_shape=shape, noise_rate=rate
    )
    mask = intervened if with_interventions else torch.zeros_like(intervened)
    graphs = rows_of(scores, "g")[0].bool()
    moments = Moments.of(x, intervened if with_interventions else None)
    posterior = options.weight_posterior(graphs, moments)
    covariance, noise_mean = posterior.covariance(), posterior.noise_mean()
    ridge = 1 / s**2 if noise == "learned" else noise / s**2
    for k, g in enumerate(graphs):
        for j in range(5):
            parents = np.flatnonzero(g[:, j].numpy())
            rows = x[~mask[:, j]].numpy()
            design = np.vstack([rows[:, parents], math.sqrt(ridge) * np.eye(len(parents))])
            target = np.concatenate([rows[:, j], np.zeros(len(parents))])
            weights, residual = np.zeros(5), target
            expected = np.zeros((5, 5))
            if len(parents):
                fit = np.linalg.lstsq(design, target, rcond=None)[0]
                weights[parents], residual = fit, target - design @ fit
                expected[np.ix_(parents, parents)] = np.linalg.inv(design.T @ design)
            v = noise
            if noise == "learned":
                v = (rate + 0.5 * residual @ residual) / (shape + 0.5 * len(rows) - 1)
            close(posterior.mean[k, :, j], weights)
            close(noise_mean[k, j], v)
            close(covariance[k, j], v * expected)


@pytest.mark.parametrize("noise", [0.3, "learned"])
def test_sampled_weights_have_the_moments_of_their_posterior(golden, noise):
    """Monte Carlo, 40,000 draws: 6 z-scores at 4.5 sigma, one false alarm in 25,000 seeds."""
    _, x, _ = golden
    g = torch.tensor([[0, 1, 1], [0, 0, 1], [0, 0, 0]]).bool()
    options = LinearGaussian(noise_variance=noise, noise_shape=6.0)
    graphs = g.expand(40_000, 3, 3).contiguous()
    posterior = options.weight_posterior(graphs, Moments.of(x[:, :3]))
    draws = posterior.sample(torch.Generator().manual_seed(5))
    assert not draws[:, ~g].any()
    variance = posterior.covariance()[0].diagonal(dim1=-2, dim2=-1).mT[g]
    centred = (draws - posterior.mean[0])[:, g]
    for values, target in ((centred, 0.0), (centred**2, variance)):
        z = (values.mean(0) - target) / (values.std(0) / 200.0)
        assert z.abs().max() < 4.5, f"off by {z.abs().max():.1f} standard errors"


def test_moments_are_those_of_numpy(golden):
    _, x, intervened = golden
    moments = Moments.of(x, intervened)
    for j in range(5):
        rows = x[~intervened[:, j]].numpy()
        assert int(moments.n[j]) == len(rows)
        close(moments.mean[j], rows.mean(0))
        close(moments.scatter[j], (len(rows) - 1) * np.cov(rows.T))
        close(moments.about_zero()[j], rows.T @ rows)
    centre, scale = x[0], torch.linspace(0.5, 2, 5, dtype=torch.float64)
    for a, b in zip(
        moments.rescaled(centre, scale), Moments.of((x - centre) / scale, intervened), strict=True
    ):
        close(a.double(), b.double())


def test_initial_weights_keep_their_distance_from_zero_and_follow_the_seed(golden):
    bound = LinearGaussian(min_weight=0.5).on(golden[1])
    first, again, other = (
        bound.sample_parameters(50, torch.Generator().manual_seed(s))["theta"] for s in (1, 1, 2)
    )
    off_diagonal = ~torch.eye(5, dtype=torch.bool)
    assert first.shape == (50, 5, 5)
    assert (first.abs()[:, off_diagonal] >= 0.5).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("field", ["noise_variance", "theta_prior_scale", "noise_rate"])
def test_options_that_are_not_positive_are_refused(field):
    with pytest.raises(InputError, match=field):
        LinearGaussian(**{field: -0.1})
