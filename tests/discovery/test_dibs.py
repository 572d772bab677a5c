"""DiBS against exact gradients, hand-made schedules, and what every run must hold."""

import inspect
import itertools
import pkgutil
import re
import warnings
from dataclasses import fields
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import aetia.discovery.dibs as dibs_package
from aetia.discovery import DiBS, DiBSConfig, ExactPosterior, Schedule
from aetia.discovery.dibs.gradients import (
    acyclicity_gradient,
    graph_weights,
    likelihood_gradient,
    prior_gradient,
)
from aetia.discovery.dibs.latent import (
    edge_probabilities,
    edge_scores,
    latent_gradient,
    latent_log_prior,
    limit_graphs,
    soft_graphs,
    uniform_noise,
)
from aetia.discovery.dibs.particles import distinct_graphs, particle_log_weights
from aetia.discovery.dibs.settling import settle
from aetia.errors import (
    ConvergenceError,
    ConvergenceWarning,
    DataWarning,
    InputError,
    NumericalError,
)
from aetia.graphs import (
    ACYCLICITY,
    Constraints,
    ErdosRenyi,
    Knowledge,
    ScaleFree,
    UniformDAGs,
    is_acyclic,
)
from aetia.likelihoods import MLP, BGe, LinearGaussian
from aetia.samplers import Adam, ClippedAscent, FixedBandwidth, MedianBandwidth, RMSprop

pytestmark = pytest.mark.filterwarnings("ignore::aetia.errors.ConvergenceWarning")

TINY = {
    "n_particles": 4,
    "n_steps": 30,
    "n_likelihood_graphs": 8,
    "n_acyclicity_graphs": 4,
    "n_settling_steps": 10,
    "optimiser": {"name": "rmsprop", "step_size": 0.2},
    "beta": 1e5,
    "progress": False,
    "random_state": 0,
}


def tiny(**options):
    return DiBS(**(TINY | options))


