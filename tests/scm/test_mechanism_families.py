"""Random mechanisms: formulas, invariances, and what a generator must never produce."""

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from aetia.errors import InputError
from aetia.scm import (
    EdgeCoins,
    Family,
    GaussianProcess,
    Heteroscedastic,
    Interventions,
    JointGaussianProcess,
    Linear,
    LogisticMap,
    MechanismFamily,
    MechanismMixture,
    NeuralNetwork,
    NoiseScale,
    Periodic,
    PostNonlinear,
    Square,
    TaskSize,
)

MECHANISMS = {
    "linear": Linear(),
    "linear-bcnp": Linear(scale=10.0, noise_scale=NoiseScale(shape=2.5, rate=0.4)),
    "linear-avici": Linear(
        weights="uniform", bias=3.0, noise_scale=NoiseScale(distribution="uniform")
    ),
    "mlp": NeuralNetwork(),
    "mlp-additive": NeuralNetwork(hidden=8, n_layers=1, noise_input=False),
    "gp": GaussianProcess(),
    "gp-noise-input": GaussianProcess(noise_input=True, n_kernels=3, amplitude=(0.1, 10.0)),
    "joint-gp": JointGaussianProcess(),
    "square": Square(),
    "periodic": Periodic(),
    "logistic-map": LogisticMap(),
    "pnl-cube": PostNonlinear(link="cube"),
    "pnl-sigmoid": PostNonlinear(link="sigmoid"),
    "pnl-tanh": PostNonlinear(link="tanh", inner="mlp"),
    "heteroscedastic": Heteroscedastic(),
    "heteroscedastic-gp": Heteroscedastic(inner="gp"),
    "mixture-task": MechanismMixture(["linear", "mlp", "gp"], weights=[0.34, 0.33, 0.33]),
    "mixture-variable": MechanismMixture(["square", "mlp", LogisticMap()], each="variable"),
}
SINGLE = {k: m for k, m in MECHANISMS.items() if k != "mixture-task"}


@dataclass(frozen=True)
class Edges:
    """The same DAG for every task."""

    pairs: tuple[tuple[int, int], ...]

    def sample(self, d, rng):
        graph = np.zeros((d, d), dtype=bool)
        for i, j in self.pairs:
            graph[i, j] = True
        return graph

    def expected_edges(self, d):
        return float(len(self.pairs))


