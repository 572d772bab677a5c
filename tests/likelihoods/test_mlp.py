"""The network likelihood against golden numbers, a plain forward pass and autograd."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.errors import InputError
from aetia.likelihoods import MLP
from autograd_gradients import graph_gradients_by_autograd, parameter_gradients_by_autograd

ACTIVATIONS = {
    "relu": lambda y: np.maximum(y, 0),
    "tanh": np.tanh,
    "sigmoid": lambda y: 1 / (1 + np.exp(-y)),
}


@pytest.fixture
def golden(dibs_golden):
    scores = dibs_golden["scores"]
    x = torch.tensor(scores["x"], dtype=torch.float64)
    theta = {
        name: torch.tensor(value, dtype=torch.float64)[None]
        for name, value in scores["theta_mlp"].items()
    }
    return scores, x, torch.tensor(scores["interv_mask"]).bool(), theta


def rows_of(scores, key):
    return torch.tensor([[row[key] for row in scores["rows"]]], dtype=torch.float64)


def close(values, expected):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(values, expected, rtol=1e-8, atol=1e-8)


def problem(options, s=2, m=3, d=4, n=11):
    generator = torch.Generator().manual_seed(0)
    graphs = torch.rand(s, m, d, d, generator=generator, dtype=torch.float64)
    graphs = graphs * (1 - torch.eye(d))
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    intervened = torch.rand(n, d, generator=generator) < 0.25
    parameters = {k: v.double() for k, v in options.on(x).sample_parameters(s, generator).items()}
    if "log_noise" in parameters:
        parameters["log_noise"] += torch.randn(s, d, generator=generator, dtype=torch.float64)
    return graphs, x, intervened, parameters


def test_likelihood_and_prior_match_the_golden_numbers(golden):
    scores, x, intervened, theta = golden
    graphs = rows_of(scores, "g")
    options = MLP(noise_variance=scores["obs_noise"], parameter_scale=scores["sig_param"])
    bound = options.on(x)
    likelihood = bound.node_log_likelihoods(graphs, theta).sum(-1)
    close(likelihood, rows_of(scores, "mlp_loglik"))
    prior = bound.node_scores(graphs, theta).sum(-1) - likelihood
    close(prior, rows_of(scores, "mlp_log_prior_theta"))
    if "mlp_loglik_interv" in scores["rows"][0]:
        masked = options.on(x, intervened).node_log_likelihoods(graphs, theta).sum(-1)
        close(masked, rows_of(scores, "mlp_loglik_interv"))
    soft = torch.tensor(scores["soft"]["g_soft"], dtype=torch.float64)[None, None]
    close(bound.node_scores(soft, theta).sum(), scores["soft"]["mlp_log_joint"])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(5,), (4, 3)])
def test_scores_are_those_of_one_plain_network_per_variable(activation, hidden):
    options = MLP(hidden=hidden, activation=activation, noise_variance=0.4, parameter_scale=0.8)
    graphs, x, intervened, parameters = problem(options)
    bound = options.on(x, intervened)
    means = bound.means(graphs, parameters)
    scores = bound.node_scores(graphs, parameters)

    def log_normal(values, variance):
        return -0.5 * values**2 / variance - 0.5 * math.log(2 * math.pi * variance)

    for s, m, j in np.ndindex(*graphs.shape[:2], 4):
        g = graphs[s, m, :, j].numpy()
        layers = [(parameters[f"W{k + 1}"][s, j].numpy(), parameters[f"b{k + 1}"][s, j].numpy())
                  for k in range(len(hidden) + 1)]  # fmt: skip
        y = x.numpy() * g
        for k, (w, b) in enumerate(layers):
            y = y @ w + b
            if k < len(hidden):
                y = ACTIVATIONS[activation](y)
        close(means[s, m, :, j], y[:, 0])
        seen = ~intervened[:, j].numpy()
        total = log_normal(x[:, j].numpy() - y[:, 0], 0.4)[seen].sum()
        for k, (w, b) in enumerate(layers):
            density = log_normal(w, 0.64)
            total += (density * g[:, None] if k == 0 else density).sum()
            total += log_normal(b, 0.64).sum()
        close(scores[s, m, j], total)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(5,), (4, 3)])
@pytest.mark.parametrize("with_interventions", [False, True])
@pytest.mark.parametrize("noise", [0.4, "learned"])
def test_hand_written_gradients_are_those_of_autograd(
    activation, hidden, with_interventions, noise
):
    options = MLP(
        hidden=hidden, activation=activation, noise_variance=noise, noise_rate=0.7,
        parameter_scale=0.8,
    )  # fmt: skip
    graphs, x, intervened, parameters = problem(options)
    bound = options.on(x, intervened if with_interventions else None, likelihood_scale=1.5)
    before = {k: v.clone() for k, v in parameters.items()}

    def weigh(scores):
        return (scores / 100).softmax(1)

    got = bound.graph_gradients(graphs, parameters, weigh)
    expected = graph_gradients_by_autograd(bound, graphs, parameters, weigh)
    close(got.scores, expected.scores)
    off_diagonal = 1 - torch.eye(4, dtype=torch.float64)
    close(got.graphs * off_diagonal, expected.graphs * off_diagonal)
    got = bound.parameter_gradients(graphs, parameters, weigh)
    expected = parameter_gradients_by_autograd(bound, graphs, parameters, weigh)
    close(got.scores, expected.scores)
    assert got.parameters.keys() == expected.parameters.keys() == parameters.keys()
    for name in parameters:
        close(got.parameters[name], expected.parameters[name])
        assert torch.equal(parameters[name], before[name]), "the input was overwritten"


@pytest.mark.parametrize("with_interventions", [False, True])
def test_learned_noise_is_a_fixed_variance_for_each_variable_with_an_inverse_gamma_prior(
    with_interventions,
):
    """The prior is a density of the log variance: that of the variance times the variance."""
    learned = MLP(hidden=(3,), noise_shape=2.5, noise_rate=0.7)
    graphs, x, intervened, parameters = problem(learned)
    mask = intervened if with_interventions else None
    scores = learned.on(x, mask).node_scores(graphs, parameters)
    likelihood = learned.on(x, mask).node_log_likelihoods(graphs, parameters)
    network = {k: v for k, v in parameters.items() if k != "log_noise"}
    for s, j in np.ndindex(2, 4):
        v = float(parameters["log_noise"][s, j].exp())
        fixed = MLP(hidden=(3,), noise_variance=v).on(x, mask)
        of_one = {k: value[s : s + 1] for k, value in network.items()}
        close(likelihood[s, :, j], fixed.node_log_likelihoods(graphs[s : s + 1], of_one)[0, :, j])
        prior = stats.invgamma(2.5, scale=0.7).logpdf(v) + math.log(v)
        close(scores[s, :, j], fixed.node_scores(graphs[s : s + 1], of_one)[0, :, j] + prior)


def test_learned_noise_asks_for_standardised_columns_and_a_fixed_one_for_their_units():
    assert (MLP().noise_variance, MLP().scaling) == ("learned", "standardise")
    assert MLP(noise_variance=0.1).scaling == "centre"


def test_an_intervention_changes_only_the_term_of_its_target(golden):
    scores, x, _, theta = golden
    graphs, mask = rows_of(scores, "g"), torch.zeros_like(golden[2])
    mask[5:20, 3] = True
    options = MLP(noise_variance=0.1)
    plain, changed = (options.on(x, a).node_scores(graphs, theta) for a in (None, mask))
    others = [0, 1, 2, 4]
    close(changed[..., others], plain[..., others])
    rows = torch.cat([x[:5], x[20:]])
    close(changed[..., 3], options.on(rows).node_scores(graphs, theta)[..., 3])


def test_the_scale_multiplies_the_likelihood_and_not_the_prior():
    options = MLP(hidden=(3,))
    graphs, x, intervened, parameters = problem(options)
    one, three = (options.on(x, intervened, likelihood_scale=s) for s in (1.0, 3.0))
    difference = three.node_scores(graphs, parameters) - one.node_scores(graphs, parameters)
    close(difference, 2 * one.node_log_likelihoods(graphs, parameters))


def test_initial_parameters_have_the_documented_shapes_and_follow_the_seed():
    bound = MLP(hidden=(4, 3)).on(torch.zeros(5, 6))
    first, again, other = (
        bound.sample_parameters(2, torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    )
    shapes = {k: tuple(v.shape) for k, v in first.items()}
    assert shapes == {
        "W1": (2, 6, 6, 4), "b1": (2, 6, 4), "W2": (2, 6, 4, 3), "b2": (2, 6, 3),
        "W3": (2, 6, 3, 1), "b3": (2, 6, 1), "log_noise": (2, 6),
    }  # fmt: skip
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not any(torch.equal(first[k], other[k]) for k in first if k != "log_noise")


def test_learned_noise_starts_at_the_variance_of_the_rows_that_count():
    x = torch.arange(12.0).reshape(4, 3) - 5.0
    mask = torch.zeros(4, 3, dtype=torch.bool)
    mask[0, 1] = True
    first = MLP().on(x, mask).sample_parameters(1, torch.Generator().manual_seed(0))
    expected = [(x[:, 0] ** 2).mean(), (x[1:, 1] ** 2).mean(), (x[:, 2] ** 2).mean()]
    torch.testing.assert_close(first["log_noise"][0].exp(), torch.stack(expected))


@pytest.mark.parametrize(
    "fields",
    [
        {"hidden": (0,)},
        {"activation": "gelu"},
        {"noise_variance": 0.0},
        {"noise_variance": "known"},
        {"noise_rate": -1.0},
    ],
)
def test_options_that_make_no_sense_are_refused(fields):
    with pytest.raises(Exception, match=next(iter(fields))) as error:
        MLP(**fields)
    beartype_comes_first = "activation" in fields or fields.get("noise_variance") == "known"
    assert isinstance(error.value, InputError) or beartype_comes_first