def chain(n=60, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = 1.5 * a + rng.normal(size=n)
    c = -b + rng.normal(size=n)
    return pd.DataFrame({"a": a, "b": b, "c": c})


def free(d, dtype=torch.float64):
    """No knowledge: only the diagonal is decided."""
    none = torch.zeros(d, d, dtype=torch.bool)
    return Constraints(none, torch.eye(d).bool(), torch.zeros(d, d, dtype=dtype))


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


# -- gradients against the sum over 64 graphs ---------------------------------------------


@pytest.fixture
def latent(dibs_golden):
    golden = dibs_golden["latent"]
    x, z, theta = (tensor(golden[k]) for k in ("x", "z", "theta"))
    likelihoods = {
        "lin": LinearGaussian(noise_variance=golden["obs_noise"]).on(x),
        "bge": BGe(alpha_mu=1.0).on(x),
    }
    return golden, likelihoods, z, theta


def estimates(latent, name, exact, *, m, repeats, weights, estimator="score", seed=0):
    """Independent estimates of the gradient in Z (and theta) at one annealing step."""
    _, likelihoods, z, theta = latent
    alpha = exact["alpha"]
    z = z.expand(repeats, 3, 3, 2)
    scores = edge_scores(z)
    noise = uniform_noise((repeats, m, 3), scores, torch.Generator().manual_seed(seed))
    result = likelihood_gradient(
        likelihoods[name],
        {"theta": theta.expand(repeats, 3, 3).contiguous()} if name == "lin" else {},
        soft_graphs(noise, scores, alpha, 1.0, free(3)),
        edge_probabilities(scores, alpha, free(3)),
        estimator=estimator,
        weights=weights,
        alpha=alpha,
        temperature=1.0,
        constraints=free(3),
    )
    return result, latent_gradient(result.by_score, z)


@pytest.mark.parametrize("k", range(3))
def test_edge_probabilities_are_golden(latent, k):
    golden, _, z, _ = latent
    exact = golden["exact"][k]
    p = edge_probabilities(edge_scores(z[None]), exact["alpha"], free(3))[0]
    torch.testing.assert_close(p, tensor(exact["edge_probs"]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("name", ["lin", "bge"])
@pytest.mark.parametrize("weights", ["node", "joint"])
def test_the_score_estimator_has_the_exact_gradient_as_its_mean(latent, k, name, weights):
    """40 estimates of 8192 graphs: 18 entries of Z, 6 of theta and the value, Student with 39
    degrees at 5.5 each: 7e-5 false alarms. The bias of self-normalising is far below that."""
    exact = latent[0]["exact"][k]
    result, by_z = estimates(latent, name, exact, m=8192, repeats=40, weights=weights)
    pairs = [(by_z, exact[f"grad_z_{name}"]), (result.log_expectation, exact[f"log_E_{name}"])]
    if name == "lin":
        pairs.append((result.by_parameter["theta"], exact["grad_theta_lin"]))
    for got, expected in pairs:
        error = got.mean(0) - tensor(expected)
        standard = got.std(0) / 40**0.5
        assert (error.abs() <= 5.5 * standard + 1e-6).all(), (error / standard).abs().max()


@pytest.mark.parametrize("k", [0, 1, 2])
@pytest.mark.parametrize("name", ["lin", "bge"])
def test_node_weights_have_less_error_and_it_shrinks_with_more_graphs(latent, k, name):
    """The card measured two- to tenfold less at M = 128, with 60 repeats; so do we."""
    exact = latent[0]["exact"][k]

    def rmse(weights, m):
        _, by_z = estimates(latent, name, exact, m=m, repeats=60, weights=weights, seed=k)
        return float((by_z - tensor(exact[f"grad_z_{name}"])).square().mean().sqrt())

    node, joint = rmse("node", 128), rmse("joint", 128)
    assert node < joint
    assert rmse("node", 4096) < 0.5 * node
    assert rmse("joint", 4096) < 0.8 * joint


@pytest.mark.parametrize("weights", ["node", "joint"])
@pytest.mark.parametrize("name", ["lin", "bge"])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_the_reparameterised_gradient_is_that_of_the_log_mean(latent, weights, name, temperature):
    """With the noise held, autograd of log mean exp F, or of its sum over the columns."""
    _, likelihoods, z, theta = latent
    alpha, m = 2.0, 50
    noise = uniform_noise((1, m, 3), z, torch.Generator().manual_seed(0))
    leaf, theta = z[None].clone().requires_grad_(), theta[None]
    soft = torch.sigmoid(temperature * (torch.logit(noise) + alpha * edge_scores(leaf)[:, None]))
    soft = soft * (1 - torch.eye(3))
    args = ({"theta": theta},) if name == "lin" else ()
    f = likelihoods[name].node_scores(soft, *args)
    f = f if weights == "node" else f.sum(-1, keepdim=True)
    value = (f.logsumexp(1) - np.log(m)).sum()
    (expected,) = torch.autograd.grad(value, leaf)
    scores = edge_scores(z[None])
    result = likelihood_gradient(
        likelihoods[name],
        {"theta": theta} if name == "lin" else {},
        soft_graphs(noise, scores, alpha, temperature, free(3)),
        edge_probabilities(scores, alpha, free(3)),
        estimator="reparam",
        weights=weights,
        alpha=alpha,
        temperature=temperature,
        constraints=free(3),
    )
    torch.testing.assert_close(
        latent_gradient(result.by_score, z[None]), expected, rtol=1e-9, atol=1e-9
    )
    if name == "bge":
        torch.testing.assert_close(result.log_expectation[0], value.detach())


@pytest.fixture
def fixed_noise(latent):
    golden, likelihoods, z, theta = latent
    fixed = golden["fixed_noise"]
    noise = torch.sigmoid(tensor(fixed["eps"]))[None]
    scores = edge_scores(z[None])
    soft = soft_graphs(noise, scores, fixed["alpha"], fixed["tau"], free(3))
    return fixed, likelihoods["lin"], z[None], theta[None], scores, soft


def test_soft_graphs_of_given_noise_are_golden(fixed_noise):
    fixed, likelihood, _, theta, _, soft = fixed_noise
    torch.testing.assert_close(soft[0], tensor(fixed["soft_graphs"]), rtol=1e-10, atol=1e-10)
    joint = likelihood.node_scores(soft, {"theta": theta}).sum(-1)[0]
    torch.testing.assert_close(joint, tensor(fixed["log_joint"]), rtol=1e-9, atol=1e-9)


def test_the_reparameterised_gradient_of_given_noise_is_golden(fixed_noise):
    fixed, likelihood, z, theta, scores, soft = fixed_noise
    result = likelihood_gradient(
        likelihood,
        {"theta": theta},
        soft,
        edge_probabilities(scores, fixed["alpha"], free(3)),
        estimator="reparam",
        weights="joint",
        alpha=fixed["alpha"],
        temperature=fixed["tau"],
        constraints=free(3),
    )
    got = latent_gradient(result.by_score, z)[0]
    torch.testing.assert_close(got, tensor(fixed["reparam_grad_z"]), rtol=1e-8, atol=1e-8)


def test_the_acyclicity_gradient_of_given_noise_is_golden(fixed_noise):
    fixed, _, z, _, _, soft = fixed_noise
    by_score, h = acyclicity_gradient(
        ACYCLICITY["power"], soft, alpha=fixed["alpha"], temperature=fixed["tau"]
    )
    got = latent_gradient(by_score, z)[0]
    torch.testing.assert_close(got, tensor(fixed["grad_h_soft_mean"]), rtol=1e-9, atol=1e-9)
    dense = [
        np.trace(np.linalg.matrix_power(np.eye(3) + np.array(g) / 3, 3)) - 3
        for g in fixed["soft_graphs"]
    ]
    assert float(h) == pytest.approx(np.mean(dense), abs=1e-9)


def test_the_prior_gradient_is_golden_and_that_of_finite_differences(fixed_noise):
    fixed, _, z, _, scores, _ = fixed_noise
    alpha = fixed["alpha"]
    p = edge_probabilities(scores, alpha, free(3))
    even = ErdosRenyi(edges_per_node=0.5)  # q = 1/2 on three variables
    assert even.edge_probability(3) == pytest.approx(fixed["er_p"])
    by_score, _ = prior_gradient(even, p, alpha=alpha, constraints=free(3))
    got = latent_gradient(by_score, z)[0]
    torch.testing.assert_close(got, tensor(fixed["grad_er_prior"]), rtol=1e-9, atol=1e-12)

    beliefs = free(3)._replace(log_odds=tensor([[0, 2.0, 0], [-1, 0, 0], [0, 0, 0]]))
    for prior in (UniformDAGs(), ErdosRenyi(edges_per_node=0.3), ScaleFree()):

        def value(zz, prior=prior):
            q = edge_probabilities(edge_scores(zz), alpha, beliefs)
            return float(prior.log_prob(q).sum() + (q * beliefs.log_odds).sum())

        by_score, log_prior = prior_gradient(prior, p, alpha=alpha, constraints=beliefs)
        assert float(log_prior) == pytest.approx(value(z))
        got = latent_gradient(by_score, z)
        for at in itertools.product([0], range(3), range(3), range(2)):
            step = torch.zeros_like(z)
            step[at] = 1e-5
            slope = (value(z + step) - value(z - step)) / 2e-5
            assert float(got[at]) == pytest.approx(slope, abs=1e-7)


def test_hard_graphs_are_exact_draws_and_the_gradient_is_never_nan():
    """50,000 Bernoulli draws, 6 entries, z < 4.5; scores that span 1e5 nats stay finite."""
    scores = torch.randn(1, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    noise = uniform_noise((1, 50_000, 3), scores, torch.Generator().manual_seed(1))
    for temperature in (1.0, 0.3):
        soft = soft_graphs(noise, scores, 1.7, temperature, free(3))
        p = edge_probabilities(scores, 1.7, free(3))[0]
        z = ((soft[0] > 0.5).double().mean(0) - p) / (p * (1 - p) / 50_000).sqrt()
        assert z[~torch.eye(3).bool()].abs().max() < 4.5
    wide = torch.tensor([[[0.0, 1e5, -1e5], [3.0, 0.0, 7.0]]]).double()
    for kind in ("node", "joint"):
        w = graph_weights(wide, kind)
        assert w.isfinite().all()
        torch.testing.assert_close(w.sum(1), torch.ones(1, 3, dtype=torch.float64))
    huge = torch.tensor([[[0.0, 500.0], [-500.0, 0.0]]])
    for alpha in (1.0, 1000.0):
        noise = uniform_noise((1, 100, 2), huge, torch.Generator().manual_seed(2))
        soft = soft_graphs(noise, huge, alpha, 1.0, free(2, torch.float32))
        assert soft.isfinite().all()
        assert (soft[0, :, 0, 1] == 1).all()


def test_the_latent_prior_is_that_of_scipy():
    z = torch.randn(2, 3, 3, 2, generator=torch.Generator().manual_seed(0)).double()
    expected = stats.norm(scale=0.6).logpdf(z.numpy()).reshape(2, -1).sum(1)
    np.testing.assert_allclose(latent_log_prior(z, 0.6), expected)


def test_decided_edges_are_decided_everywhere():
    c = free(3)
    c.forbidden[0, 1] = True
    c.required[1, 2] = True
    scores = torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    p = edge_probabilities(scores, 2.0, c)
    noise = uniform_noise((4, 10, 3), scores, torch.Generator().manual_seed(1))
    soft = soft_graphs(noise, scores, 2.0, 1.0, c)
    for g in (p, soft, limit_graphs(scores, c)):
        assert (g[..., 0, 1] == 0).all()
        assert (g[..., 1, 2] == 1).all()
        assert (g.diagonal(dim1=-2, dim2=-1) == 0).all()


# -- schedules ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "steps", "expected"),
    [
        (Schedule(slope=0.2), 10, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8]),
        (Schedule(final=5.0), 10, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5]),
        (Schedule(final=4.0, delay=0.5), 8, [0, 0, 0, 0, 0, 1, 2, 3]),
        (Schedule(final=4.0, ramp=0.5), 8, [0, 1, 2, 3, 4, 4, 4, 4]),
        (Schedule(final=4.0, delay=0.25, ramp=0.5), 8, [0, 0, 0, 1, 2, 3, 4, 4]),
        (Schedule(slope=1.0, ceiling=2.5), 5, [0.0, 1.0, 2.0, 2.5, 2.5]),
        (Schedule(final=3.0, kind="constant"), 3, [3.0, 3.0, 3.0]),
        (Schedule(slope=3.0, kind="constant"), 3, [3.0, 3.0, 3.0]),
        (Schedule(final=1000.0, kind="exponential"), 3, [1.0, 10.0, 100.0]),
        (Schedule(final=1000.0, kind="exponential", ramp=0.75), 4, [1, 10, 100, 1000]),
        (Schedule(final=1000.0, kind="exponential", delay=0.25), 4, [1, 1, 10, 100]),
        (Schedule(slope=1.0, kind="warm-up"), 4, [2.0, 2.5, 3 + 1 / 3, 4.25]),
        (Schedule(slope=0.1, kind="warm-up", ceiling=0.3), 4, [0.2, 0.25, 0.3, 0.3]),
    ],
)
def test_schedules_by_hand(schedule, steps, expected):
    assert [schedule(t, steps) for t in range(steps)] == pytest.approx(expected)


def test_an_exponential_schedule_with_a_slope_rises_to_slope_times_steps():
    schedule = Schedule(slope=0.1, kind="exponential")
    assert schedule(0, 500) == pytest.approx(0.05)  # a thousandth of 50
    assert schedule(250, 500) / schedule(249, 500) == pytest.approx(1000 ** (1 / 500))
    assert schedule(500, 500) == pytest.approx(50.0)


def test_halving_the_steps_keeps_the_final_value_and_halves_what_a_slope_reaches():
    assert Schedule(final=8.0)(50, 100) == Schedule(final=8.0)(100, 200) == 4.0
    assert Schedule(slope=0.1)(99, 100) == pytest.approx(Schedule(slope=0.1)(99, 1000))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"final": 1.0, "slope": 1.0},
        {"final": -1.0},
        {"final": 1.0, "delay": 1.0},
        {"final": 1.0, "delay": 0.7, "ramp": 0.5},
        {"final": 1.0, "kind": "warm-up"},
        {"final": float("nan")},
        {"final": 1.0, "ceiling": 0.0},
    ],
)
def test_impossible_schedules_are_refused(wrong):
    with pytest.raises(InputError, match="Schedule"):
        Schedule(**wrong)


