"""BGe against golden numbers, dense determinants, exact posteriors and score equivalence."""

import math

import numpy as np
import pytest
import torch
from scipy.special import gammaln

from aetia.errors import InputError
from aetia.graphs import ErdosRenyi, ScaleFree, all_dags, cpdag
from aetia.likelihoods import BGe, Moments
from aetia.likelihoods.parent_sets import ParentSetScores


def posterior_scale(x, alpha_mu=1.0, alpha_w=None):
    """R of the card, section 5.1, and its degrees of freedom."""
    n, d = x.shape
    alpha_w = alpha_w or d + 2
    t = alpha_mu * (alpha_w - d - 1) / (alpha_mu + 1)
    mean = x.mean(0)
    scatter = (x - mean).T @ (x - mean)
    r = t * np.eye(d) + scatter + n * alpha_mu / (n + alpha_mu) * np.outer(mean, mean)
    return r, alpha_w, t


def direct_node_score(x, parents, j, alpha_mu=1.0, alpha_w=None):
    """The formula of the card with dense determinants."""
    n, d = x.shape
    r, alpha_w, t = posterior_scale(x, alpha_mu, alpha_w)
    parents = list(parents)
    l, free = len(parents), alpha_w - d
    _, det = np.linalg.slogdet(r[np.ix_(parents, parents)]) if parents else (1, 0.0)
    _, det_with = np.linalg.slogdet(r[np.ix_([*parents, j], [*parents, j])])
    return (
        0.5 * math.log(alpha_mu / (n + alpha_mu))
        + gammaln(0.5 * (n + free + l + 1))
        - gammaln(0.5 * (free + l + 1))
        - 0.5 * n * math.log(math.pi)
        + 0.5 * (free + 2 * l + 1) * math.log(t)
        + 0.5 * (n + free + l) * det
        - 0.5 * (n + free + l + 1) * det_with
    )


@pytest.fixture
def golden(dibs_golden):
    scores = dibs_golden["scores"]
    x = torch.tensor(scores["x"], dtype=torch.float64)
    return scores, x, torch.tensor(scores["interv_mask"]).bool()


def close(values, expected):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(values, expected, rtol=1e-8, atol=1e-8)


def test_scores_match_the_golden_numbers_with_and_without_interventions(golden):
    scores, x, intervened = golden
    graphs = torch.tensor([row["g"] for row in scores["rows"]]).bool()
    close(
        BGe(alpha_mu=1.0).on(x).node_scores(graphs).sum(-1), [row["bge"] for row in scores["rows"]]
    )
    with_interventions = BGe(alpha_mu=1.0).on(x, intervened).node_scores(graphs).sum(-1)
    close(with_interventions, [row["bge_interv"] for row in scores["rows"]])


def test_soft_scores_match_the_golden_number_and_the_hard_scores_at_the_corners(golden):
    scores, x, intervened = golden
    soft = torch.tensor(scores["soft"]["g_soft"], dtype=torch.float64)
    close(BGe(alpha_mu=1.0).on(x).node_scores(soft).sum(), scores["soft"]["bge"])
    graphs = torch.tensor([row["g"] for row in scores["rows"]]).bool()
    for mask in (None, intervened):
        score = BGe(alpha_mu=1.0).on(x, mask)
        close(score.node_scores(graphs.double()), score.node_scores(graphs))


