"""The exact posterior against golden enumerations, interventions and knowledge."""

import itertools
import math
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone

from aetia.discovery import ExactConfig, ExactPosterior
from aetia.errors import DataWarning, InputError
from aetia.graphs import Knowledge, all_dags, is_acyclic
from aetia.likelihoods import BGe, LinearGaussian


@dataclass(frozen=True)
class CoinFlips:
    """A user's own law: q^E (1-q)^(pairs - E)."""

    q: float

    def log_prob(self, graphs):
        d = graphs.shape[-1]
        n = graphs.sum((-2, -1))
        return n * math.log(self.q) + (d * (d - 1) / 2 - n) * math.log(1 - self.q)

    def sample(self, n, d, generator):
        raise NotImplementedError


PRIORS = {"uniform": "uniform", "er_p0.2": CoinFlips(0.2), "sf": "scale-free"}


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.filterwarnings("ignore::aetia.errors.DataWarning")
def test_the_posterior_is_the_golden_enumeration(dibs_golden, case, prior):
    golden = dibs_golden["exact_posterior_bge"][case]
    x = np.array(golden["x"])
    fitted = ExactPosterior(BGe(alpha_mu=1.0), PRIORS[prior], "none").fit(x)
    posterior, expected = fitted.posterior_, golden[prior]
    assert len(posterior.graphs) == golden["n_dags"]
    close = {"rtol": 1e-10, "atol": 1e-10}
    np.testing.assert_allclose(posterior.edge_probabilities(), expected["edge_marginals"], **close)
    assert fitted.log_evidence_ == pytest.approx(expected["log_evidence_unnorm"], abs=1e-10)
    assert posterior.edge_probabilities().sum() == pytest.approx(expected["expected_edges"])
    assert posterior.diagnostics["entropy_nats"] == pytest.approx(expected["entropy"], abs=1e-10)
    metrics = posterior.compare(np.array(golden["true_g"]))
    assert metrics["expected_shd"] == pytest.approx(expected["expected_shd_to_true"], abs=1e-10)
    for top in expected["top"]:
        at = (posterior.graphs == np.array(top["g"], dtype=bool)).all((1, 2))
        assert at.sum() == 1
        assert float(posterior.weights[at][0]) == pytest.approx(top["p"], abs=1e-10)


def test_marginals_are_the_sums_over_the_draws():
    x = np.random.default_rng(0).normal(size=(30, 4))
    posterior = ExactPosterior("bge").fit(x).posterior_
    assert posterior.weights.sum() == pytest.approx(1.0)
    total = np.einsum("s,sij->ij", posterior.weights, posterior.graphs)
    np.testing.assert_allclose(posterior.edge_probabilities(), total, rtol=1e-12)
    assert (total + total.T <= 1 + 1e-12).all()
    assert not np.diag(total).any()


@given(st.permutations(range(3)), st.integers(0, 100))
def test_relabelling_the_columns_relabels_the_posterior(order, seed):
    x = np.random.default_rng(seed).normal(size=(15, 3))
    x[:, 1] += x[:, 0]
    plain = ExactPosterior("bge").fit(x).posterior_.edge_probabilities()
    moved = ExactPosterior("bge").fit(x[:, order]).posterior_.edge_probabilities()
    np.testing.assert_allclose(moved, plain[np.ix_(order, order)], atol=1e-10)


def test_the_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(25, 3)), rng.random((25, 3)) < 0.2
    order = rng.permutation(25)
    plain = ExactPosterior("bge").fit(x, intervened=mask).posterior_
    moved = ExactPosterior("bge").fit(x[order], intervened=mask[order]).posterior_
    np.testing.assert_allclose(plain.edge_probabilities(), moved.edge_probabilities(), atol=1e-10)


def test_observations_leave_the_direction_open_and_interventions_decide_it():
    """BGe gives both directions the same probability; setting the cause breaks the tie."""
    rng = np.random.default_rng(0)
    cause = rng.normal(size=300)
    effect = cause + rng.normal(size=300)
    frame = pd.DataFrame({"cause": cause, "effect": effect})
    p = ExactPosterior("bge").fit(frame).posterior_.edge_probabilities()
    assert p[0, 1] == pytest.approx(p[1, 0])
    assert p.sum() > 0.99
    for target in (0, 1):
        mask = np.zeros((600, 2), dtype=bool)
        mask[300:, target] = True
        c, e = rng.normal(size=(2, 300))
        if target == 0:
            c = 2 * c
            e = c + e
        else:
            e = 3 * e  # set by the experimenter: no longer follows the cause
        rows = np.concatenate([frame.to_numpy(), np.column_stack([c, e])])
        q = ExactPosterior("bge").fit(rows, intervened=mask).posterior_.edge_probabilities()
        assert q[0, 1] > 0.99