# -- weights of particles -----------------------------------------------------------------


def test_copies_of_a_graph_are_weighted_by_hand():
    """Graphs A, B, A with log joints 1, 2, 1 (marginal) or 1, 2, 3 (joint)."""
    a, b = torch.zeros(2, 2).bool(), torch.tensor([[False, True], [False, False]])
    unique, which, counts = distinct_graphs(torch.stack([a, b, a]))
    assert len(unique) == 2
    assert torch.equal(unique[which], torch.stack([a, b, a]))
    assert counts[which].tolist() == [2, 1, 2]
    empirical = particle_log_weights("empirical", which, tensor([1.0, 2.0, 1.0])).exp()
    torch.testing.assert_close(empirical, tensor([1, 1, 1]) / 3)
    e = np.e
    mixture = particle_log_weights("mixture", which, tensor([1.0, 2.0, 1.0])).exp()
    torch.testing.assert_close(mixture, tensor([e / 2, e**2, e / 2]) / (e + e**2))
    joint = particle_log_weights("mixture", which, tensor([1.0, 2.0, 3.0])).exp()
    total = e / 2 + e**2 + e**3 / 2
    torch.testing.assert_close(joint, tensor([e / 2, e**2, e**3 / 2]) / total)
    wide = particle_log_weights("mixture", which, tensor([-1e5, 1e5, 0.0]))
    assert not wide.isnan().any()


