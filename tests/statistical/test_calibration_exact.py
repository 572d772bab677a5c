"""Simulation-based calibration (Talts et al., 2018) of the exact posterior at d = 3.

Graph and parameters are drawn from the prior that the likelihood means, then n = 20 rows; the
posterior probability of any statistic at its true value is then uniform. Each test refuses at
p < 1e-3, so one false alarm in 1000 seeds per statistic.
"""

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.diagnostics import rank_p_value, reliability
from aetia.discovery import ExactPosterior
from aetia.graphs import ScaleFree, UniformDAGs, transitive_closure
from aetia.likelihoods import BGe, LinearGaussian

pytestmark = pytest.mark.statistical

D, N, REPEATS, ALPHA_MU = 3, 20, 500, 1.0


def linear_rows(graph, rng, n, mask):
    """Weights N(0, 1.2^2), noise variance 0.5; no intercept."""
    weights = rng.normal(size=(D, D)) * 1.2 * graph
    order = np.argsort(transitive_closure(torch.from_numpy(graph)).sum(0).numpy(), kind="stable")
    x = np.zeros((n, D))
    for j in order:
        mechanism = x @ weights[:, j] + np.sqrt(0.5) * rng.normal(size=n)
        x[:, j] = np.where(mask[:, j], 2 * rng.normal(size=n), mechanism)
    return x, weights


def bge_rows(graph, rng, n, mask):
    """Parameters that BGe implies: each node from its own normal-inverse-Wishart, cut to parents.

    Precision ~ Wishart(alpha_w, (t I)^-1) means covariance ~ inverse Wishart(alpha_w, t I). The
    law of (parents, j) is inverse Wishart with alpha_w - (d - l - 1) degrees of freedom, and the
    mean given the covariance N(0, covariance / alpha_mu); regression parameters of different
    nodes are independent (global parameter independence), so each takes a fresh draw.
    """
    alpha_mu, alpha_w = ALPHA_MU, D + 2.0
    t = alpha_mu * (alpha_w - D - 1) / (alpha_mu + 1)
    weights, offset, sd = np.zeros((D, D)), np.zeros(D), np.zeros(D)
    for j in range(D):
        parents = np.flatnonzero(graph[:, j])
        l = len(parents)
        law = stats.invwishart(df=alpha_w - (D - l - 1), scale=t * np.eye(l + 1))
        covariance = np.atleast_2d(law.rvs(random_state=rng))
        mean = rng.multivariate_normal(np.zeros(l + 1), covariance / alpha_mu)
        block, cross = covariance[:l, :l], covariance[:l, l]
        w = np.linalg.solve(block, cross) if l else np.zeros(0)
        weights[parents, j] = w
        offset[j] = mean[l] - mean[:l] @ w
        sd[j] = np.sqrt(covariance[l, l] - cross @ w)
    order = np.argsort(transitive_closure(torch.from_numpy(graph)).sum(0).numpy(), kind="stable")
    x = np.zeros((n, D))
    for j in order:
        mechanism = offset[j] + x @ weights[:, j] + sd[j] * rng.normal(size=n)
        x[:, j] = np.where(mask[:, j], 2 * rng.normal(size=n), mechanism)
    return x, weights


def randomised_pit(values, weights, truth, rng):
    """P(statistic < truth) + U P(statistic = truth): uniform even for discrete statistics."""
    below, at = weights[values < truth].sum(), weights[values == truth].sum()
    return float(np.clip(below + rng.random() * at, 0.0, 1.0))


MODELS = {
    "bge": (bge_rows, BGe(alpha_mu=ALPHA_MU)),
    "linear": (linear_rows, LinearGaussian(noise_variance=0.5, theta_prior_scale=1.2)),
}