def test_a_variable_that_was_always_set_tells_nothing_of_its_causes():
    """Its own evidence is 1, so the odds of i -> j given the rest are those of the prior."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 2))
    x[:, 1] += 5 * x[:, 0]
    mask = np.zeros((50, 2), dtype=bool)
    mask[:, 1] = True
    with pytest.warns(DataWarning, match="every row"):
        posterior = ExactPosterior("bge").fit(x, intervened=mask).posterior_
    # Given that x1 does not cause x0, the empty graph and x0 -> x1 are equally likely.
    empty = posterior.weights[~posterior.graphs.any((1, 2))].sum()
    assert posterior.edge_probabilities()[0, 1] == pytest.approx(float(empty))


@pytest.mark.parametrize("with_interventions", [False, True])
def test_the_linear_posterior_is_the_sum_of_dense_normal_laws(with_interventions):
    """Evidence of each graph by scipy: x_j ~ N(0, v I + s^2 X_P X_P^T), column by column."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(12, 3))
    x[:, 2] += x[:, 0]
    v, s = 0.7, 1.3
    mask = rng.random(x.shape) < 0.25 if with_interventions else np.zeros(x.shape, dtype=bool)
    log_joint = []
    for g in all_dags(3).numpy():
        total = 0.0
        for j in range(3):
            rows = x[~mask[:, j]]
            parents = rows[:, g[:, j]]
            covariance = v * np.eye(len(rows)) + s**2 * parents @ parents.T
            total += stats.multivariate_normal(np.zeros(len(rows)), covariance).logpdf(rows[:, j])
        log_joint.append(total)
    weights = np.exp(log_joint - np.logaddexp.reduce(log_joint))
    likelihood = LinearGaussian(noise_variance=v, theta_prior_scale=s)
    fit = ExactPosterior(likelihood, "uniform", "none")
    posterior = fit.fit(x, intervened=mask if with_interventions else None).posterior_
    np.testing.assert_allclose(posterior.weights, weights, atol=1e-10)
    assert fit.log_evidence_ == pytest.approx(np.logaddexp.reduce(log_joint), abs=1e-8)


NAMES = ("a", "b", "c", "d")
PAIRS = list(itertools.permutations(NAMES, 2))


@given(
    st.lists(st.sampled_from(PAIRS), max_size=2, unique=True),
    st.lists(st.sampled_from(PAIRS), max_size=3, unique=True),
    st.sampled_from([(), (("a", "b"), ("c", "d")), (("d",), ("a",))]),
    st.sampled_from(["bge", "linear"]),
)
def test_hard_knowledge_holds_in_every_draw_and_nothing_else_is_lost(
    required, forbidden, tiers, likelihood
):
    try:
        knowledge = Knowledge(required=required, forbidden=forbidden, tiers=tiers)
    except InputError:
        return  # a contradiction: another test's business
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 4)), columns=list(NAMES))
    posterior = ExactPosterior(likelihood=likelihood).fit(x, knowledge=knowledge).posterior_

    def obeys(g):
        edges = {(NAMES[i], NAMES[j]) for i, j in zip(*np.nonzero(g), strict=True)}
        tier = {n: k for k, names in enumerate(tiers) for n in names}
        backward = any(tier.get(a, -1) > tier.get(b, 99) for a, b in edges)
        return set(required) <= edges and not set(forbidden) & edges and not backward

    allowed = {g.tobytes() for g in all_dags(4).numpy() if obeys(g)}
    assert {g.tobytes() for g in posterior.graphs} == allowed


def test_a_belief_multiplies_the_odds_of_its_edge():
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=list("abc"))
    plain = ExactPosterior("bge").fit(x).posterior_
    told = ExactPosterior("bge").fit(x, knowledge={"beliefs": {"a -> b": 0.8}}).posterior_
    before, after = (p.edge_probabilities()[0, 1] for p in (plain, told))
    assert after / (1 - after) == pytest.approx(0.8 / 0.2 * before / (1 - before))


def test_all_graphs_of_five_columns_and_draws_beyond():
    x = np.random.default_rng(0).normal(size=(30, 26))
    assert len(ExactPosterior("bge").fit(x[:, :5]).posterior_.graphs) == 29_281
    six = ExactPosterior("bge", random_state=0).fit(x[:, :6]).posterior_
    assert six.diagnostics["exact"] == "order programme"
    assert six.diagnostics["ess"] >= 2_000
    with pytest.raises(InputError, match="at most 25 columns"):
        ExactPosterior("bge").fit(x)
    with pytest.raises(InputError, match="integrated out"):
        ExactPosterior(likelihood="mlp").fit(x[:, :3])


def test_draws_are_all_acyclic_and_the_config_is_recorded():
    x = np.random.default_rng(0).normal(size=(30, 4))
    posterior = ExactPosterior(prior="scale-free").fit(x).posterior_
    assert bool(is_acyclic(torch.from_numpy(posterior.graphs)).all())
    assert posterior.facts.config["prior"] == "scale-free"
    assert posterior.facts.config.keys() == {f.name for f in fields(ExactConfig)}
    assert posterior.diagnostics["n_rows"] == 30


def test_defaults_of_config_and_estimator_agree():
    params = ExactPosterior().get_params()
    config = ExactConfig()
    options = {f.name: getattr(config, f.name) for f in fields(ExactConfig)}
    assert params == options | {"random_state": None}
    assert clone(ExactPosterior(prior="uniform")).get_params()["prior"] == "uniform"
