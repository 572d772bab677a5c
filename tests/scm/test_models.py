"""Causal models against scipy distributions, quadrature, linear algebra and simulation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from aetia.errors import InputError
from aetia.graphs import is_acyclic
from aetia.scm import (
    SCM,
    EdgeCoins,
    LinearMechanism,
    Noise,
    PreferentialAttachment,
    Simulation,
    random_linear,
    random_mlp,
    simulate,
    sortability_card,
)

FAMILIES = ["gaussian", "laplace", "uniform", "student"]
SCIPY = {
    "gaussian": stats.norm(),
    "laplace": stats.laplace(scale=1 / np.sqrt(2)),
    "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)),
    "student": stats.t(5, scale=np.sqrt(3 / 5)),
}


def acyclic(graph):
    return bool(is_acyclic(torch.from_numpy(graph)))


def linear_model(noise="gaussian"):
    """Price -> demand -> profit, price -> profit, and weather apart."""
    weights = np.zeros((4, 4))
    weights[0, 1], weights[1, 2], weights[0, 2] = -1.5, 0.8, 2.0
    return SCM(
        adjacency=weights != 0,
        mechanism=LinearMechanism(torch.from_numpy(weights)),
        noise_std=np.array([1.0, 0.5, 2.0, 0.7]),
        noise=Noise(noise),
        names=("price", "demand", "profit", "weather"),
    )


def mlp_model(seed=0, d=5):
    rng = np.random.default_rng(seed)
    graph = EdgeCoins(edges_per_node=1.2).sample(d, rng)
    return SCM(
        adjacency=graph, mechanism=random_mlp(graph, rng=rng), noise_std=rng.uniform(0.2, 1, d)
    )


# -- noise --------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_noise_has_unit_variance_times_its_scale(family):
    """4 x 200,000 draws; Kolmogorov-Smirnov at p > 1e-4 each: one alarm in 5000 seeds.

    The distribution of each family is scipy's, scaled to variance one.
    """
    std = torch.tensor([0.1, 1.0, 7.0, 2.0], dtype=torch.float64)
    draws = Noise(family).sample(50_000, std, torch.Generator().manual_seed(3))
    assert SCIPY[family].var() == pytest.approx(1.0)
    for j in range(4):
        assert stats.kstest((draws[:, j] / std[j]).numpy(), SCIPY[family].cdf).pvalue > 1e-4
    assert np.abs(np.corrcoef(draws.numpy().T) - np.eye(4)).max() < 5 / np.sqrt(50_000)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_density_of_noise_integrates_to_one_with_the_right_moments(family):
    std = 0.6

    def density(x):
        value = Noise(family).log_prob(torch.tensor([x]).double(), torch.tensor([std]).double())
        return float(value.exp())

    edge = np.sqrt(3) * std
    for power, expected in ((0, 1.0), (1, 0.0), (2, std**2)):
        parts = [
            integrate.quad(lambda x, k=power: x**k * density(x), a, b, limit=200)[0]
            for a, b in ((-np.inf, -edge), (-edge, 0), (0, edge), (edge, np.inf))
        ]
        assert sum(parts) == pytest.approx(expected, abs=2e-5)
    for x in (-1.3, 0.0, 0.4, 1.0):
        expected = SCIPY[family].logpdf(x / std) - np.log(std)
        got = Noise(family).log_prob(torch.tensor([x]).double(), torch.tensor([std]).double())
        assert float(got) == pytest.approx(expected)


def test_student_noise_without_variance_is_refused():
    with pytest.raises(InputError, match="above 2"):
        Noise("student", degrees_of_freedom=2.0)


# -- models -------------------------------------------------------------------------------


def test_the_log_density_of_a_linear_gaussian_model_is_multivariate_normal():
    model = linear_model()
    total = np.linalg.inv(np.eye(4) - model.mechanism.weights.numpy())
    covariance = total.T @ np.diag(model.noise_std**2) @ total
    x = np.random.default_rng(0).normal(size=(20, 4)) * 3
    expected = stats.multivariate_normal(np.zeros(4), covariance).logpdf(x)
    np.testing.assert_allclose(model.log_prob(x), expected)


def test_samples_of_a_linear_model_have_the_implied_covariance():
    """n = 40,000; 10 entries, z < 4.5 each: one alarm in 15,000 seeds."""
    model, n = linear_model(), 40_000
    total = np.linalg.inv(np.eye(4) - model.mechanism.weights.numpy())
    covariance = total.T @ np.diag(model.noise_std**2) @ total
    x = model.sample(n, random_state=1).data.values
    products = x[:, :, None] * x[:, None, :]
    z = (products.mean(0) - covariance) / (products.std(0) / np.sqrt(n))
    assert np.abs(z).max() < 4.5


@pytest.mark.parametrize("family", FAMILIES)
def test_the_density_under_do_leaves_the_set_variable_out(family):
    model = linear_model(family)
    set_model = model.intervene({"demand": 0.3})
    x = np.zeros((3, 4))
    x[:, 1] = [0.3, 0.3, 0.4]
    x[1] = [0.2, 0.3, 0.5, -0.1]  # inside the support of uniform noise
    got = set_model.log_prob(x)
    distribution = SCIPY[family]
    for row, value in zip(x[:2], got[:2], strict=True):
        noise = np.array([row[0], row[2] - 2 * row[0] - 0.8 * 0.3, row[3]])
        std = model.noise_std[[0, 2, 3]]
        assert value == pytest.approx((distribution.logpdf(noise / std) - np.log(std)).sum())
    assert got[2] == -np.inf


def test_do_cuts_what_points_into_the_variable_and_nothing_else():
    """Price and demand are independent under do(demand); the rest keeps its equations."""
    n = 20_000
    labelled = linear_model().sample(n, do={"demand": 2.0}, random_state=4)
    x = labelled.data.values
    assert (x[:, 1] == 2.0).all()
    expected = np.zeros((n, 4), dtype=bool)
    expected[:, 1] = True
    np.testing.assert_array_equal(labelled.data.intervened, expected)
    fit, *_ = np.linalg.lstsq(np.column_stack([x[:, 0], np.ones(n)]), x[:, 2], rcond=None)
    # slope 2, intercept 0.8 * 2; standard errors 2 / sqrt(n): five of them
    np.testing.assert_allclose(fit, [2.0, 1.6], atol=5 * 2 / np.sqrt(n))
    assert x[:, 0].mean() == pytest.approx(0.0, abs=5 / np.sqrt(n))


def test_the_same_noise_gives_the_same_rows_outside_the_descendants():
    model = linear_model()
    plain = model.sample(50, random_state=7).data.values
    set_rows = model.sample(50, do={"demand": 1.0}, random_state=7).data.values
    np.testing.assert_array_equal(plain[:, [0, 3]], set_rows[:, [0, 3]])


@pytest.mark.parametrize("make", [linear_model, mlp_model])
def test_a_counterfactual_without_a_change_is_the_identity(make):
    model = make()
    x = model.sample(30, random_state=2).data.values
    np.testing.assert_allclose(model.counterfactual(x, {}), x, atol=1e-12)
    name, value = model.names[1], x[0, 1]
    np.testing.assert_allclose(model.counterfactual(x[:1], {name: value}), x[:1], atol=1e-12)


def test_a_counterfactual_of_a_linear_model_moves_by_the_total_effect():
    model = linear_model()
    x = model.sample(30, random_state=2).data.values
    changed = model.counterfactual(x, {"price": 1.0})
    # price -> profit: 2.0 directly and -1.5 * 0.8 through demand
    effects = np.array([1.0, -1.5, 2.0 - 1.5 * 0.8, 0.0])
    np.testing.assert_allclose(changed - x, (1.0 - x[:, :1]) * effects, atol=1e-12)


def test_counterfactuals_are_draws_of_the_same_units():
    """Abduction then prediction equals propagating the original noise under do()."""
    model = mlp_model(3)
    noise = model.noise.sample(
        20, torch.from_numpy(model.noise_std), torch.Generator().manual_seed(0)
    )
    x = model.propagate(noise).numpy()
    np.testing.assert_allclose(model.recover_noise(torch.from_numpy(x)), noise, atol=1e-12)
    expected = model.intervene({"x2": 1.5}).propagate(noise).numpy()
    np.testing.assert_allclose(model.counterfactual(x, {"x2": 1.5}), expected, atol=1e-12)


def test_the_noise_of_a_set_variable_cannot_be_abducted():
    model = linear_model().intervene({"demand": 1.0})
    with pytest.raises(InputError, match="demand was set"):
        model.counterfactual(np.zeros((2, 4)), {"price": 1.0})


@pytest.mark.parametrize("seed", range(3))
def test_total_effects_are_the_contrasts_of_simulated_interventions(seed):
    """The same noise on both sides cancels, so the contrast is exact."""
    rng = np.random.default_rng(seed)
    graph = EdgeCoins(edges_per_node=1.5).sample(5, rng)
    model = SCM(
        adjacency=graph, mechanism=random_linear(graph, rng=rng), noise_std=rng.uniform(0.5, 2, 5)
    )
    for i, name in enumerate(model.names):
        one, zero = (
            model.sample(10, do={name: level}, random_state=seed).data.values
            for level in (1.0, 0.0)
        )
        np.testing.assert_allclose((one - zero).mean(0), model.total_effects()[i], atol=1e-12)


def test_total_effects_of_an_intervened_model_are_those_of_the_cut_graph():
    """With demand held, price works on profit only directly."""
    model = linear_model().intervene({"demand": 1.0})
    one, zero = (
        model.sample(10, do={"price": level}, random_state=0).data.values for level in (1.0, 0.0)
    )
    contrast = (one - zero).mean(0)
    np.testing.assert_allclose(contrast, [1.0, 0.0, 2.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(model.total_effects()[0], contrast, atol=1e-12)


def test_total_effects_are_refused_for_nonlinear_models():
    with pytest.raises(InputError, match="linear"):
        mlp_model().total_effects()


def test_roots_of_a_network_model_are_pure_noise_and_others_read_only_their_causes():
    model = mlp_model(1)
    x = torch.randn(8, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for j in range(5):
        causes = model.adjacency[:, j]
        mean = model.mechanism.mean(j, x)
        if not causes.any():
            assert not mean.any()
        moved = x + 10 * torch.from_numpy(~causes).double()
        np.testing.assert_array_equal(model.mechanism.mean(j, moved), mean)


def test_one_row_can_be_drawn():
    assert linear_model().sample(1, random_state=0).data.values.shape == (1, 4)


def test_wrong_models_and_names_are_refused():
    with pytest.raises(InputError, match=r"Did you mean 'price'"):
        linear_model().sample(5, do={"prize": 1.0})
    plain = {"mechanism": LinearMechanism(torch.zeros(2, 2)), "noise_std": np.ones(2)}
    with pytest.raises(InputError, match="acyclic"):
        SCM(adjacency=np.array([[False, True], [True, False]]), **plain)
    empty = np.zeros((2, 2), dtype=bool)
    with pytest.raises(InputError, match="noise_std"):
        SCM(adjacency=empty, mechanism=plain["mechanism"], noise_std=np.array([1.0, 0.0]))
    with pytest.raises(InputError, match="names"):
        SCM(adjacency=empty, names=("a",), **plain)


# -- random graphs ------------------------------------------------------------------------


@given(st.integers(1, 12), st.floats(0.0, 1.0), st.integers(0, 2**31))
def test_erdos_renyi_graphs_are_acyclic(d, share, seed):
    edges = share * (d - 1) / 2
    graph = EdgeCoins(edges_per_node=edges).sample(d, np.random.default_rng(seed))
    assert graph.shape == (d, d)
    assert acyclic(graph)


@given(
    st.integers(3, 15),
    st.integers(1, 4),
    st.sampled_from(["in-hub", "out-hub", "random-order"]),
    st.integers(0, 2**31),
)
def test_scale_free_graphs_are_acyclic_with_a_fixed_number_of_edges(d, m, direction, seed):
    m = min(m, d - 1)
    rng = np.random.default_rng(seed)
    graph = PreferentialAttachment(edges_per_node=m, direction=direction).sample(d, rng)
    assert acyclic(graph)
    assert graph.sum() == sum(min(m, k) for k in range(1, d))


def test_twenty_variables_with_two_edges_each_have_37_edges():
    graph = PreferentialAttachment(edges_per_node=2).sample(20, np.random.default_rng(0))
    assert graph.sum() == 37


def test_erdos_renyi_graphs_have_the_expected_number_of_edges():
    """Binomial(45, 4/9) mean 20; 400 graphs, z < 4.5: one alarm in 150,000 seeds."""
    rng = np.random.default_rng(5)
    coins = EdgeCoins(edges_per_node=2.0)
    counts = np.array([coins.sample(10, rng).sum() for _ in range(400)])
    q = 2 * 2.0 / 9
    z = (counts.mean() - 20) / np.sqrt(45 * q * (1 - q) / 400)
    assert abs(z) < 4.5


def test_every_direction_of_an_edge_is_equally_likely():
    """400 graphs on 3 variables, 6 ordered pairs with probability 1/4: |z| < 4.5 each."""
    rng = np.random.default_rng(6)
    coins = EdgeCoins(edges_per_node=0.5)
    counts = sum(coins.sample(3, rng).astype(int) for _ in range(400))
    z = (counts[~np.eye(3, dtype=bool)] - 100) / np.sqrt(400 * 0.25 * 0.75)
    assert np.abs(z).max() < 4.5


def test_hubs_have_many_causes_or_many_effects_as_asked():
    def largest(direction, axis):
        rng = np.random.default_rng(0)
        family = PreferentialAttachment(edges_per_node=1, direction=direction)
        graphs = [family.sample(30, rng) for _ in range(20)]
        return np.mean([g.sum(axis).max() for g in graphs])

    # Every node but the first brings one edge, so the other degree is exactly 1.
    assert largest("in-hub", axis=1) == 1
    assert largest("in-hub", axis=0) > 5
    assert largest("out-hub", axis=0) == 1
    assert largest("out-hub", axis=1) > 5
    assert largest("random-order", axis=0) > 2
    assert largest("random-order", axis=1) > 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: EdgeCoins(edges_per_node=2.0).sample(4, rng), "8 edges.*at most 6"),
        (lambda rng: PreferentialAttachment(edges_per_node=4).sample(4, rng), "edges per node"),
        (lambda rng: PreferentialAttachment(edges_per_node=0).sample(4, rng), "edges_per_node"),
    ],
)
def test_graphs_that_do_not_exist_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(np.random.default_rng(0))


def test_random_weights_keep_away_from_zero_and_stay_on_the_graph():
    rng = np.random.default_rng(0)
    graph = EdgeCoins(edges_per_node=3.0).sample(9, rng)
    weights = random_linear(graph, rng=rng, scale=0.7, min_weight=0.25).weights.numpy()
    assert (np.abs(weights[graph]) >= 0.25).all()
    assert not weights[~graph].any()
    assert {-1.0, 1.0} == set(np.sign(weights[graph]))


# -- simulate() ---------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["linear", "mlp"])
@pytest.mark.parametrize("graph", ["erdos-renyi", "scale-free"])
def test_the_number_of_rows_does_not_change_the_model(mechanism, graph):
    small, large = (
        simulate(Simulation(d=6, n=n, mechanism=mechanism, graph=graph, edges_per_node=1.0), 3)
        for n in (50, 80)
    )
    np.testing.assert_array_equal(small.model.adjacency, large.model.adjacency)
    np.testing.assert_array_equal(small.model.noise_std, large.model.noise_std)
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for j in range(6):
        assert torch.equal(small.model.mechanism.mean(j, x), large.model.mechanism.mean(j, x))


def test_the_same_seed_gives_the_same_table_and_another_does_not():
    options = Simulation(d=5, n=40, edges_per_node=1.0, n_interventional=20)
    first, again, other = (simulate(options, s).data for s in (1, 1, 2))
    assert first.data.values.tobytes() == again.data.values.tobytes()
    assert first.data.intervened.tobytes() == again.data.intervened.tobytes()
    assert first.data.values.tobytes() != other.data.values.tobytes()


def test_a_simulated_table_fits_its_truth():
    options = Simulation(
        d=5, n=300, edges_per_node=1.0, noise_variance=(0.5, 2.0), n_interventional=60
    )
    table, model = simulate(options, 8)
    data, truth = table
    assert (data.n, data.d) == (360, 5)
    assert data.names == truth.names == model.names
    np.testing.assert_array_equal(truth.graph, truth.weights != 0)
    assert (data.intervened.sum(1)[:300] == 0).all()
    assert (data.intervened.sum(1)[300:] == 1).all()
    assert ((model.noise_std**2 >= 0.5) & (model.noise_std**2 <= 2.0)).all()
    # Abducted noise is that of the model wherever the variable was not set.
    noise = data.values - data.values @ truth.weights
    for j in range(5):
        free = noise[~data.intervened[:, j], j] / model.noise_std[j]
        assert stats.kstest(free, "norm").pvalue > 1e-4


@pytest.mark.parametrize(
    "wrong",
    [
        {"graph": "scale-free", "edges_per_node": 1.5},
        {"noise_variance": -1.0},
        {"noise_variance": (2.0, -1.0)},
        {"d": 0},
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_impossible_simulations_are_refused(wrong):
    with pytest.raises(InputError):
        simulate(Simulation(**{"d": 6, "n": 30, "edges_per_node": 1.0, **wrong}), 0)


def test_the_sortability_card_sees_growing_variances_and_standardising_hides_them():
    """A chain with weights 2: variances 1, 5, 21, 85 grow along every path."""
    weights = np.diag([2.0, 2.0, 2.0], 1)
    model = SCM(
        adjacency=weights != 0,
        mechanism=LinearMechanism(torch.from_numpy(weights)),
        noise_std=np.ones(4),
    )
    assert sortability_card(model.sample(500, random_state=0))["varsortability"] == 1.0
    weights = np.diag([0.1, 0.1, 0.1], 1)
    shrinking = SCM(
        adjacency=weights != 0,
        mechanism=LinearMechanism(torch.from_numpy(weights)),
        noise_std=np.array([8.0, 4.0, 2.0, 1.0]),
    )
    assert sortability_card(shrinking.sample(500, random_state=0))["varsortability"] == 0.0


def test_the_sortability_card_leaves_interventional_rows_out():
    table = simulate(Simulation(d=5, n=200, edges_per_node=1.0, n_interventional=50), 2).data
    card = sortability_card(table)
    observational = simulate(Simulation(d=5, n=200, edges_per_node=1.0), 2).data
    assert card == sortability_card(observational)
    assert set(card) == {"varsortability", "r2_sortability"}