def test_mixture_weights_of_a_run_are_prior_times_evidence():
    """BGe, no knowledge: the weight of each distinct graph, recomputed from the exact posterior."""
    x = chain()
    prior = ErdosRenyi(edges_per_node=0.6)
    posterior = tiny(n_particles=12, particle_weights="mixture", prior=prior).fit(x).posterior_
    exact = ExactPosterior(likelihood="bge", prior=prior).fit(x).posterior_
    table = dict(zip([g.tobytes() for g in exact.graphs], exact.weights, strict=True))
    expected = np.array([table[g.tobytes()] for g in posterior.graphs])
    np.testing.assert_allclose(posterior.weights, expected / expected.sum(), atol=1e-8)
    assert len({g.tobytes() for g in posterior.graphs}) == len(posterior.graphs)


def test_evidence_weights_of_linear_particles_are_those_of_the_exact_posterior():
    x = chain()
    posterior = tiny(likelihood="linear", prior="uniform", n_particles=10).fit(x).posterior_
    assert posterior.diagnostics["particle_weights"] == "evidence"
    exact = ExactPosterior(likelihood="linear", prior="uniform").fit(x).posterior_
    table = dict(zip([g.tobytes() for g in exact.graphs], exact.log_weights, strict=True))
    graphs, mass = posterior.distinct()
    expected = np.array([table[g.tobytes()] for g in graphs])
    expected = np.exp(expected - np.logaddexp.reduce(expected))
    np.testing.assert_allclose(mass, expected, atol=1e-8)


def test_empirical_weights_of_a_run_are_shares_of_particles():
    fitted = tiny(n_particles=12, particle_weights="empirical").fit(chain())
    graphs = limit_graphs(edge_scores(fitted.particles_["z"]), free(3))
    kept = graphs[is_acyclic(graphs)].numpy()
    for g, w in zip(fitted.posterior_.graphs, fitted.posterior_.weights, strict=True):
        assert w == pytest.approx((kept == g).all((1, 2)).mean())


# -- options ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        *({"acyclicity": a} for a in ACYCLICITY),
        {"optimiser": "rmsprop"},
        {"optimiser": "adam"},
        {"optimiser": "ascent", "beta": 1e3},
        {"optimiser": Adam(step_size=0.05)},
        {"optimiser": ClippedAscent(step_size=0.05)},
        {"optimiser": RMSprop(step_size=0.05)},
        {"kernel": "fixed"},
        {"kernel": "median"},
        {"kernel": {"name": "fixed", "bandwidths": {"z": 2.0, "*": 10.0}}},
        {"kernel": FixedBandwidth(bandwidths={"z": 1.0})},
        {"kernel": MedianBandwidth(factor=2.0)},
        {"prior": "uniform"},
        {"prior": "erdos-renyi"},
        {"prior": "scale-free"},
        {"prior": {"name": "erdos-renyi", "edges_per_node": 0.5}},
        {"prior": ScaleFree(exponent=1.0)},
        *(
            {"particle_weights": w, "likelihood": like}
            for w in ("auto", "empirical", "mixture", "evidence")
            for like in ("bge", "linear")
        ),
        {"particle_weights": "mixture", "likelihood": "mlp"},
        {"embedding": False},
        {"embedding": False, "likelihood": "linear"},
        {"n_latent": 2},
        {"latent_prior_std": 0.3},
        {"likelihood": LinearGaussian(noise_variance="learned")},
        {"likelihood": {"name": "linear", "noise_variance": "learned"}, "embedding": False},
        {"likelihood": "mlp"},
        {"likelihood": MLP(hidden=(3,))},
        {"likelihood": "linear", "estimator": "score"},
        {"likelihood": "bge", "estimator": "reparam"},
        {"likelihood": "mlp", "estimator": "score"},
        {"gradient_weights": "joint"},
        {"likelihood": "linear", "gradient_weights": "joint"},
        {"temperature": 0.5},
        {"batch_size": 10},
        {"batch_size": 10, "likelihood": "linear"},
        {"batch_size": 60, "likelihood": "mlp"},
        {"scaling": "none"},
        {"scaling": "centre"},
        {"scaling": "standardise", "likelihood": "linear"},
        {"alpha": Schedule(slope=0.5), "beta": {"slope": 1e4, "ceiling": 1e5}},
        {"n_likelihood_graphs": 2, "n_acyclicity_graphs": 6},
        {"n_particles": 1},
        {"device": "cpu"},
    ],
    ids=str,
)
def test_every_value_of_every_option_runs(options):
    x = chain()
    posterior = tiny(**options).fit(x, knowledge={"forbidden": ["c -> a"]}).posterior_
    p = posterior.edge_probabilities()
    assert bool(is_acyclic(torch.from_numpy(posterior.graphs)).all())
    assert posterior.weights.sum() == pytest.approx(1.0)
    assert ((p >= 0) & (p <= 1 + 1e-12)).all()
    assert p[2, 0] == 0
    assert posterior.names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": "bgee"}, "Did you mean 'bge'"),
        ({"prior": "erdos"}, "erdos-renyi"),
        ({"kernel": "gaussian"}, "fixed"),
        ({"optimiser": "sgd"}, "rmsprop"),
        ({"optimiser": len}, "optimiser"),
        ({"prior": len}, "prior"),
        ({"likelihood": len}, "likelihood"),
        ({"likelihood": {"name": "linear", "noise": 1.0}}, "no option 'noise'"),
        ({"likelihood": {"noise_variance": 1.0}}, "needs the entry 'name'"),
        ({"prior": {"name": "erdos-renyi", "edges_per_node": 1.0}}, "ErdosRenyi"),
        ({"n_particles": 0}, "n_particles"),
        ({"n_steps": 2.5}, "n_steps"),
        ({"batch_size": 61}, "60 rows"),
        ({"batch_size": 0}, "batch_size"),
        ({"alpha": "steep"}, "alpha"),
        ({"alpha": True}, "alpha"),
        ({"temperature": 0.0}, "temperature"),
        ({"likelihood": "mlp", "particle_weights": "evidence"}, "evidence"),
        ({"acyclicity": "trace"}, "acyclicity"),
        ({"device": "abacus"}, "device"),
        ({"trace_every": -1}, "trace_every"),
    ],
    ids=str,
)
def test_wrong_options_are_input_errors_that_name_the_option(options, message):
    # The type checker of the tests may be faster than our own check; users meet only ours.
    typed = {"n_steps", "acyclicity"} & set(options)
    with pytest.raises((InputError, TypeError) if typed else InputError, match=message):
        tiny().set_params(**options).fit(chain())