PAIR = Edges(((0, 1),))
COLLIDER = np.array([[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)


def tasks_of(mechanism, count, d, n, graphs=None, seed=0, **options):
    family = Family(d=d, n=n, graphs=graphs or EdgeCoins(), mechanisms=mechanism, **options)
    return family.simulate(np.random.SeedSequence(seed).spawn(count), TaskSize(d, n))


def evaluated(mechanism, inputs, noise, seed=0):
    """The last variable of the collider 0 -> 3 <- 2, and its parameters."""
    drawn = mechanism.draw(COLLIDER, np.random.default_rng(seed))
    own = {k: torch.from_numpy(v)[None, 3] for k, v in drawn.items()}
    causes = torch.tensor([[True, False, True]])
    value = mechanism.evaluate(inputs.clone(), causes, noise.clone(), own)
    return value, {k: v[0].numpy() for k, v in own.items()}


def rows(n=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, n, 3, generator=generator), torch.randn(1, n, generator=generator)


# -- what a generator must never produce --------------------------------------------------


@pytest.mark.parametrize("name", MECHANISMS)
@pytest.mark.parametrize("d", [2, 20])
def test_no_task_has_a_value_that_is_not_finite_or_a_constant_variable(name, d):
    n, count = (60, 3) if name == "joint-gp" else (100, 10)
    tasks = tasks_of(MECHANISMS[name], count, d, n, EdgeCoins(probability=0.2))
    assert tasks.values.isfinite().all()
    assert (tasks.values.double().std(1) > 1e-6).all()
    assert tasks.n_rejected == 0


def test_repeated_cubing_stays_finite_without_rejections():
    """The reference loses 24 of 25 tasks here; standardised causes keep them all."""
    cube = PostNonlinear(link="cube", inner=Linear())
    tasks = tasks_of(cube, 25, 20, 256, EdgeCoins(probability=0.2))
    assert tasks.values.isfinite().all()
    assert tasks.n_rejected == 0


@pytest.mark.parametrize("name", MECHANISMS)
def test_roots_are_noise_in_every_family(name):
    """The stream of the noise is its own, so a root differs from raw noise by its scale only."""
    graphs = Edges(((0, 1), (2, 1)))
    raw = tasks_of(
        Linear(noise_scale=NoiseScale(distribution="constant", low=1.0)),
        3,
        3,
        60,
        Edges(()),
        seed=4,
    )
    tasks = tasks_of(MECHANISMS[name], 3, 3, 60, graphs, seed=4)
    for root in (0, 2):
        ratio = tasks.values[:, :, root] / raw.values[:, :, root]
        torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
        assert (ratio > 0).all()


# -- formulas -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mechanism", "formula"),
    [
        (Linear(bias=2.0), lambda u, b, e: u + b + e),
        (Square(), lambda u, b, e: u**2 + e),
        (Periodic(), lambda u, b, e: np.sin(4 * np.pi * u) + e),
        (LogisticMap(), lambda u, b, e: 4 / (1 + np.exp(-u)) / (1 + np.exp(u))),
        (PostNonlinear(link="cube"), lambda u, b, e: (u + b + e) ** 3),
        (PostNonlinear(link="sigmoid"), lambda u, b, e: 1 / (1 + np.exp(-(u + b + e)))),
        (PostNonlinear(link="tanh"), lambda u, b, e: np.tanh(u + b + e)),
    ],
    ids=["linear", "square", "periodic", "logistic-map", "cube", "sigmoid", "tanh"],
)
def test_simple_mechanisms_follow_their_formula(mechanism, formula):
    inputs, noise = rows()
    value, own = evaluated(mechanism, inputs, noise)
    x = inputs[0].numpy().astype(float)
    u = x[:, 0] * float(own["weights"][0]) + x[:, 2] * float(own["weights"][2])
    expected = formula(u, float(own.get("bias", 0.0)), noise[0].numpy().astype(float))
    np.testing.assert_allclose(value[0].numpy(), expected, rtol=1e-3, atol=2e-5)


def test_an_additive_network_is_its_layers_written_out():
    inputs, noise = rows()
    value, own = evaluated(NeuralNetwork(hidden=5, n_layers=2, noise_input=False), inputs, noise)
    z = inputs[0].numpy() @ own["first"][:3] + own["first_bias"]
    z = np.where(z > 0, z, 0.01 * z)
    z = z @ own["layer1"] + own["bias1"]
    z = np.where(z > 0, z, 0.01 * z)
    np.testing.assert_allclose(value[0], z @ own["last"] + noise[0].numpy(), atol=1e-5)


def test_heteroscedastic_noise_is_that_of_the_inner_mechanism_times_a_positive_scale():
    """Linear in the noise: the residual at noise 2e is twice the one at e, of the same sign."""
    inputs, noise = rows()
    mechanism = Heteroscedastic(inner=Linear())
    still = evaluated(mechanism, inputs, 0 * noise)[0]
    one = evaluated(mechanism, inputs, noise)[0] - still
    two = evaluated(mechanism, inputs, 2 * noise)[0] - still
    torch.testing.assert_close(two, 2 * one, rtol=1e-4, atol=1e-5)
    scale = one / noise
    assert (scale > 0).all()
    assert scale.std() > 0.05  # it varies with the causes
    again = evaluated(mechanism, inputs, noise.flip(1))[0] - still
    torch.testing.assert_close(again / noise.flip(1), scale, rtol=2e-3, atol=1e-4)


def test_linear_weights_and_noise_scales_have_the_stated_distributions():
    """The magnitude of 8,000 weights in U(1, 3): mean 2, 4.5 standard errors; signs alike."""
    graph = np.triu(np.ones((90, 90), dtype=bool), 1)
    mechanism = Linear(weights="uniform", low=1.0, high=3.0, bias=3.0)
    own = mechanism.draw(graph, np.random.default_rng(0))
    w = own["weights"].T
    assert not w[~graph].any()
    w = w[graph]
    root = np.sqrt(len(w))
    assert np.abs(w).min() >= 1
    assert np.abs(w).max() <= 3
    assert abs(np.abs(w).mean() - 2) < 4.5 * (1 / np.sqrt(3)) / root
    assert abs((w > 0).mean() - 0.5) < 4.5 * 0.5 / root
    assert np.abs(own["bias"]).max() <= 3
    w = Linear(scale=10.0).draw(graph, np.random.default_rng(1))["weights"].T[graph]
    assert abs(w.std() - 10) < 4.5 * 10 / np.sqrt(2) / root
    s = NoiseScale(distribution="gamma", shape=2.5, rate=0.4).draw(20_000, np.random.default_rng(0))
    assert abs(s.mean() - 2.5 / 0.4) < 4.5 * np.sqrt(2.5) / 0.4 / np.sqrt(20_000)
    s = NoiseScale(distribution="uniform", low=0.2, high=2.0).draw(1000, np.random.default_rng(0))
    assert s.min() >= 0.2
    assert s.max() <= 2.0
    constant = NoiseScale(distribution="constant", low=0.5)
    assert set(constant.draw(5, np.random.default_rng(0))) == {0.5}


def test_the_earlier_name_of_the_distribution_of_the_noise_scale_still_works_and_warns():
    new = NoiseScale(distribution="uniform", high=3.0)
    with pytest.warns(FutureWarning, match="called distribution"):
        old = NoiseScale(law="uniform", high=3.0)
    assert old == new
    with pytest.warns(FutureWarning, match="called distribution"):
        assert new.law == "uniform"
    with pytest.warns(FutureWarning, match="called distribution"):
        in_a_file = Linear(noise_scale={"law": "uniform", "high": 3.0})
    assert in_a_file.noise_scale == new
    assert replace(new, low=0.1) == NoiseScale(distribution="uniform", low=0.1, high=3.0)
    assert pickle.loads(pickle.dumps(new)) == new
    with pytest.raises(TypeError, match="lo"):
        NoiseScale(lo=0.1)


# -- invariances --------------------------------------------------------------------------


@pytest.mark.parametrize("name", SINGLE)
def test_a_variable_reads_its_causes_and_nothing_else(name):
    inputs, noise = rows()
    value = evaluated(SINGLE[name], inputs, noise)[0]
    other = inputs.clone()
    other[:, :, 1] += 10
    torch.testing.assert_close(evaluated(SINGLE[name], other, noise)[0], value)
    for cause in (0, 2):
        other = inputs.clone()
        other[:, :, cause] = other[:, :, cause].flip(1)
        assert not torch.allclose(evaluated(SINGLE[name], other, noise)[0], value, atol=1e-3)


@pytest.mark.parametrize("name", sorted(SINGLE.keys() - {"logistic-map", "mixture-variable"}))
def test_noise_reaches_every_variable_but_those_of_the_logistic_map(name):
    inputs, noise = rows()
    value = evaluated(SINGLE[name], inputs, noise, seed=1)[0]
    moved = evaluated(SINGLE[name], inputs, noise.flip(1), seed=1)[0]
    assert not torch.allclose(moved, value, atol=1e-4)


def test_the_logistic_map_is_a_function_of_its_causes_between_zero_and_one():
    tasks = tasks_of(LogisticMap(), 5, 2, 300, PAIR)
    for x, y in tasks.values.transpose(1, 2):
        assert ((y >= 0) & (y <= 1)).all()
        in_order = y[x.argsort()]  # smooth in x, up to the gaps between neighbours
        assert in_order.diff().square().mean() < 0.05 * y.var()


def test_inputs_are_standardised_so_the_units_of_a_cause_do_not_matter():
    """A child without noise of its own is the same for causes 100 times as large (M0)."""

    def child(low, standardise):
        mechanism = LogisticMap(noise_scale=NoiseScale(distribution="constant", low=low))
        family = {"standardise_inputs": standardise}
        return tasks_of(mechanism, 4, 2, 100, PAIR, **family).values[:, :, 1]

    torch.testing.assert_close(child(0.1, True), child(10.0, True), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(child(0.1, False), child(10.0, False), atol=1e-2)


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_task_is_the_same_alone_and_in_a_batch(name):
    n = 40 if name == "joint-gp" else 80
    family = Family(
        d=8, n=n, mechanisms=MECHANISMS[name], interventions=Interventions(p_observational=0.5)
    )
    seeds = np.random.SeedSequence(3).spawn(5)
    together = family.simulate(seeds, TaskSize(8, n))
    for i, s in enumerate(seeds):
        alone = family.simulate([s], TaskSize(8, n))
        assert torch.equal(alone.graphs[0], together.graphs[i])
        assert torch.equal(alone.intervened[0], together.intervened[i])
        torch.testing.assert_close(
            alone.standardised()[0], together.standardised()[i], rtol=1e-3, atol=1e-3
        )


def dependence(x, y):
    """1 - half the mean squared step of y along x over its variance: 0 if x says nothing."""
    steps = np.diff(y[x.argsort()])
    return 1 - (steps**2).mean() / (2 * y.var())


@pytest.mark.parametrize("name", MECHANISMS)
def test_effects_depend_on_their_causes(name):
    """Zero, sd 1/sqrt(200 * 24) if independent. Measured: 0.07 (joint GP, rough), 0.3 and more."""
    tasks = tasks_of(MECHANISMS[name], 24, 2, 200, PAIR)
    scores = [dependence(*task.double().numpy().T) for task in tasks.values]
    assert np.mean(scores) > (0.03 if name == "joint-gp" else 0.25)


# -- mixtures -----------------------------------------------------------------------------

STAR = Edges(tuple((0, j) for j in range(1, 9)))
MIXED = ("logistic-map", "square")


def logistic_effects(tasks):
    """Which effects are logistic: (w P)^2 with its noise leaves [0, 1] on 300 rows."""
    effects = tasks.values[:, :, 1:]
    return ((effects >= 0) & (effects <= 1)).all(1)


def test_a_mixture_over_tasks_gives_all_variables_of_a_task_one_family():
    """100 tasks, probability 1/4: within 4.5 standard errors."""
    mixture = MechanismMixture(MIXED, weights=[1, 3])
    which = logistic_effects(tasks_of(mixture, 100, 9, 300, STAR))
    assert (which.all(1) | ~which.any(1)).all()
    assert abs(which[:, 0].double().mean() - 0.25) < 4.5 * np.sqrt(0.25 * 0.75 / 100)


def test_a_mixture_over_variables_mixes_within_a_task():
    """25 tasks of 8 effects, probability 1/2: within 4.5 standard errors."""
    mixture = MechanismMixture(MIXED, each="variable")
    which = logistic_effects(tasks_of(mixture, 25, 9, 300, STAR))
    assert abs(which.double().mean() - 0.5) < 4.5 * 0.5 / np.sqrt(200)
    assert (which.any(1) & ~which.all(1)).any()


@pytest.mark.parametrize(
    "nested",
    [
        MechanismMixture([MechanismMixture(MIXED)]),
        MechanismMixture([MechanismMixture(MIXED), MechanismMixture(MIXED)]),
    ],
    ids=["one", "two"],
)
def test_a_mixture_over_tasks_inside_another_is_still_one_over_tasks(nested):
    which = logistic_effects(tasks_of(nested, 20, 9, 300, STAR))
    assert (which.all(1) | ~which.any(1)).all()


# -- a user's own, and refusals -----------------------------------------------------------


@dataclass(frozen=True)
class Summed:
    """x = sum of the causes + noise: no base class, no registration."""

    def draw(self, graph, rng):
        return {"noise_scale": np.full(len(graph), 0.5, np.float32)}

    def evaluate(self, inputs, causes, noise, drawn):
        return (inputs * causes[:, None]).sum(-1) + noise


class PlainSummed(Summed):
    """The same without being a dataclass of its own."""


@pytest.mark.parametrize("mechanism", [Summed(), PlainSummed()])
def test_a_family_of_the_users_own_plugs_in(mechanism):
    assert isinstance(mechanism, MechanismFamily)
    raw = tasks_of(
        Linear(noise_scale=NoiseScale(distribution="constant", low=1.0)), 2, 3, 50, Edges(())
    )
    tasks = tasks_of(mechanism, 2, 3, 50, Edges(((0, 1), (2, 1))), standardise_inputs=False, seed=0)
    expected = raw.values / 2
    expected[:, :, 1] += expected[:, :, 0] + expected[:, :, 2]
    torch.testing.assert_close(tasks.values, expected)
    mixture = MechanismMixture([mechanism, "linear"], each="variable")
    assert tasks_of(mixture, 2, 3, 50).values.isfinite().all()


def test_options_inside_options_can_be_mappings_as_a_yaml_file_holds_them():
    options = {"name": "linear", "noise_scale": {"distribution": "constant", "low": 0.3}}
    family = Family(mechanisms={"name": "post-nonlinear", "inner": options})
    assert family.mechanisms.inner.noise_scale == NoiseScale(distribution="constant", low=0.3)


class DrawsOnly:
    def draw(self, graph, rng):
        return {"noise_scale": np.ones(len(graph), np.float32)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Family(mechanisms="liner"), "Did you mean 'linear'"),
        (lambda: Family(mechanisms={"name": "gp", "lengthscales": (1, 2)}), "'lengthscale'"),
        (lambda: Family(mechanisms=3), "mechanisms must be one of .* got 3"),
        (lambda: Family(mechanisms=Linear), "mechanisms must be one of"),
        (lambda: Family(mechanisms=DrawsOnly()), "evaluate"),
        (lambda: PostNonlinear(inner=DrawsOnly()), "inner must be one of .*`evaluate`"),
        (lambda: MechanismMixture(["linear", "nlp"]), "Did you mean 'mlp'"),
        (lambda: MechanismMixture(), "at least one"),
        (lambda: GaussianProcess(lengthscale=(2.0, 1.0)), "lengthscale must be a range"),
        (lambda: GaussianProcess(n_features=0), "n_features must be larger than 0"),
        (lambda: NeuralNetwork(hidden=-3), "hidden must be larger than 0, got -3"),
        (lambda: Square(scale=0.0), "scale must be larger than 0"),
        (lambda: NoiseScale(distribution="uniform", low=2.0, high=1.0), "low"),
        (lambda: Linear(weights="uniform", low=3.0, high=1.0), "low"),
        (lambda: Linear(noise_scale={"distribution": "gamma", "rat": 2.0}), "Did you mean 'rate'"),
    ],
)
def test_wrong_options_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
