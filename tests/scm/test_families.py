"""Families of causal models: tables, batches, rejections, models behind tables, cards."""

import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aetia.data.scaling import standardise_rows
from aetia.errors import InputError
from aetia.scm import (
    EdgeCoins,
    Family,
    Geometric,
    Interventions,
    Linear,
    NeuralNetwork,
    NoiseScale,
    PreferentialAttachment,
    TaskSize,
)

ADDITIVE = {
    "linear": Linear(bias=1.0),
    "mlp-additive": NeuralNetwork(noise_input=False),
    "gp": "gp",
    "square": "square",
    "periodic": "periodic",
}
NOT_ADDITIVE = {
    "mlp": "mlp",
    "logistic-map": "logistic-map",
    "post-nonlinear": "post-nonlinear",
    "heteroscedastic": "heteroscedastic",
    "mixture": {"name": "mixture", "of": ["mlp", "square"], "each": "variable"},
}


def unit_noise(d, n, seed):
    """A family without edges shows the noise of a seed: its stream is its own."""
    unit = Linear(noise_scale=NoiseScale(distribution="constant", low=1.0))
    family = Family(d=d, n=n, graphs=EdgeCoins(edges=0), mechanisms=unit)
    return family.task(seed).data.values


def children(count, seed=0):
    return np.random.SeedSequence(seed).spawn(count)


# -- standardising ------------------------------------------------------------------------