def test_every_field_of_the_config_is_read():
    """An option that nothing reads was a defect of the prototypes."""
    modules = [
        import_module(f"{dibs_package.__name__}.{m.name}")
        for m in pkgutil.iter_modules(dibs_package.__path__)
        if m.name != "config"
    ]
    source = "\n".join(inspect.getsource(m) for m in modules)
    read = set(re.findall(r"\bconfig\.(\w+)", source))
    assert {f.name for f in fields(DiBSConfig)} <= read


# -- randomness ---------------------------------------------------------------------------


def state(fitted):
    p = fitted.posterior_
    parts = [p.graphs, p.log_weights, *p.parameters.values()]
    parts += [v.numpy() for v in fitted.particles_.values()]
    return b"".join(np.ascontiguousarray(a).tobytes() for a in parts)


@pytest.mark.parametrize("likelihood", ["bge", "linear", "mlp"])
@pytest.mark.parametrize("batch_size", [None, 20])
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(likelihood, batch_size):
    options = {"likelihood": likelihood, "batch_size": batch_size}
    first, again, other = (tiny(**options, random_state=s).fit(chain()) for s in (3, 3, 4))
    assert state(first) == state(again)
    assert state(first) != state(other)


def test_generators_are_advanced_and_none_is_recorded():
    one, two = np.random.default_rng(0), np.random.default_rng(0)
    first = tiny(random_state=one).fit(chain())
    second = tiny(random_state=one).fit(chain())
    again = tiny(random_state=two).fit(chain())
    assert state(first) == state(again)
    assert state(first) != state(second)
    fresh = tiny(random_state=None).fit(chain())
    seed = fresh.posterior_.facts.seed
    assert state(tiny(random_state=seed).fit(chain())) == state(fresh)


def test_watching_a_run_does_not_change_it():
    seen = []
    plain = tiny(random_state=1, n_steps=40).fit(chain())
    traced = tiny(
        random_state=1,
        n_steps=40,
        trace_every=7,
        callback=lambda step, row: seen.append((step, dict(row))),
    ).fit(chain())
    assert state(plain) == state(traced)
    steps = [*range(0, 40, 7), 39]
    assert [s for s, _ in seen] == steps
    trace = traced.posterior_.trace
    expected = {
        "step", "log_joint", "log_likelihood", "log_prior", "acyclicity", "gradient_norm_z",
        "gradient_norm_theta", "alpha", "beta", "ess", "share_cyclic",
    }  # fmt: skip
    assert set(trace) == expected
    np.testing.assert_array_equal(trace["step"], steps)
    for k, values in trace.items():
        np.testing.assert_array_equal(values, [row[k] for _, row in seen])
        assert np.isfinite(values).all()
    np.testing.assert_allclose(trace["beta"], 1e5 * np.array(steps) / 40)
    joint = trace["log_likelihood"] + trace["log_prior"] - trace["beta"] * trace["acyclicity"]
    np.testing.assert_allclose(trace["log_joint"], joint, rtol=1e-4, atol=1.0)
    assert not plain.posterior_.trace


# -- what every run must hold -------------------------------------------------------------

NAMES = ("a", "b", "c", "d")
PAIRS = list(itertools.permutations(NAMES, 2))
FITS = [
    (name, embedding) for name in ("bge", "linear", "learned", "mlp") for embedding in (True, False)
]