@pytest.mark.parametrize(
    ("model", "law", "prior", "with_interventions"),
    [
        ("bge", UniformDAGs(), "uniform", False),
        ("bge", UniformDAGs(), "uniform", True),
        ("bge", ScaleFree(), "scale-free", False),
        ("linear", UniformDAGs(), "uniform", False),
        ("linear", UniformDAGs(), "uniform", True),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_the_exact_posterior_is_calibrated(model, law, prior, with_interventions):
    """Four statistics by Kolmogorov-Smirnov and one reliability z-score, each at 1e-3."""
    draw, likelihood = MODELS[model]
    rng = np.random.default_rng(20)
    truths = law.sample(REPEATS, D, torch.Generator().manual_seed(1)).numpy()
    pits = {k: [] for k in ("n_edges", "n_paths", "graph", "effect")}
    stated, happened = [], []
    fit = ExactPosterior(likelihood, prior, scaling="none", sensitivity=False)
    code = 1 << np.arange(D * D)
    for k, truth in enumerate(truths):
        mask = rng.random((N, D)) < (0.3 if with_interventions else 0.0)
        x, weights = draw(truth, rng, N, mask)
        given = {"intervened": mask} if with_interventions else {}
        posterior = fit.fit(x, **given).posterior_
        graphs, w = posterior.graphs, posterior.weights
        paths = transitive_closure(torch.from_numpy(graphs)).sum((1, 2)).numpy()
        true_paths = int(transitive_closure(torch.from_numpy(truth)).sum())
        pits["n_edges"].append(randomised_pit(graphs.sum((1, 2)), w, truth.sum(), rng))
        pits["n_paths"].append(randomised_pit(paths, w, true_paths, rng))
        flat = graphs.reshape(-1, D * D) @ code
        pits["graph"].append(randomised_pit(flat, w, truth.reshape(-1) @ code, rng))
        effect = posterior.effect("x0", "x2", n_draws=99, random_state=k).draws[:, 0]
        true_effect = np.linalg.inv(np.eye(D) - weights)[0, 2]
        # The truth and 99 draws are exchangeable: its rank, ties broken at random.
        below, ties = (effect < true_effect).sum(), (effect == true_effect).sum()
        pits["effect"].append(float((below + rng.random() * (ties + 1)) / 100))
        off = ~np.eye(D, dtype=bool)
        p = posterior.edge_probabilities()
        stated.append(p[off])
        happened.append(truth[off])
    for name, values in pits.items():
        p_value = rank_p_value(np.array(values))
        assert p_value > 1e-3, f"{name}: {p_value:.1e}"
    # Edge 0 -> 1 alone, so that the events are independent across repeats.
    p, y = np.array(stated)[:, 0], np.array(happened)[:, 0]
    z = (y - p).sum() / np.sqrt((p * (1 - p)).sum())
    assert abs(z) < stats.norm.isf(0.5e-3), f"edge 0 -> 1 happens too often or rarely: z = {z:.1f}"
    for bin_p, bin_y, n in zip(*reliability(p, y, n_bins=5), strict=True):
        law_of_bin = stats.binomtest(round(bin_y * n), int(n), min(max(bin_p, 1e-9), 1 - 1e-9))
        assert law_of_bin.pvalue > 2e-4, f"stated {bin_p:.2f}, observed {bin_y:.2f} of {n}"


def test_the_wrong_prior_is_noticed():
    """The power of the check: scale-free truths under a uniform prior fail it."""
    rng = np.random.default_rng(21)
    truths = ScaleFree().sample(400, D, torch.Generator().manual_seed(2)).numpy()
    likelihood = BGe(alpha_mu=ALPHA_MU)
    fit = ExactPosterior(likelihood, "uniform", scaling="none", sensitivity=False)
    pits = []
    for truth in truths:
        x, _ = bge_rows(truth, rng, N, np.zeros((N, D), dtype=bool))
        posterior = fit.fit(x).posterior_
        edges = posterior.graphs.sum((1, 2))
        pits.append(randomised_pit(edges, posterior.weights, truth.sum(), rng))
    assert rank_p_value(np.array(pits)) < 1e-3
