"""Effects by simulation: closed forms, exact enumeration, the atom at zero, files."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from aetia.data import Dataset
from aetia.errors import DataWarning, InputError
from aetia.likelihoods import BGe, Moments
from aetia.results import EffectPosterior, GraphPosterior, LinearModel, SimulationModel
from aetia.results.posterior_file import posterior_from_plain, posterior_to_plain
from aetia.results.simulated_effects import systematic_draws


def graph(d, *edges):
    g = np.zeros((d, d), bool)
    for i, j in edges:
        g[i, j] = True
    return g


def dataset(x, kinds=None, levels=None, intervened=None, names="abcdefgh"):
    d = x.shape[1]
    return Dataset(
        values=np.asarray(x, dtype=float),
        names=tuple(names[:d]),
        observed=np.ones(x.shape, bool),
        kinds=tuple(kinds or ["continuous"] * d),
        levels=levels or {},
        intervened=intervened,
    )


def posterior_of(data, graphs, weights, likelihood="additive"):
    return GraphPosterior(
        graphs=np.stack(graphs),
        log_weights=np.log(np.asarray(weights, dtype=float)),
        names=data.names,
        model=SimulationModel.of(data, likelihood),
        diagnostics={"method": "by hand"},
    )


def linear_table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = 0.8 * a + 0.7 * rng.normal(size=n)
    c = -0.5 * a + 0.9 * b + 0.7 * rng.normal(size=n)
    return np.column_stack([a, b, c])


CHAIN = graph(3, (0, 1), (0, 2), (1, 2))
REVERSED = graph(3, (1, 0), (0, 2), (1, 2))


def test_simulation_agrees_with_the_closed_form_on_a_linear_table():
    """Same graphs, linear data, n = 400: means within 0.5 closed-form sd, sds within 30 %.

    The smooth mechanism is richer than a line, so the posteriors are close, not equal; of 20 other
    seeds the largest difference of means was 0.35 sd.
    """
    x = linear_table(400)
    data = dataset(x)
    simulated = posterior_of(data, [CHAIN, REVERSED], [0.7, 0.3])
    zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    exact = replace(simulated, model=LinearModel(BGe(), Moments.of(torch.from_numpy(x)), zero, one))
    for pair in ("ab", "ac", "bc"):
        first, second = exact.effect(*pair), simulated.effect(*pair)
        assert abs(first.mean[0] - second.mean[0]) < 0.5 * first.sd[0]
        assert second.sd[0] == pytest.approx(first.sd[0], rel=0.3)
        assert first.probability_of_effect == pytest.approx(second.probability_of_effect)
        assert second.variance_parts.graph[0] == pytest.approx(
            first.variance_parts.graph[0], rel=0.3, abs=1e-3
        )


def test_the_effect_of_a_curve_is_recovered():
    """c = a^2 + noise: mean effects of 1 and of -1 against 0 are 1, of 1 against -1 zero."""
    rng = np.random.default_rng(1)
    a = rng.uniform(-2, 2, size=600)
    data = dataset(np.column_stack([a, a**2 + 0.3 * rng.normal(size=600)]))
    posterior = posterior_of(data, [graph(2, (0, 1))], [1.0])
    curve = posterior.effect("a", "b", doses=[-1.0, 0.5, 1.0])
    assert np.abs(curve.mean - [1.0, 0.25, 1.0]).max() < 4.5 * curve.sd.max() < 0.5
    assert curve.labels == ("-1", "0.5", "1")
    np.testing.assert_array_equal(curve.doses, [-1.0, 0.5, 1.0])
    assert abs(posterior.effect("a", "b", control=-1.0).mean[0]) < 0.2
    ax, _ = curve.plot()
    assert "no effect: 0%" in ax.get_title()
    assert "b against a = 0" in ax.get_ylabel()


def test_the_atom_is_one_minus_the_path_probability():
    data = dataset(linear_table())
    graphs = [CHAIN, REVERSED, graph(3, (0, 2)), graph(3)]
    posterior = posterior_of(data, graphs, [0.4, 0.3, 0.2, 0.1])
    effect = posterior.effect("a", "b", n_draws=1000)
    assert effect.probability_of_effect == pytest.approx(0.4)
    signs = effect.sign_probabilities
    assert signs.zero[0] == pytest.approx(0.6)
    assert signs.negative[0] + signs.zero[0] + signs.positive[0] == pytest.approx(1.0)
    assert (effect.draws == 0).mean() == pytest.approx(0.6, abs=0.005)  # systematic draws
    row = effect.frame().iloc[0]
    assert row["zero"] == signs.zero[0]
    assert row["mean_given_path"] == pytest.approx(row["mean"] / 0.4, rel=0.02)
    text = repr(effect)
    assert "P(exactly 0) 0.600" in text
    assert "causal path: 0.400" in text
    ax, _ = effect.plot()
    assert any("no effect: 60%" in t.get_text() for t in ax.texts)


def test_no_path_is_no_effect_and_costs_no_mechanism():
    posterior = posterior_of(dataset(linear_table()), [CHAIN], [1.0])
    effect = posterior.effect("c", "a")
    assert not effect.draws.any()
    assert effect.sign_probabilities.zero[0] == 1.0
    assert len(posterior.model.mechanisms) == 0


def test_only_ancestors_of_the_outcome_are_learned():
    x = np.column_stack([linear_table(), np.random.default_rng(2).normal(size=(200, 2))])
    g = graph(5, (0, 1), (1, 2), (1, 3), (4, 2))
    posterior = posterior_of(dataset(x), [g], [1.0])
    posterior.effect("a", "b", n_draws=10)
    assert len(posterior.model.mechanisms) == 1
    posterior.effect("a", "c", n_draws=10)
    assert len(posterior.model.mechanisms) == 3  # b given a once; c given b, e; e alone


def test_the_variance_splits_into_graph_and_mechanisms():
    """Two graphs, one without a path: the graph part is p (1 - p) m^2, within 10 %."""
    data = dataset(linear_table(300))
    posterior = posterior_of(data, [graph(3, (0, 1)), graph(3)], [0.6, 0.4])
    effect = posterior.effect("a", "b", n_draws=2000)
    parts = effect.variance_parts
    np.testing.assert_allclose(parts.graph + parts.mechanisms, effect.sd**2)
    expected = 0.6 * 0.4 * effect.mean_given_path[0] ** 2
    assert parts.graph[0] == pytest.approx(expected, rel=0.1)
    assert parts.mechanisms[0] > 0
    assert effect.frame()["graph_share"][0] == pytest.approx(parts.graph[0] / effect.sd[0] ** 2)
    alone = posterior_of(data, [graph(3, (0, 1))], [1.0]).effect("a", "b", n_draws=2000)
    assert alone.variance_parts.graph[0] < 0.2 * alone.sd[0] ** 2


def test_the_best_graph_alone_is_told_beside():
    data = dataset(linear_table(300))
    posterior = posterior_of(data, [graph(3, (0, 1)), graph(3)], [0.6, 0.4])
    effect = posterior.effect("a", "b")
    assert effect.best_graph_probability == pytest.approx(0.6)
    assert (effect.best_graph != 0).all()
    row = effect.frame().iloc[0]
    assert row["best_graph_lower"] > row["lower"] == 0.0
    assert row["best_graph_mean"] == pytest.approx(effect.mean_given_path[0], rel=0.1)
    assert "most probable graph (probability 0.6) alone" in repr(effect)


def binary_table(n=120, seed=3):
    rng = np.random.default_rng(seed)
    a = rng.random(n) < 0.4
    b = rng.random(n) < np.where(a, 0.8, 0.3)
    c = rng.random(n) < 0.1 + 0.4 * a + 0.3 * b
    return np.column_stack([a, b, c]).astype(float)


def exact_contrast(x, edges_into, order=(0, 1, 2)):
    """E[P(c = 1 | do(a = 1)) - P(c = 1 | do(a = 0))]: cells are independent Dirichlets a
    posteriori, so the expectation of a product is the product of their means (BDeu, size 1)."""

    def mean(node, cell):
        parents = edges_into[node]
        rows = np.all(x[:, parents] == cell, axis=1) if parents else np.ones(len(x), bool)
        prior = 1.0 / (2 ** len(parents) * 2)
        return (x[rows, node].sum() + prior) / (rows.sum() + 2 * prior)

    total = []
    for dose in (0.0, 1.0):
        p = 0.0
        for b in (0.0, 1.0):
            given = {0: dose, 1: b}
            weight = mean(1, [given[i] for i in edges_into[1]])
            p += (weight if b else 1 - weight) * mean(2, [given[i] for i in edges_into[2]])
        total.append(p)
    return total[1] - total[0]


def test_discrete_effects_agree_with_exact_enumeration():
    """Three binary nodes, two graphs, 8,000 draws: within 4.5 standard errors of the exact mean."""
    x = binary_table()
    posterior = posterior_of(
        dataset(x, kinds=["binary"] * 3), [CHAIN, graph(3, (0, 1), (1, 2))], [0.5, 0.5], "bdeu"
    )
    effect = posterior.effect("a", "c", n_draws=8000)
    exact = 0.5 * exact_contrast(x, {1: [0], 2: [0, 1]}) + 0.5 * exact_contrast(x, {1: [0], 2: [1]})
    assert abs(effect.mean[0] - exact) < 4.5 * effect.sd[0] / np.sqrt(8000)
    assert effect.labels == ("ATE",)


def test_binary_values_other_than_0_and_1_keep_their_units():
    x = binary_table()
    plain = posterior_of(dataset(x, kinds=["binary"] * 3), [CHAIN], [1.0], "bdeu")
    other = posterior_of(dataset(5 * x + 2, kinds=["binary"] * 3), [CHAIN], [1.0], "bdeu")
    first = plain.effect("a", "c", n_draws=200)
    second = other.effect("a", "c", treated=7.0, control=2.0, n_draws=200)
    np.testing.assert_allclose(second.draws, 5 * first.draws)
    with pytest.raises(InputError, match="values 2, 7, not 0"):
        other.effect("a", "c")


def test_levels_of_categories_are_named():
    rng = np.random.default_rng(4)
    a = rng.integers(0, 3, 400)
    b = np.where(rng.random(400) < 0.7, a, rng.integers(0, 3, 400))
    levels = {"a": ("low", "mid", "high"), "b": ("x", "y", "z")}
    data = dataset(np.column_stack([a, b]), ["categorical"] * 2, levels)
    posterior = posterior_of(data, [graph(2, (0, 1)), graph(2)], [0.9, 0.1], "qnml")
    effect = posterior.effect("a", "b", treated="high", control="low")
    assert effect.labels == ("P(b = x)", "P(b = y)", "P(b = z)")
    np.testing.assert_allclose(effect.draws.sum(1), 0.0, atol=1e-12)
    assert effect.mean[2] > 0.5 > effect.mean[0] + 1.0
    assert (effect.treated, effect.control) == ("high", "low")
    grid = posterior.effect("a", "b", control="low", doses=["mid", "high"])
    assert len(grid.labels) == 6
    assert grid.labels[0] == "P(b = x) at mid"
    ax, _ = grid.plot()
    assert "no effect: 10%" in ax.get_title()
    assert [t.get_text() for t in ax.get_yticklabels()] == list(grid.labels)
    with pytest.raises(InputError, match="Did you mean 'high'"):
        posterior.effect("a", "b", treated="hihg", control="low")


def test_mixed_kinds_go_both_ways():
    """Number -> binary -> number: the mediated effect is the product of its halves."""
    rng = np.random.default_rng(5)
    n = 1500
    a = rng.normal(size=n)
    b = (rng.random(n) < 1 / (1 + np.exp(-2 * a))).astype(float)
    c = 3.0 * b + 0.5 * rng.normal(size=n)
    data = dataset(np.column_stack([a, b, c]), ["continuous", "binary", "continuous"])
    posterior = posterior_of(data, [graph(3, (0, 1), (1, 2))], [1.0], "block")
    effects = posterior.effect("a", ["b", "c"], treated=1.0, control=-1.0)
    truth = 1 / (1 + np.exp(-2.0)) - 1 / (1 + np.exp(2.0))
    assert abs(effects["b"].mean[0] - truth) < 4.5 * effects["b"].sd[0]
    assert abs(effects["c"].mean[0] - 3 * truth) < 4.5 * effects["c"].sd[0]
    step = posterior.effect("b", "c")
    assert abs(step.mean[0] - 3.0) < 4.5 * step.sd[0] < 0.3


def test_several_outcomes_and_doses_in_one_call_are_joint():
    posterior = posterior_of(dataset(linear_table()), [CHAIN, graph(3)], [0.5, 0.5])
    effects = posterior.effect("a", ["b", "c"], doses=[0.5, 1.0], n_draws=100)
    assert list(effects) == ["b", "c"]
    for effect in effects.values():
        assert effect.draws.shape == (100, 2)
        assert isinstance(effect, EffectPosterior)
    assert ((effects["b"].draws == 0) == (effects["c"].draws == 0)).all()


def test_saving_keeps_effects_bit_by_bit(tmp_path):
    rng = np.random.default_rng(6)
    x = np.column_stack([linear_table(), rng.integers(0, 2, 200), rng.integers(0, 3, 200)])
    mask = rng.random(x.shape) < 0.1
    kinds = ["continuous"] * 3 + ["binary", "categorical"]
    data = dataset(x, kinds, {"e": ("u", "v", "w")}, mask)
    g = graph(5, (0, 1), (1, 2), (3, 1), (4, 2), (0, 4))
    posterior = posterior_of(data, [g, g & (np.arange(5)[:, None] != 3)], [0.6, 0.4], "block")
    first = posterior.effect("a", ["c", "e"], n_draws=60, random_state=7)
    posterior.save(tmp_path / "p")
    back = GraphPosterior.load(tmp_path / "p")
    second = back.effect("a", ["c", "e"], n_draws=60, random_state=7)
    for y in ("c", "e"):
        assert first[y].draws.tobytes() == second[y].draws.tobytes()
        assert first[y].best_graph.tobytes() == second[y].best_graph.tobytes()
    first["c"].save(tmp_path / "e")
    again = EffectPosterior.load(tmp_path / "e")
    assert repr(again) == repr(first["c"])
    assert again.frame().equals(first["c"].frame())


def test_files_written_before_tables_were_kept_still_load():
    x = linear_table()
    zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    model = LinearModel(BGe(), Moments.of(torch.from_numpy(x)), zero, one)
    posterior = replace(posterior_of(dataset(x), [CHAIN], [1.0]), model=model)
    arrays, plain = posterior_to_plain(posterior)
    del plain["table"]
    fields = posterior_from_plain({k: values for k, (_, values) in arrays.items()}, plain)
    back = GraphPosterior(**fields)
    np.testing.assert_array_equal(back.effect("a", "c").draws, posterior.effect("a", "c").draws)


def test_levels_outside_the_data_are_flagged():
    posterior = posterior_of(dataset(linear_table() + 100.0), [CHAIN], [1.0])
    with pytest.warns(DataWarning, match="extrapolated"):
        posterior.effect("a", "b", n_draws=4)
    with pytest.raises(InputError, match="finite numbers"):
        posterior.effect("a", "b", treated="much")


def test_missing_cells_are_refused():
    x = linear_table()
    x[3, 1] = np.nan
    with pytest.raises(InputError, match="'b' has 1 missing"):
        SimulationModel.of(dataset(x), "additive")


def test_interventions_on_the_outcome_leave_its_mechanism():
    x = linear_table(400)
    mask = np.zeros(x.shape, bool)
    mask[200:, 2] = True
    x[200:, 2] = 50.0
    posterior = posterior_of(dataset(x, intervened=mask), [CHAIN], [1.0])
    effect = posterior.effect("b", "c")
    assert abs(effect.mean[0] - 0.9) < 4.5 * effect.sd[0] < 1.0


def test_systematic_draws_are_even():
    weights = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    counts = torch.bincount(systematic_draws(weights, 100, torch.Generator().manual_seed(0)))
    assert torch.equal(counts, torch.tensor([50, 30, 20]))


@pytest.mark.parametrize("linear", [False, True])
def test_all_pairs_are_the_effects_one_by_one(linear):
    x = linear_table(300)
    posterior = posterior_of(dataset(x), [CHAIN, REVERSED, graph(3)], [0.5, 0.3, 0.2])
    if linear:
        zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
        model = LinearModel(BGe(), Moments.of(torch.from_numpy(x)), zero, one)
        posterior = replace(posterior, model=model)
    frame = posterior.total_effects()
    pairs = list(zip(frame["treatment"], frame["outcome"], strict=True))
    assert pairs == list(itertools.permutations("abc", 2))
    np.testing.assert_allclose(frame["negative"] + frame["zero"] + frame["positive"], 1.0)
    for row in frame.to_dict("records"):
        alone = posterior.effect(
            row["treatment"], row["outcome"], treated=row["treated"], control=row["control"]
        )
        size = max(alone.sd[0], 1e-12)
        tolerance = 1e-9 if linear else 0.3
        assert abs(row["mean"] - alone.mean[0]) <= tolerance * size
        assert row["zero"] == pytest.approx(1 - alone.probability_of_effect, abs=1e-9)
        assert row["sd"] == pytest.approx(alone.sd[0], rel=0.1 if linear else 0.25)
        assert row["lower"] == pytest.approx(alone.interval()[0, 0], abs=0.5 * size)
        assert row["treated"] - row["control"] == pytest.approx(
            x[:, "abc".index(row["treatment"])].std()
        )
    other = posterior.total_effects({"a": (2.0, 0.0)}, n_draws=50)
    assert set(other.loc[other["treatment"] == "a", "treated"]) == {2.0}
    with pytest.raises(InputError, match="no columns"):
        posterior.total_effects({"z": (1.0, 0.0)})
    ax, drawn = posterior.plot_effects(n_draws=50)
    assert len(drawn) == 6
    assert ax.get_xlabel() == "outcome"


def test_all_pairs_of_mixed_kinds_tell_levels():
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=200), rng.integers(0, 3, 200)
    data = dataset(np.column_stack([a, b]), ["continuous", "categorical"], {"b": ("u", "v", "w")})
    posterior = posterior_of(data, [graph(2, (0, 1)), graph(2, (1, 0))], [0.5, 0.5], "block")
    frame = posterior.total_effects(n_draws=40)
    assert len(frame) == 4  # three levels of b, and a
    assert frame["quantity"].tolist()[:3] == ["P(b = u)", "P(b = v)", "P(b = w)"]
    assert frame["treated"].tolist()[3] == "w"
    posterior.plot_effects(n_draws=40)