@pytest.mark.parametrize(("likelihood", "embedding"), FITS)
@settings(max_examples=4)
@given(data=st.data())
def test_hard_knowledge_holds_in_every_draw(likelihood, embedding, data):
    required = data.draw(st.lists(st.sampled_from(PAIRS), max_size=3, unique=True))
    forbidden = data.draw(st.lists(st.sampled_from(PAIRS), max_size=4, unique=True))
    tiers = data.draw(st.sampled_from([(), (("b",), ("a", "d"))]))
    roots = data.draw(st.sampled_from([(), ("c",)]))
    sinks = data.draw(st.sampled_from([(), ("d",)]))
    try:
        knowledge = Knowledge(
            required=required, forbidden=forbidden, tiers=tiers, roots=roots, sinks=sinks
        )
    except InputError:
        return  # a contradiction
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 4)), columns=list(NAMES))
    if likelihood == "learned":
        likelihood = LinearGaussian(noise_variance="learned")
    fit = tiny(
        likelihood=likelihood, embedding=embedding, n_steps=20, n_particles=5, scaling="none"
    )
    try:
        graphs = fit.fit(x, knowledge=knowledge).posterior_.graphs
    except ConvergenceError:
        c = knowledge.constraints(NAMES)
        c = c._replace(forbidden=c.forbidden | torch.eye(4).bool())
        graphs = limit_graphs(edge_scores(fit.particles_["z"]), c).numpy()
    names = {(a, b): (NAMES.index(a), NAMES.index(b)) for a, b in PAIRS}
    for e in required:
        assert graphs[:, names[e][0], names[e][1]].all()
    for e in forbidden:
        assert not graphs[:, names[e][0], names[e][1]].any()
    if tiers:
        assert not graphs[:, [0, 3], 1].any()
    if roots:
        assert not graphs[:, :, 2].any()
    if sinks:
        assert not graphs[:, 3].any()


def test_beliefs_move_the_probabilities():
    """Two columns: BGe cannot tell the directions, so the belief decides."""
    x = chain()[["a", "b"]]
    settings_ = {"n_particles": 20, "n_steps": 150, "n_likelihood_graphs": 32}
    p = {
        belief: tiny(**settings_)
        .fit(x, knowledge={"beliefs": {"a -> b": belief}})
        .posterior_.edge_probabilities()[0, 1]
        for belief in (0.05, 0.95)
    }
    assert p[0.95] > 0.7
    assert p[0.05] < 0.3


def test_the_names_follow_the_columns():
    """Interventions identify the chain; the answer by name is the same in any column order."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    b = 2 * a + rng.normal(size=400)
    mask = np.zeros((400, 2), dtype=bool)
    b[200:], mask[200:, 1] = rng.normal(size=200) * 3, True
    x = pd.DataFrame({"a": a, "b": b})
    mask = pd.DataFrame(mask, columns=["a", "b"])
    options = {"n_particles": 8, "n_steps": 150, "n_likelihood_graphs": 32}
    for order in (["a", "b"], ["b", "a"]):
        posterior = tiny(**options).fit(x[order], intervened=mask).posterior_
        assert posterior.names == tuple(order)
        assert posterior.to_frame().loc["a", "b"] > 0.95


def test_parameters_come_back_in_the_users_units():
    """y = 3 x in units 100 times smaller: the weight is 300 whatever the scaling."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    y = 3 * x + 0.3 * rng.normal(size=500)
    frame = pd.DataFrame({"x": x, "y": 100 * y})
    fitted = tiny(
        likelihood=LinearGaussian(noise_variance=0.01), scaling="standardise", n_steps=150,
        optimiser={"name": "rmsprop", "step_size": 0.03},
    ).fit(frame, knowledge={"required": ["x -> y"]})  # fmt: skip
    weights = fitted.posterior_.parameters["weights"]
    np.testing.assert_allclose(weights[:, 0, 1], 300, rtol=0.05)
    assert not weights[:, 1, 0].any()
    learned = tiny(
        likelihood=LinearGaussian(noise_variance="learned"), scaling="standardise", n_steps=250,
        optimiser={"name": "rmsprop", "step_size": 0.03},
    ).fit(frame, knowledge={"required": ["x -> y"]})  # fmt: skip
    parameters = learned.posterior_.parameters
    np.testing.assert_allclose(parameters["weights"][:, 0, 1], 300, rtol=0.05)
    # Inverse gamma(2, 1) in standardised units adds about 2 / n of the variance of y.
    expected = np.var(100 * y - 300 * x)
    assert (parameters["noise_variance"][:, 1] > 0.5 * expected).all()
    assert (parameters["noise_variance"][:, 1] < 2.0 * expected).all()


def test_one_particle_is_gradient_ascent():
    """The kernel of one particle is 1 for Z and there is nothing to repel it."""
    fitted = tiny(n_particles=1, n_steps=3).fit(chain())
    wide, narrow = (
        tiny(n_particles=1, n_steps=3, kernel=FixedBandwidth(bandwidths={"z": h})).fit(chain())
        for h in (1e-6, 1e6)
    )
    assert torch.equal(wide.particles_["z"], narrow.particles_["z"])
    assert torch.equal(wide.particles_["z"], fitted.particles_["z"])
    assert fitted.posterior_.graphs.shape == (1, 3, 3)


# -- failures -----------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", ["linear", "mlp"])
def test_a_step_too_large_is_a_numerical_error_that_says_so(likelihood):
    with pytest.raises(NumericalError, match="step_size"):
        tiny(
            likelihood=likelihood, optimiser=ClippedAscent(step_size=1e38, max_norm={"*": 1e38})
        ).fit(chain())


class WantsEverything:
    """A likelihood of the user's own that wants both directions of every edge."""

    name = "greedy"
    scaling = "centre"
    parameters = ()
    floats_per_graph = 9

    def on(self, x, intervened=None, *, likelihood_scale=1.0):
        return self

    def node_scores(self, graphs):
        return 1e4 * graphs.sum(-2).to(torch.float64)


def test_all_cyclic_is_a_convergence_error_that_keeps_the_particles():
    fitted = tiny(likelihood=WantsEverything(), beta=0.0, n_particles=2)
    with pytest.raises(ConvergenceError, match="all 2 particles are cyclic after 30 steps"):
        fitted.fit(chain())
    assert fitted.particles_["z"].shape == (2, 3, 3, 2)
    graphs = limit_graphs(edge_scores(fitted.particles_["z"]), free(3))
    assert not is_acyclic(graphs).any()
    assert not hasattr(fitted, "posterior_")