@pytest.mark.parametrize("b", [1, 8])
def test_every_variable_of_every_task_has_mean_zero_and_standard_deviation_one(b):
    family = Family(d=12, n=150, mechanisms=Linear(scale=10.0), interventions=Interventions())
    x = family.simulate(children(b), TaskSize(12, 150)).standardised().double()
    assert x.shape == (b, 150, 12)
    torch.testing.assert_close(x.mean(1), torch.zeros(b, 12).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        x.std(1, correction=0), torch.ones(b, 12).double(), atol=1e-5, rtol=0
    )


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(2, 30), st.integers(1, 5))
def test_statistics_never_cross_tables(seed, b, n, d):
    """A batch equals its tables one by one, also if their scales differ a millionfold."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(b, n, d)) * 10.0 ** rng.integers(-3, 4, (b, 1, d)) + rng.normal(size=d)
    x = torch.from_numpy(x)
    scaled = standardise_rows(x)
    for one, expected in zip(x, scaled, strict=True):
        torch.testing.assert_close(standardise_rows(one), expected)
    reference = (x - x.mean(1, keepdim=True)) / x.std(1, correction=0, keepdim=True)
    torch.testing.assert_close(scaled, reference.clamp(-10, 10))


def test_units_do_not_matter_and_constant_columns_become_zero():
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(standardise_rows(5 * x - 3), standardise_rows(x), atol=1e-5, rtol=0)
    for level in (0.0, 0.1, -1e6):
        x[:, 1] = level
        assert not standardise_rows(x)[:, 1].any()
    assert standardise_rows(x).isfinite().all()


def test_a_column_far_from_zero_still_varies_in_double_precision():
    """Seconds since 1970 over five minutes: a spread of 1e-7 of the mean."""
    clock = 1.7e9 + torch.arange(300, dtype=torch.float64)[:, None]
    scaled = standardise_rows(clock)
    assert float(scaled.std(correction=0)) == pytest.approx(1.0)


def test_outliers_are_clipped_at_ten_standard_deviations():
    x = torch.zeros(1000, 1)
    x[0], x[1] = 1e4, -1e4
    assert sorted(standardise_rows(x).unique().tolist()) == [-10.0, 0.0, 10.0]
    assert standardise_rows(x, largest=torch.inf).max() > 20


# -- seeds --------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    family = Family(d=6, n=50, interventions=Interventions(), noise=["laplace", "gumbel"])
    first, again, other = family.task(3), family.task(3), family.task(4)
    assert first.data.values.tobytes() == again.data.values.tobytes()
    np.testing.assert_array_equal(first.truth.graph, again.truth.graph)
    assert first.data.values.tobytes() != other.data.values.tobytes()


def test_a_seed_sequence_is_left_as_it_was():
    seeds = np.random.SeedSequence(5)
    family = Family(d=4, n=20)
    first, again = family.task(seeds), family.task(seeds)
    assert first.data.values.tobytes() == again.data.values.tobytes()
    assert first.data.values.tobytes() == family.task(5).data.values.tobytes()
    assert seeds.n_children_spawned == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_streams_of_a_task_are_separate(seed):
    """Mechanisms, noise, rows and interventions can change and the graph stays."""
    family = Family(d=10, n=60)
    graph = family.task(seed).truth.graph
    np.testing.assert_array_equal(family.graph(seed), graph)
    for change in (
        {"mechanisms": "mlp"},
        {"noise": "laplace"},
        {"n": 90},
        {"interventions": Interventions()},
        {"standardise_inputs": False},
    ):
        np.testing.assert_array_equal(replace(family, **change).task(seed).truth.graph, graph)
    longer = replace(family, n=90).scm(seed)
    np.testing.assert_array_equal(longer.noise_std, family.scm(seed).noise_std)


def test_the_streams_of_a_task_do_not_share_numbers():
    """The reference seeded three generators with one integer; then noise repeats weights."""
    graph = EdgeCoins(probability=1.0)
    unit = NoiseScale(distribution="constant", low=1.0)
    family = Family(d=2, n=100, graphs=graph, mechanisms=Linear(noise_scale=unit))
    slopes, noise = [], []
    for seed in range(20):
        model = family.scm(seed)
        x = torch.zeros(2, 2, dtype=torch.float64)
        root = int(model.adjacency.any(1).argmax())
        x[1, root] = family.task(seed).data.values[:, root].std()
        change = model.mechanism.value(1 - root, x, torch.zeros(2).double()).diff()
        slopes.append(abs(float(change)))
        noise.append(np.abs(unit_noise(2, 100, seed)).ravel())
    noise = np.array(noise)
    gaps = np.abs(np.array(slopes)[:, None] - noise).min(1)
    assert np.median(gaps) > 1e-5


# -- rejected draws -----------------------------------------------------------------------


@dataclass(frozen=True)
class SometimesBroken:
    """A share of the draws are useless: not finite, or constant."""

    share: float = 0.5
    scale: float = np.inf

    def draw(self, graph, rng):
        broken = rng.random() < self.share
        return {"noise_scale": np.full(len(graph), self.scale if broken else 1.0, np.float32)}

    def evaluate(self, inputs, causes, noise, drawn):
        return noise


@pytest.mark.parametrize("scale", [np.inf, np.nan, 1e-8])
def test_useless_draws_are_counted_and_drawn_again_in_place(scale):
    """The tasks that needed no second draw are those of the family that never fails."""
    size, seeds = TaskSize(4, 30), children(24)
    sound = Family(d=4, n=30, mechanisms=SometimesBroken(0.0)).simulate(seeds, size)
    family = Family(d=4, n=30, mechanisms=SometimesBroken(0.5, scale))
    tasks = family.simulate(seeds, size)
    assert sound.n_rejected == 0
    assert 5 <= tasks.n_rejected <= 60  # 24 in the mean, standard deviation 7
    assert tasks.values.isfinite().all()
    assert (tasks.values.std(1) > 1e-6).all()
    same = [torch.equal(a, b) for a, b in zip(sound.values, tasks.values, strict=True)]
    assert 2 <= sum(same) <= 22
    alone = [family.simulate([s], size) for s in seeds]
    assert sum(t.n_rejected for t in alone) == tasks.n_rejected
    for i, t in enumerate(alone):
        torch.testing.assert_close(t.values[0], tasks.values[i])
        assert torch.equal(t.graphs[0], tasks.graphs[i])


def test_the_model_of_a_task_is_that_of_the_draw_that_was_kept():
    family = Family(d=4, n=30, mechanisms=SometimesBroken())
    for seed in range(10):
        table, model = family.task(seed), family.scm(seed)
        np.testing.assert_array_equal(model.adjacency, table.truth.graph)


def test_a_family_that_never_gives_a_table_says_so():
    with pytest.raises(InputError, match="'hopeless' gave no usable task of 3 variables in 100"):
        Family(name="hopeless", d=3, n=10, mechanisms=SometimesBroken(1.0)).task(0)


# -- the model behind a table -------------------------------------------------------------


@pytest.mark.parametrize("name", [*ADDITIVE, *NOT_ADDITIVE])
@pytest.mark.parametrize("standardise", [True, False])
def test_the_model_sends_the_noise_of_the_task_to_its_values(name, standardise):
    mechanisms = (ADDITIVE | NOT_ADDITIVE)[name]
    family = Family(d=6, n=60, mechanisms=mechanisms, standardise_inputs=standardise)
    for seed in range(2 if standardise else 1):
        table, model = family.task(seed), family.scm(seed)
        np.testing.assert_array_equal(model.adjacency, table.truth.graph)
        noise = torch.from_numpy(unit_noise(6, 60, seed) * model.noise_std)
        spread = table.data.values.std(0)
        np.testing.assert_allclose(
            model.propagate(noise).numpy() / spread, table.data.values / spread, atol=5e-3
        )


@pytest.mark.parametrize("name", ADDITIVE)
def test_additive_noise_is_recovered_with_its_density(name):
    family = Family(d=5, n=50, mechanisms=ADDITIVE[name], noise="laplace")
    table, model = family.task(1), family.scm(1)
    x, std = table.data.values, model.noise_std
    raw = replace(
        family,
        graphs=EdgeCoins(edges=0),
        mechanisms=Linear(noise_scale=NoiseScale(distribution="constant", low=1.0)),
    ).task(1)
    noise = model.recover_noise(torch.from_numpy(x)).numpy() / std
    np.testing.assert_allclose(noise, raw.data.values, atol=2e-2 if name == "periodic" else 2e-3)
    expected = stats.laplace(scale=std / np.sqrt(2)).logpdf(noise * std).sum(1)
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-6)


@pytest.mark.parametrize("name", [*ADDITIVE, *NOT_ADDITIVE])
def test_a_table_can_be_sampled_again_under_do(name):
    mechanisms = (ADDITIVE | NOT_ADDITIVE)[name]
    model = Family(d=5, n=80, mechanisms=mechanisms, graphs=EdgeCoins(edges=8)).scm(0)
    plain = model.sample(30, random_state=1).data.values
    child = int(model.adjacency.any(0).argmax())
    data = model.sample(30, do={f"x{child}": 2.0}, random_state=1).data
    assert (data.values[:, child] == 2.0).all()
    assert data.intervened[:, child].all()
    reach = np.linalg.matrix_power(model.adjacency + np.eye(5), 5)[child] > 0
    np.testing.assert_array_equal(data.values[:, ~reach], plain[:, ~reach])


@pytest.mark.parametrize("name", ADDITIVE)
def test_counterfactuals_keep_the_noise_of_each_unit(name):
    family = Family(d=5, n=40, mechanisms=ADDITIVE[name], graphs=EdgeCoins(edges=8))
    x, model = family.task(0).data.values, family.scm(0)
    np.testing.assert_allclose(model.counterfactual(x, {}), x, atol=1e-9)
    root = int((~model.adjacency.any(0) & model.adjacency.any(1)).argmax())
    do = {f"x{root}": 1.5}
    noise = torch.from_numpy(unit_noise(5, 40, 0) * model.noise_std)
    expected = model.intervene(do).propagate(noise).numpy()
    assert np.abs(expected - x).max() > 0.1
    np.testing.assert_allclose(
        model.counterfactual(x, do), expected, atol=5e-2 if name == "periodic" else 5e-3
    )


@pytest.mark.parametrize("name", NOT_ADDITIVE)
def test_counterfactuals_without_additive_noise_are_refused(name):
    family = Family(d=5, n=40, mechanisms=NOT_ADDITIVE[name], graphs=EdgeCoins(edges=8))
    model, x = family.scm(0), family.task(0).data.values
    with pytest.raises(InputError, match=f"'{name}' is not additive.*counterfactual"):
        model.counterfactual(x, {"x0": 1.0})
    with pytest.raises(InputError, match="not additive"):
        model.log_prob(x)


@pytest.mark.parametrize(
    "mechanisms",
    [
        "joint-gp",
        {"name": "post-nonlinear", "inner": "joint-gp"},
        {"name": "heteroscedastic", "inner": "joint-gp"},
        {"name": "mixture", "of": ["joint-gp", "joint-gp"], "each": "variable"},
    ],
    ids=["bare", "post-nonlinear", "heteroscedastic", "mixture"],
)
def test_a_joint_process_is_known_at_the_rows_of_its_task_only(mechanisms):
    family = Family(d=4, n=30, mechanisms=mechanisms, graphs=EdgeCoins(probability=1.0))
    assert np.isfinite(family.task(0).data.values).all()
    with pytest.raises(InputError, match="rows of its task only; use the family 'gp'"):
        family.scm(0).sample(5, random_state=0)


# -- sizes --------------------------------------------------------------------------------


def test_sizes_are_drawn_from_those_stated():
    """200 tasks over three sizes: each within 4.5 standard errors of a third."""
    family = Family(d=(3, 5, 9), n=(20, 60))
    sizes = [family.size(np.random.SeedSequence([0, 1, 2, g])) for g in range(200)]
    d, n = np.array(sizes).T
    for value in (3, 5, 9):
        assert abs((d == value).mean() - 1 / 3) < 4.5 * np.sqrt(2 / 9 / 200)
    assert n.min() >= 20
    assert n.max() <= 60
    assert len(set(n)) > 25
    table = family.task(0)
    assert table.data.values.shape == tuple(reversed(family.size(np.random.SeedSequence(0))))
    assert len(table.truth.graph) == len(family.graph(0))


def test_spawned_seeds_choose_sizes_of_their_own():
    family = Family(d=(3, 5, 9), n=20)
    assert len({family.size(s).d for s in children(40)}) == 3


@pytest.mark.parametrize("d", [1, 2])
def test_tiny_tasks_exist(d):
    family = Family(d=d, n=2, graphs=EdgeCoins(edges=0))
    assert family.task(0).data.values.shape == (2, d)
    assert family.scm(0).sample(3, random_state=0).data.values.shape == (3, d)


# -- cards --------------------------------------------------------------------------------


def test_the_card_counts_edges_and_standardising_hides_the_order_of_variances():
    family = Family(
        d=8,
        n=100,
        graphs=PreferentialAttachment(edges_per_node=2),
        mechanisms=Linear(scale=10.0),
        standardise_inputs=False,
        interventions=Interventions(),
    )
    card = family.card(10, seed=1)
    assert (card["edges_mean"], card["edges_std"], card["edges_expected"]) == (13.0, 0.0, 13.0)
    assert card["varsortability"] > 0.9
    assert card["varsortability_standardised"] == pytest.approx(0.5, abs=0.2)
    assert 0 <= card["r2_sortability"] <= 1
    assert card["rejected_share"] == 0
    assert card == family.card(10, seed=1)
    assert (
        replace(family, standardise_inputs=True).card(10)["varsortability"] < card["varsortability"]
    )


def test_the_card_reports_a_share_of_the_draws_that_were_rejected():
    """Three of four draws fail: 75 rejections or so for 25 tasks, standard error 0.04."""
    share = Family(d=4, n=20, mechanisms=SometimesBroken(0.75)).card(25)["rejected_share"]
    assert share == pytest.approx(0.75, abs=0.18)


def test_the_card_of_several_sizes_covers_them():
    family = Family(d=(4, 12), n=20, graphs=PreferentialAttachment(edges_per_node=1))
    card = family.card(20)
    assert card["edges_expected"] == 7.0
    assert card["edges_std"] > 0
    assert 3 < card["edges_mean"] < 11


def test_a_card_needs_no_expected_number_of_edges():
    card = Family(d=6, n=30, graphs=Geometric(radius=0.5, dim=3)).card(5)
    assert np.isnan(card["edges_expected"])
    assert card["edges_mean"] > 0


def test_a_card_of_tables_without_edges_has_no_sortability():
    card = Family(d=3, n=30, graphs=EdgeCoins(edges=0)).card(3)
    assert np.isnan(card["varsortability"])


# -- options ------------------------------------------------------------------------------


def test_names_mappings_and_objects_say_the_same():
    by_name = Family(
        d=5,
        n=(20, 20),
        graphs={"name": "erdos-renyi", "edges": 4},
        mechanisms="mlp",
        noise="laplace",
    )
    by_object = Family(
        d=[5], n=20, graphs=EdgeCoins(edges=4), mechanisms=NeuralNetwork(), noise="laplace"
    )
    assert by_name == by_object
    assert by_name.key == by_object.key
    assert by_name.task(0).data.values.tobytes() == by_object.task(0).data.values.tobytes()


def test_equal_families_have_equal_keys_also_across_number_types():
    whole, decimal = (Family(graphs=EdgeCoins(edges=e)) for e in (20, 20.0))
    assert whole == decimal
    assert whole.key == decimal.key


UNIFORM = {"name": "linear", "noise_scale": {"distribution": "uniform"}}
MIXED = [{"name": "linear", "noise_scale": {"distribution": "constant", "low": 1.0}}, "gp"]


@pytest.mark.parametrize(
    ("mechanisms", "key"),
    [(UNIFORM, "bac79104bce6ca5d"), ({"name": "mixture", "of": MIXED}, "bc6d634e0aa242a0")],
    ids=["linear", "mixture"],
)
def test_keys_are_those_of_the_version_in_which_an_option_had_another_name(mechanisms, key):
    assert Family(d=5, n=30, mechanisms=mechanisms).key == key


@pytest.mark.parametrize(
    "change",
    [
        {"d": 6},
        {"n": 31},
        {"graphs": EdgeCoins(edges=5)},
        {"mechanisms": "mlp"},
        {"mechanisms": Linear(scale=2.0)},
        {"mechanisms": Linear(noise_scale=NoiseScale(rate=3.0))},
        {"noise": "laplace"},
        {"noise": ["laplace", "gaussian"]},
        {"interventions": Interventions()},
        {"interventions": Interventions(high=4.0)},
        {"standardise_inputs": False},
    ],
    ids=repr,
)
def test_every_option_that_changes_the_numbers_changes_the_key(change):
    family = Family(d=5, n=30, interventions=Interventions(low=0.5))
    assert replace(family, **change).key != family.key


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d": 0}, "d must be a positive integer or several, got 0"),
        ({"d": ()}, "d must be"),
        ({"d": (5, -1)}, "d must be"),
        ({"n": 1}, "n must be .* from 2, got 1"),
        ({"n": (9, 5)}, r"n must be .*\(9, 5\)"),
        ({"n": (5, 6, 7)}, "n must be"),
        ({"graphs": "erdos-reny"}, "Did you mean 'erdos-renyi'"),
        ({"graphs": {"name": "erdos-renyi", "edge": 5}}, "Did you mean 'edges'"),
        ({"graphs": EdgeCoins}, "graphs must be one of"),
        ({"graphs": object()}, "`sample`"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        Family(**options)


REFUSED = """
import sys
from aetia.errors import InputError
from aetia.scm import *
for call, message in [
    ("Noise('gausian')", "Did you mean 'gaussian'"),
    ("NoiseMixture(('laplace', 'lapalce'))", "Did you mean 'laplace'"),
    ("NoiseMixture(('laplace', 3))", "3"),
    ("Family(noise='pink')", "pink"),
    ("Family(d=2.5)", "2.5"),
    ("Family(n=50.5)", "50.5"),
    ("PreferentialAttachment(edges_per_node=1.5)", "1.5"),
    ("PreferentialAttachment(direction='in-hubs')", "Did you mean 'in-hub'"),
    ("Blocks(sizes='rand')", "rand"),
    ("Linear(weights='gaussian')", "gaussian"),
    ("Linear(noise_scale=2.0)", "noise_scale must be a NoiseScale"),
    ("NoiseScale(distribution='gama')", "Did you mean 'gamma'"),
    ("PostNonlinear(link='cub')", "Did you mean 'cube'"),
    ("MechanismMixture(['linear'], each='row')", "row"),
    ("Interventions(targets='most')", "most"),
    ("Interventions(values='uniform')", "Did you mean 'signed-uniform'"),
    ("TaskStream(family=Family(), split='training')", "Did you mean 'train'"),
    ("FixedTasks(family=Family(), numbers=[0], split='tset')", "Did you mean 'test'"),
]:
    try:
        eval(call)
    except InputError as error:
        if message not in str(error):
            print(f"{call}: says {error}")
    except Exception as error:
        print(f"{call}: {type(error).__name__}: {error}")
    else:
        print(f"{call}: accepted")
"""


def test_values_outside_their_type_are_refused_where_nothing_checks_types():
    """In a process of its own: the tests check annotations, users do not."""
    done = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout == ""