def test_the_soft_gradient_is_that_of_finite_differences(golden):
    scores, x, intervened = golden
    score = BGe(alpha_mu=1.0).on(x, intervened)
    soft = torch.tensor(scores["soft"]["g_soft"], dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(score.node_scores(soft).sum(), soft)
    for i, j in [(0, 1), (3, 2), (4, 0), (1, 4)]:
        bump = torch.zeros_like(gradient)
        bump[i, j] = 1e-5
        with torch.no_grad():
            up, down = (score.node_scores(soft + s * bump).sum() for s in (1, -1))
        assert gradient[i, j].item() == pytest.approx(((up - down) / 2e-5).item(), rel=1e-5)


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("prior", ["uniform", "er_p0.2", "sf"])
def test_the_posterior_over_all_dags_matches_the_golden_one(dibs_golden, case, prior):
    case = dibs_golden["exact_posterior_bge"][case]
    d, expected = case["d"], case[prior]
    graphs = all_dags(d)
    x = torch.tensor(case["x"], dtype=torch.float64)
    scores = BGe(alpha_mu=1.0).on(x).node_scores(graphs).sum(-1)
    laws = {"er_p0.2": ErdosRenyi(edges_per_node=0.1 * (d - 1)), "sf": ScaleFree()}
    joint = scores + laws[prior].log_prob(graphs.double()) if prior in laws else scores
    log_p = joint - joint.logsumexp(0)
    marginals = torch.einsum("s,sij->ij", log_p.exp(), graphs.double())
    close(joint.logsumexp(0), expected["log_evidence_unnorm"])
    close(marginals, expected["edge_marginals"])
    close(-(log_p.exp() * log_p).sum(), expected["entropy"])


def test_markov_equivalent_graphs_score_the_same(dibs_golden):
    x = torch.tensor(dibs_golden["exact_posterior_bge"][3]["x"], dtype=torch.float64)
    graphs = all_dags(4)
    scores = BGe(alpha_mu=2.5, alpha_w=7.5).on(x).node_scores(graphs).sum(-1)
    _, label = cpdag(graphs).reshape(543, -1).unique(dim=0, return_inverse=True)
    for k in range(185):
        group = scores[label == k]
        assert group.max() - group.min() < 1e-9
    assert scores.max() - scores.min() > 1


def test_a_variable_set_in_every_row_scores_zero(golden):
    scores, x, intervened = golden
    intervened = intervened.clone()
    intervened[:, 2] = True
    score = BGe(alpha_mu=1.0).on(x, intervened)
    graphs = torch.tensor([row["g"] for row in scores["rows"]]).bool()
    assert not score.node_scores(graphs)[:, 2].any()
    soft = torch.tensor(scores["soft"]["g_soft"], dtype=torch.float64)
    assert score.node_scores(soft)[2].abs() < 1e-10


def test_an_intervention_changes_only_the_term_of_its_target(golden):
    scores, x, _ = golden
    graphs = torch.tensor([row["g"] for row in scores["rows"]]).bool()
    mask = torch.zeros_like(x, dtype=torch.bool)
    mask[5:20, 3] = True
    plain, with_mask = (
        BGe(alpha_mu=1.0).on(x).node_scores(graphs),
        BGe(alpha_mu=1.0).on(x, mask).node_scores(graphs),
    )
    others = [0, 1, 2, 4]
    close(with_mask[:, others], plain[:, others])
    assert ((with_mask - plain)[:, 3].abs() > 1e-3).all()
    rest = np.delete(x.numpy(), range(5, 20), axis=0)
    expected = [direct_node_score(rest, g[:, 3].nonzero().flatten(), 3) for g in graphs]
    close(with_mask[:, 3], expected)


@pytest.mark.parametrize("d", [7, 60])  # 60: above the 48 variables whose keys are exact
def test_remembered_scores_are_those_of_dense_determinants(d):
    rng = np.random.default_rng(d)
    x = rng.normal(size=(30, d)) @ (np.eye(d) + 0.3 * rng.normal(size=(d, d)))
    upper = np.triu(rng.random((6, d, d)) < 4 / d, 1)
    graphs = np.stack(
        [
            g[p][:, p]
            for g, p in zip(upper, rng.permuted(np.tile(np.arange(d), (6, 1)), axis=1), strict=True)
        ]
    )
    expected = [
        [direct_node_score(x, np.flatnonzero(g[:, j]), j) for j in range(d)] for g in graphs
    ]
    score = BGe(alpha_mu=1.0).on(torch.tensor(x))
    for part in (slice(0, 2), slice(1, 6), slice(0, 6)):
        close(score.node_scores(torch.tensor(graphs[part])), expected[part])


def test_no_parent_set_is_scored_twice(golden):
    _, x, _ = golden
    score = BGe(alpha_mu=1.0).on(x[:, :4])
    graphs = all_dags(4)
    first = score.node_scores(graphs)
    assert score._table.n_scored == 4 * 2**3
    assert torch.equal(score.node_scores(graphs.flip(0)), first.flip(0))
    assert score._table.n_scored == 4 * 2**3


@pytest.mark.parametrize("max_entries", [1, 7, 1000])
@pytest.mark.parametrize("d", [4, 60])
def test_the_table_is_right_however_small_it_is(d, max_entries):
    value = torch.linspace(0.1, 1.0, d, dtype=torch.float64).sqrt()

    def score(parents, node):
        return 100.0 * node + parents.double() @ value

    table = ParentSetScores(d, score, max_entries=max_entries)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        graphs = torch.rand(3, 4, d, d, generator=generator) < 0.3
        expected = 100.0 * torch.arange(d) + torch.einsum("...ij,i->...j", graphs.double(), value)
        close(table(graphs), expected)


def test_the_scale_multiplies_the_evidence(golden):
    scores, x, intervened = golden
    graphs = torch.tensor([row["g"] for row in scores["rows"]]).bool()
    plain = BGe(alpha_mu=1.0).on(x, intervened).node_scores(graphs)
    close(
        BGe(alpha_mu=1.0).on(x, intervened, likelihood_scale=2.5).node_scores(graphs), 2.5 * plain
    )


def test_relabelling_the_variables_relabels_the_terms(golden):
    scores, x, intervened = golden
    graphs = torch.tensor([row["g"] for row in scores["rows"]]).bool()
    p = [3, 0, 4, 2, 1]
    close(
        BGe(alpha_mu=1.0).on(x[:, p], intervened[:, p]).node_scores(graphs[:, p][:, :, p]),
        BGe(alpha_mu=1.0).on(x, intervened).node_scores(graphs)[:, p],
    )


@pytest.mark.parametrize("with_interventions", [False, True])
def test_the_weight_posterior_is_least_squares_on_the_posterior_scale(golden, with_interventions):
    """Given Sigma ~ IW(R, N + alpha_w), v_j ~ IG(nu / 2, residual / 2), nu = N+alpha_w-d+l+1."""
    scores, x, intervened = golden
    graphs = torch.tensor([row["g"] for row in scores["rows"]]).bool()
    mask = intervened if with_interventions else torch.zeros_like(intervened)
    moments = Moments.of(x, intervened if with_interventions else None)
    posterior = BGe(alpha_mu=1.0).weight_posterior(graphs, moments)
    noise, covariance = posterior.noise_mean(), posterior.covariance()
    for s, g in enumerate(graphs):
        for j in range(5):
            parents = g[:, j].nonzero().flatten().tolist()
            r, alpha_w, _ = posterior_scale(x[~mask[:, j]].numpy())
            n = int((~mask[:, j]).sum())
            weights = np.zeros(5)
            root = np.linalg.cholesky(r).T  # R = root^T root: regress its columns
            residual = root[:, j]
            if parents:
                fit = np.linalg.lstsq(root[:, parents], root[:, j], rcond=None)[0]
                weights[parents] = fit
                residual = residual - root[:, parents] @ fit
            half = 0.5 * (n + alpha_w - 5 + len(parents) + 1)
            variance = 0.5 * residual @ residual / (half - 1)
            close(posterior.mean[s, :, j], weights)
            close(noise[s, j], variance)
            expected = np.zeros((5, 5))
            if parents:
                block = np.ix_(parents, parents)
                expected[block] = variance * np.linalg.inv(r[block])
            close(covariance[s, j], expected)


@pytest.mark.parametrize("alpha_w", [6.0, 4.0])
def test_too_few_degrees_of_freedom_are_refused(golden, alpha_w):
    _, x, _ = golden
    with pytest.raises(InputError, match="alpha_w"):
        BGe(alpha_w=alpha_w).on(x)