def test_a_likelihood_of_the_users_own_plugs_in():
    """Every edge multiplies the weight by e^10000: all of it is on the largest graphs."""
    fitted = tiny(likelihood=WantsEverything(), beta=1e7, particle_weights="mixture", n_steps=60)
    posterior = fitted.fit(chain()).posterior_
    assert posterior.diagnostics["likelihood"] == "greedy"
    n_edges = posterior.graphs.sum((1, 2))
    assert n_edges.max() >= 2
    assert posterior.weights[n_edges == n_edges.max()].sum() == pytest.approx(1.0)
    with pytest.raises(InputError, match="linear Gaussian"):
        posterior.effect("a", "b")


def test_a_failed_fit_leaves_no_old_answer():
    x = chain()
    fitted = tiny(particle_weights="mixture").fit(x)
    fitted.set_params(likelihood=WantsEverything(), beta=0.0)
    with pytest.raises(ConvergenceError, match="all 4 particles"):
        fitted.fit(x)
    assert not hasattr(fitted, "posterior_"), "the posterior of the earlier fit is still there"


def test_cyclic_particles_are_reported_and_left_out():
    x = chain()
    for seed in range(50):
        fitted = tiny(n_particles=6, n_steps=1, random_state=seed, particle_weights="empirical")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                fitted.fit(x)
            except ConvergenceError:
                continue
        graphs = limit_graphs(edge_scores(fitted.particles_["z"]), free(3))
        n_cyclic = int((~is_acyclic(graphs)).sum())
        told = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
        assert len(told) == (n_cyclic > 0)
        if n_cyclic:
            assert f"{n_cyclic} of 6 particles are cyclic" in str(told[0].message)
            assert fitted.posterior_.diagnostics["share_cyclic"] == pytest.approx(n_cyclic / 6)
            assert fitted.posterior_.diagnostics["n_cyclic"] == n_cyclic
            return
    pytest.fail("no seed gave some cyclic particles")


def test_a_noise_variance_far_from_the_data_warns():
    with pytest.warns(DataWarning, match=r"noise variance 0.1.*'a'"):
        tiny(likelihood="linear").fit(chain().assign(a=lambda t: 1000 * t["a"]))


CURVED = {
    "likelihood": "mlp", "n_particles": 6, "n_steps": 100, "n_likelihood_graphs": 16,
    "n_acyclicity_graphs": 4, "n_settling_steps": 400, "optimiser": "rmsprop",
}  # fmt: skip


def curved(factor=1.0):
    """y = tanh(2 x) + noise, in other units of y."""
    rng = np.random.default_rng(30)
    x = rng.normal(size=200)
    return pd.DataFrame({"x": x, "y": factor * (np.tanh(2 * x) + 0.2 * rng.normal(size=200))})


def test_the_curve_and_not_the_unit_decides_the_direction_of_a_network():
    """Noise fits one way only: log joint densities differ by more than 80 nats."""
    found = []
    for factor in (1.0, 0.01):
        with warnings.catch_warnings():
            warnings.simplefilter("error", DataWarning)
            posterior = tiny(**CURVED).fit(curved(factor)).posterior_
        found.append(posterior.edge_probabilities())
        noise = posterior.parameters["noise_variance"][posterior.weights.argmax()]
        assert noise[1] == pytest.approx(0.04 * factor**2, rel=0.4)  # in the units of the table
    assert found[0][0, 1] > 0.99
    np.testing.assert_allclose(found[1], found[0], atol=1e-3)


def test_one_fixed_noise_variance_follows_the_unit_and_says_so():
    fixed = tiny(**CURVED | {"likelihood": MLP(noise_variance=0.1)})
    found = []
    for factor in (1.0, 3.0):
        with pytest.warns(DataWarning, match="the unit of a column decides directions"):
            found.append(fixed.fit(curved(factor)).posterior_.edge_probabilities())
    assert found[0][1, 0] > 0.99
    assert found[1][0, 1] > 0.99


@pytest.mark.parametrize("n_steps", [0, 1000])
def test_parameters_settle_at_the_mode_of_the_graph_that_is_held(n_steps):
    """A linear model, whose mode is least squares with a ridge; 0 steps change nothing."""
    x = torch.tensor(chain(80).to_numpy())
    bound = LinearGaussian(noise_variance=0.5).on(x)
    graphs = torch.tensor([[[0, 1, 1], [0, 0, 1], [0, 0, 0]], [[0, 0, 0], [1, 0, 0], [0, 0, 0]]])
    first = bound.sample_parameters(2, torch.Generator().manual_seed(0))
    theta = settle(bound, graphs.bool(), first, n_steps)["theta"]
    if n_steps == 0:
        assert torch.equal(theta, first["theta"])
        return
    gram = x.mT @ x
    for s, j, parents in ((0, 1, [0]), (0, 2, [0, 1]), (1, 0, [1])):
        block = gram[parents][:, parents] + 0.5 * torch.eye(len(parents)).double()
        expected = torch.linalg.solve(block, gram[parents, j])
        torch.testing.assert_close(theta[s, parents, j], expected, rtol=0, atol=5e-3)
    absent = ~graphs.bool()
    assert torch.equal(theta[absent], first["theta"][absent])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"regime": np.zeros(60, dtype=int)}, "regimes"),
        ({"knowledge": {"required": ["a -> z"]}}, "not a column"),
        ({"knowledge": {"requires": []}}, "Did you mean 'required'"),
    ],
)
def test_what_it_does_not_accept_is_named(change, message):
    with pytest.raises(InputError, match=message):
        tiny().fit(chain(), **change)


def test_missing_values_are_refused_with_column_and_count():
    x = chain()
    x.loc[[3, 5], "b"] = np.nan
    with pytest.raises(InputError, match=r"column 'b' has 2"):
        tiny().fit(x)


# -- held-out rows ------------------------------------------------------------------------


def dense_bge(x, graph):
    """Evidence of a zero-mean-prior Gaussian DAG as a ratio of multivariate Student laws.

    Rows are exchangeable; parents and child given parents follow from the normal-Wishart
    predictive of any subset Y of l variables, row by row: Student with
    alpha_w - d + l + i degrees of freedom (Geiger & Heckerman, 2002).
    """
    d = x.shape[1]
    alpha_mu, alpha_w = 1.0, d + 2.0
    t = alpha_mu * (alpha_w - d - 1) / (alpha_mu + 1)

    def log_marginal(columns):
        if not columns:
            return 0.0
        y, l = x[:, columns], len(columns)
        total, mean = 0.0, np.zeros(l)
        scale, kappa, wishart = t * np.eye(l), alpha_mu, alpha_w - d + l
        for row in y:
            freedom = wishart - l + 1
            shape = scale * (kappa + 1) / (kappa * freedom)
            total += stats.multivariate_t(mean, shape, df=freedom).logpdf(row)
            gap = row - mean
            scale = scale + kappa / (kappa + 1) * np.outer(gap, gap)
            mean = (kappa * mean + row) / (kappa + 1)
            kappa, wishart = kappa + 1, wishart + 1
        return total

    out = 0.0
    for j in range(d):
        parents = list(np.flatnonzero(graph[:, j]))
        out += log_marginal([*parents, j]) - log_marginal(parents)
    return out


@pytest.mark.parametrize("scaling", ["none", "standardise"])
def test_held_out_scores_of_a_marginal_likelihood(scaling):
    train, test = chain(30, 0), chain(10, 1)
    fitted = tiny(likelihood=BGe(alpha_mu=1.0), scaling=scaling).fit(train)
    p = fitted.posterior_
    x, y = train.to_numpy(), test.to_numpy()
    centre = x.mean(0) if scaling == "standardise" else 0.0
    scale = x.std(0) if scaling == "standardise" else np.ones(3)
    both = (np.concatenate([x, y]) - centre) / scale
    unit = -10 * np.log(scale).sum()
    alone = np.array([dense_bge(both[30:], g) for g in p.graphs]) + unit
    given_train = np.array([dense_bge(both, g) - dense_bge(both[:30], g) for g in p.graphs]) + unit
    assert fitted.log_likelihood(test) == pytest.approx(p.weights @ alone, abs=1e-6)
    predictive = np.logaddexp.reduce(p.log_weights + given_train)
    assert fitted.log_likelihood(test, kind="predictive") == pytest.approx(predictive, abs=1e-6)


@pytest.mark.parametrize("with_interventions", [False, True])
@pytest.mark.parametrize("scaling", ["centre", "standardise"])
def test_held_out_scores_of_a_joint_likelihood(with_interventions, scaling):
    """Gaussian density of every held-out cell that was not set, in the user's units."""
    train, test = chain(30, 0), chain(10, 1)
    v = 0.8
    options = {"likelihood": LinearGaussian(noise_variance=v), "scaling": scaling}
    fitted = tiny(**options, particle_weights="empirical").fit(train)
    p = fitted.posterior_
    mask = np.random.default_rng(0).random((10, 3)) < 0.3
    mask = mask if with_interventions else np.zeros((10, 3), dtype=bool)
    x = train.to_numpy()
    sd = x.std(0) if scaling == "standardise" else np.ones(3)
    rows = test.to_numpy() - x.mean(0)
    values = []
    for w in p.parameters["weights"]:
        density = stats.norm(rows @ w, np.sqrt(v) * sd).logpdf(rows)
        values.append(density[~mask].sum())
    given = {"intervened": mask} if with_interventions else {}
    got = fitted.log_likelihood(test, **given)
    assert got == pytest.approx(p.weights @ values, rel=1e-6)
    got = fitted.log_likelihood(test, **given, kind="predictive")
    assert got == pytest.approx(np.logaddexp.reduce(p.log_weights + values), rel=1e-6)


def test_held_out_scores_of_a_network_are_finite_and_favour_the_same_law():
    fitted = tiny(likelihood=MLP(hidden=(4,)), n_steps=80).fit(chain(100))
    near = fitted.log_likelihood(chain(50, 1))
    far = fitted.log_likelihood(chain(50, 1).assign(b=lambda t: -5 * t["b"]))
    assert np.isfinite(near)
    assert near > far


def test_a_held_out_table_needs_the_same_columns_and_a_fit():
    with pytest.raises(InputError, match="not fitted"):
        tiny().log_likelihood(chain())
    with pytest.raises(InputError, match="held-out table has columns"):
        tiny().fit(chain()).log_likelihood(chain()[["b", "a", "c"]])


# -- accuracy -----------------------------------------------------------------------------


def test_the_posterior_is_near_the_exact_one():
    """Mean error of the six marginals below 0.1.

    No false-alarm rate can be derived: the seed is fixed, and seeds 0 to 4 gave 0.0004 to 0.054.
    """
    x = np.random.default_rng(4).normal(size=(40, 3))
    x[:, 2] += 0.8 * x[:, 0] + 0.6 * x[:, 1]
    exact = ExactPosterior(likelihood="bge", prior="uniform").fit(x)
    exact = exact.posterior_.edge_probabilities()
    fitted = DiBS(
        n_particles=40, n_steps=300, prior="uniform", n_likelihood_graphs=32,
        n_acyclicity_graphs=8, optimiser={"name": "rmsprop", "step_size": 0.02}, random_state=0,
        progress=False,
    ).fit(x)  # fmt: skip
    error = np.abs(fitted.posterior_.edge_probabilities() - exact)
    assert error[~np.eye(3, dtype=bool)].mean() < 0.1
