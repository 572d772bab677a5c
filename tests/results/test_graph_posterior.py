"""The graph posterior against enumeration by hand, golden metrics, and its own file."""

import itertools
import json
import os

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.data import Labelled, Truth, as_dataset
from aetia.discovery import ExactPosterior
from aetia.errors import DataWarning, InputError, ResultFileError
from aetia.files import plain_json
from aetia.graphs import Knowledge, all_dags, is_acyclic
from aetia.likelihoods import LinearGaussian
from aetia.results import EffectPosterior, GraphPosterior, RunFacts
from aetia.results.storage import FILE_NAME

NAMES = ("rain", "sprinkler", 'wet "grass"', "größe")


def graph(d, *edges):
    out = np.zeros((d, d), dtype=bool)
    for i, j in edges:
        out[i, j] = True
    return out


@pytest.fixture
def small():
    """Three graphs with weights 0.5, 0.3, 0.2; the second copy of the first graph has 0.1 of it."""
    chain = graph(3, (0, 1), (1, 2))
    fork = graph(3, (1, 0), (1, 2))
    collider = graph(3, (0, 2), (1, 2))
    return GraphPosterior(
        graphs=np.stack([chain, chain, fork, collider]),
        log_weights=np.log([0.4, 0.1, 0.3, 0.2]) + 7.0,
        names=("a", "b", "c"),
    )


def random_posterior(seed, d=4, s=6, **fields):
    rng = np.random.default_rng(seed)
    dags = all_dags(d).numpy()
    return GraphPosterior(
        graphs=dags[rng.choice(len(dags), s)],
        log_weights=rng.normal(size=s),
        names=NAMES[:d],
        **fields,
    )


@pytest.fixture
def fitted():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    x[:, 1] += x[:, 0]
    x[:, 2] += 0.5 * x[:, 1]
    mask = rng.random((60, 3)) < 0.1
    table = pd.DataFrame(100 * x, columns=["ozone", "wind", "temp"])
    knowledge = Knowledge(forbidden=["temp -> ozone"], beliefs={"ozone -> wind": 0.7})
    return ExactPosterior().fit(table, intervened=mask, knowledge=knowledge).posterior_


# -- summaries ----------------------------------------------------------------------------


def test_weights_are_normalised_whatever_their_scale(small):
    np.testing.assert_allclose(small.weights, [0.4, 0.1, 0.3, 0.2])
    assert small.ess == pytest.approx(1 / (0.16 + 0.01 + 0.09 + 0.04))


def test_edge_probabilities_are_weighted_counts(small):
    expected = np.array([[0.0, 0.5, 0.2], [0.3, 0.0, 1.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(small.edge_probabilities(), expected)
    np.testing.assert_allclose(small.to_frame().loc["a", "b"], 0.5)


def test_the_edge_table_is_sorted_and_names_edges(small):
    table = small.edge_table()
    assert list(zip(table["source"], table["target"], strict=True)) == [
        ("b", "c"), ("a", "b"), ("b", "a"), ("a", "c"),
    ]  # fmt: skip
    np.testing.assert_allclose(table["probability"], [1.0, 0.5, 0.3, 0.2])
    np.testing.assert_allclose(table["path_probability"], [1.0, 0.5, 0.3, 0.7])
    np.testing.assert_allclose(table["adjacent"], [1.0, 0.8, 0.8, 0.2])
    np.testing.assert_allclose(table["reverse_probability"], [0.0, 0.3, 0.5, 0.0])
    assert len(small.edge_table(threshold=0.3)) == 3


def test_draws_of_the_same_graph_are_merged(small):
    graphs, mass = small.distinct()
    np.testing.assert_allclose(mass, [0.5, 0.3, 0.2])
    np.testing.assert_array_equal(graphs[0], small.graphs[0])


@given(st.integers(0, 10_000))
def test_path_probabilities_are_those_of_networkx(seed):
    posterior = random_posterior(seed)
    weights = np.exp(posterior.log_weights)
    for i, j in itertools.permutations(range(4), 2):
        expected = sum(
            w
            for w, g in zip(weights, posterior.graphs, strict=True)
            if nx.has_path(nx.DiGraph(g.astype(int)), i, j)
        )
        assert posterior.path_probability(NAMES[i], NAMES[j]) == pytest.approx(expected, abs=1e-12)


def test_cpdag_probabilities_are_those_of_the_enumerated_classes():
    """A class is the set of DAGs with equal skeleton and v-structures; an edge is compelled
    when all of them agree on it."""
    dags = all_dags(3).numpy()

    def signature(g):
        skeleton = g | g.T
        colliders = frozenset(
            (a, b, c)
            for a, b, c in itertools.permutations(range(3), 3)
            if a < b and g[a, c] and g[b, c] and not skeleton[a, b]
        )
        return skeleton.tobytes(), colliders

    posterior = random_posterior(3, d=3, s=12)
    directed, undirected = np.zeros((3, 3)), np.zeros((3, 3))
    for w, g in zip(posterior.weights, posterior.graphs, strict=True):
        members = np.stack([h for h in dags if signature(h) == signature(g)])
        always = members.all(0)
        directed += w * always
        undirected += w * ((g | g.T) & ~always & ~always.T)
    got = posterior.cpdag_probabilities()
    np.testing.assert_allclose(got.directed, directed, atol=1e-12)
    np.testing.assert_allclose(got.undirected, undirected, atol=1e-12)


edges = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda e: e[0] != e[1]), max_size=4
)


@given(st.integers(0, 2**31), st.floats(0.0, 1.0), edges)
def test_the_consensus_is_acyclic_and_holds_required_edges(seed, threshold, wanted):
    if not bool(is_acyclic(torch.from_numpy(graph(4, *wanted)))):
        wanted = []
    required = [(NAMES[i], NAMES[j]) for i, j in wanted]
    p = np.random.default_rng(seed).random((4, 4)) * (1 - np.eye(4))  # cycles galore
    posterior = random_posterior(seed, edge_marginals=p, knowledge=Knowledge(required=required))
    dag = posterior.consensus_dag(threshold)
    assert bool(is_acyclic(torch.from_numpy(dag)))
    for i, j in wanted:
        assert dag[i, j]
    assert (p[dag & ~graph(4, *wanted)] >= threshold).all()
    # Maximal: an edge above the threshold is missing only because it closes a cycle.
    for i, j in itertools.permutations(range(4), 2):
        if p[i, j] >= threshold and p[i, j] > 0 and not dag[i, j]:
            assert nx.has_path(nx.DiGraph(dag.astype(int)), j, i)


def test_sampling_follows_the_weights_and_the_seed(small):
    """n = 4000, three graphs at 4.5 sigma: one alarm in 50,000 seeds."""
    draws = small.sample(4000, random_state=3)
    assert draws.dtype == bool
    assert draws.tobytes() == small.sample(4000, random_state=3).tobytes()
    assert draws.tobytes() != small.sample(4000, random_state=4).tobytes()
    generator = np.random.default_rng(5)
    assert small.sample(5, generator).tobytes() != small.sample(5, generator).tobytes()
    for g, p in zip(*small.distinct(), strict=True):
        share = (draws == g).all((1, 2)).mean()
        assert abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / 4000)


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match=r"graphs \[S, 3, 3\]"):
        GraphPosterior(graphs=np.zeros((2, 4, 4), bool), log_weights=np.zeros(2), names=("a",) * 3)
    with pytest.raises(InputError, match="S > 0"):
        GraphPosterior(graphs=np.zeros((0, 2, 2), bool), log_weights=np.zeros(0), names=("a", "b"))


# -- against the truth --------------------------------------------------------------------


@pytest.fixture
def golden_metrics(dibs_golden):
    golden = dibs_golden["metrics"]
    posterior = GraphPosterior(
        graphs=np.array(golden["g"], dtype=bool),
        log_weights=np.log(golden["w"]),
        names=tuple("abcde"),
    )
    return posterior, golden


def test_metrics_match_the_golden_numbers_after_dropping_cycles(golden_metrics):
    posterior, golden = golden_metrics
    dags = posterior.dags()
    cyclic = [not nx.is_directed_acyclic_graph(nx.DiGraph(np.array(g))) for g in golden["g"]]
    assert any(cyclic)
    assert len(dags.graphs) == 6 - sum(cyclic)
    metrics = dags.compare(np.array(golden["true_g"]))
    assert metrics["expected_shd"] == pytest.approx(golden["expected_shd"], abs=1e-10)
    assert metrics["n_edges"] == pytest.approx(golden["expected_edges"], abs=1e-10)
    assert metrics["auroc"] == pytest.approx(golden["roc_auc_incl_diag"])
    assert metrics["average_precision"] == pytest.approx(golden["ave_prec"])


def test_metrics_are_right_by_hand(small):
    """Truth: the chain a -> b -> c, which has probability one half."""
    metrics = small.compare(small.graphs[0])
    # fork: a-b reversed (1, or 2); collider: a -> b missing, a -> c extra (2)
    assert metrics["expected_shd"] == pytest.approx(0.3 * 1 + 0.2 * 2)
    assert metrics["expected_shd_reversal_2"] == pytest.approx(0.3 * 2 + 0.2 * 2)
    assert metrics["expected_cpdag_shd"] == pytest.approx(0.2 * 3)
    assert metrics["expected_f1"] == pytest.approx(0.5 + 0.3 * 0.5 + 0.2 * 0.5)
    assert metrics["graph_nll"] == pytest.approx(-np.log(0.5))
    assert metrics["n_edges"] == pytest.approx(2.0)
    assert metrics["n_edges_true"] == 2
    p = np.array([0.5, 0.2, 0.3, 1.0, 0.0, 0.0])
    y = np.array([1, 0, 0, 1, 0, 0])
    assert metrics["brier"] == pytest.approx(((p - y) ** 2).mean())
    assert metrics["auroc"] == 1.0
    assert metrics["consensus_shd"] == 0
    absent = small.compare(graph(3))
    assert absent["graph_nll"] == np.inf
    assert np.isnan(absent["auroc"])


def test_the_truth_may_come_in_any_form_and_order(small):
    truth = graph(3, (0, 1), (0, 2))  # a -> b, a -> c
    expected = small.compare(truth)
    order = [2, 0, 1]
    names = [small.names[i] for i in order]
    shuffled = truth[np.ix_(order, order)]
    data = as_dataset(np.random.default_rng(0).normal(size=(9, 3)))
    network = nx.DiGraph([("a", "c"), ("a", "b")])
    lonely = nx.DiGraph()
    lonely.add_nodes_from(["c", "b", "a"])
    lonely.add_edges_from([("a", "b"), ("a", "c")])
    weighted = np.where(truth, -0.5, 0.0)
    forms = [
        truth.astype(int),
        truth.tolist(),
        torch.from_numpy(truth),
        weighted,
        pd.DataFrame(shuffled, index=names, columns=names),
        network,
        lonely,
        Truth(graph=shuffled, names=tuple(names)),
        Truth(graph=truth),
        Labelled(data, Truth(graph=shuffled, names=tuple(names))),
    ]
    for form in forms:
        np.testing.assert_equal(small.compare(form), expected)


def test_a_frame_whose_rows_are_in_another_order_is_read_by_name(small):
    truth = graph(3, (0, 1), (0, 2))
    frame = pd.DataFrame(truth, index=list("abc"), columns=list("abc")).loc[list("cab")]
    np.testing.assert_equal(small.compare(frame), small.compare(truth))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (graph(2), "2x2"),
        (graph(3, (0, 1), (1, 0)), "cycle"),
        (Truth(graph=graph(3), names=("a", "b", "z")), r"only in the graph: \['z'\]"),
    ],
)
def test_a_wrong_truth_is_refused(small, wrong, message):
    with pytest.raises(InputError, match=message):
        small.compare(wrong)


# -- ways out -----------------------------------------------------------------------------


def consensus_edges(posterior):
    dag, names = posterior.consensus_dag(), posterior.names
    return {(names[i], names[j]) for i, j in zip(*np.nonzero(dag), strict=True)}


@pytest.fixture
def awkward():
    g = graph(4, (0, 2), (1, 2), (2, 3))
    h = graph(4, (0, 2), (1, 2))
    return GraphPosterior(graphs=np.stack([g, h]), log_weights=np.log([0.75, 0.25]), names=NAMES)


def test_networkx_and_gml_carry_names_and_probabilities(awkward):
    network = awkward.to_networkx()
    assert tuple(network.nodes) == NAMES
    assert set(network.edges) == consensus_edges(awkward)
    assert network.edges[NAMES[2], NAMES[3]]["probability"] == pytest.approx(0.75)
    for text in (awkward.to_gml(), awkward.to_dowhy()):
        back = nx.parse_gml(text)
        assert set(back.edges) == set(network.edges)
        assert back.edges[NAMES[2], NAMES[3]]["probability"] == pytest.approx(0.75)


def test_dot_quotes_names(awkward):
    text = awkward.to_dot()
    assert text.startswith("digraph")
    assert '"rain" -> "wet \\"grass\\""' in text
    assert text.count("->") == 3
    assert '"größe"' in text


def test_the_threshold_decides_what_is_exported(awkward):
    assert len(awkward.to_networkx(threshold=0.8).edges) == 2


def test_xarray_names_the_dimensions():
    posterior = random_posterior(
        0, parameters={"weights": np.random.default_rng(0).normal(size=(6, 4, 4))}
    )
    data = posterior.to_xarray()
    assert data["graphs"].dims == ("draw", "source", "target")
    assert list(data["source"].values) == list(NAMES)
    np.testing.assert_array_equal(
        data["graphs"].sel(source="rain", target="größe").values, posterior.graphs[:, 0, 3]
    )
    assert data["weights"].dims == ("draw", "source", "target")


def test_the_frame_has_causes_in_rows(small):
    frame = small.to_frame()
    assert frame.loc["b", "c"] == pytest.approx(1.0)
    assert frame.loc["c", "b"] == 0


def test_printing_says_what_it_is_and_escapes_html(awkward):
    assert "rain" in repr(awkward)
    resampled = GraphPosterior(
        graphs=awkward.graphs, log_weights=awkward.log_weights, names=NAMES, kind="resampling"
    )
    assert "resampling" in repr(resampled)
    hostile = GraphPosterior(
        graphs=awkward.graphs, log_weights=awkward.log_weights, names=("<script>", *NAMES[1:])
    )
    assert "<script>" not in hostile._repr_html_()


# -- files --------------------------------------------------------------------------------


def assert_same_posterior(a, b):
    assert a.names == b.names
    assert a.kind == b.kind
    assert a.graphs.dtype == b.graphs.dtype == bool
    for field in ("graphs", "log_weights", "edge_marginals", "covariance", "lagged"):
        first, second = getattr(a, field), getattr(b, field)
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first, second)
    for field in ("parameters", "trace"):
        first, second = getattr(a, field), getattr(b, field)
        assert first.keys() == second.keys()
        for k in first:
            assert first[k].tobytes() == second[k].tobytes()
            assert first[k].dtype == second[k].dtype
    assert a.knowledge.to_dict() == b.knowledge.to_dict()
    assert plain_json(a.diagnostics) == plain_json(b.diagnostics)  # NaN becomes null in a file
    assert a.sample(20, random_state=1).tobytes() == b.sample(20, random_state=1).tobytes()
    np.testing.assert_array_equal(a.edge_probabilities(), b.edge_probabilities())


def test_a_saved_posterior_comes_back_with_the_same_draws_and_effects(fitted, tmp_path):
    fitted.save(tmp_path / "run")
    back = GraphPosterior.load(tmp_path / "run")
    assert_same_posterior(fitted, back)
    first = fitted.effect("ozone", "temp", treated=3.0, control=-1.0, random_state=5)
    second = back.effect("ozone", "temp", treated=3.0, control=-1.0, random_state=5)
    assert first.draws.tobytes() == second.draws.tobytes()
    assert first.exact_mean.tobytes() == second.exact_mean.tobytes()
    assert first.exact_sd.tobytes() == second.exact_sd.tobytes()
    assert [p.name for p in (tmp_path / "run").iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("likelihood", ["bge", LinearGaussian(noise_variance="learned")])
def test_the_likelihood_of_the_file_is_that_of_the_fit(likelihood, tmp_path):
    x = np.random.default_rng(1).normal(size=(30, 2))
    posterior = ExactPosterior(likelihood=likelihood).fit(x).posterior_
    posterior.save(tmp_path)
    back = GraphPosterior.load(tmp_path)
    assert back.model.likelihood == posterior.model.likelihood


def test_parameters_lags_and_trace_survive_the_file(tmp_path):
    rng = np.random.default_rng(0)
    posterior = random_posterior(
        1,
        kind="resampling",
        parameters={"weights": rng.normal(size=(6, 4, 4)), "w1": rng.normal(size=(6, 4, 4, 5))},
        lagged=rng.random((6, 2, 4, 4)) < 0.5,
        trace={"step": np.arange(5.0), "beta": rng.normal(size=5)},
        facts=RunFacts(method="dibs", seed=2**100, config={"prior": 'α "β"'}),
        diagnostics={"share_cyclic": float("nan"), "note": 'α "β"'},
    )
    posterior.save(tmp_path)
    back = GraphPosterior.load(tmp_path)
    assert_same_posterior(posterior, back)
    assert back.lagged.dtype == bool
    assert back.facts == posterior.facts


def test_weights_of_zero_survive_the_file(tmp_path):
    posterior = GraphPosterior(
        graphs=np.stack([graph(2), graph(2, (0, 1))]),
        log_weights=np.array([0.0, -np.inf]),
        names=("a", "b"),
    )
    posterior.save(tmp_path)
    np.testing.assert_array_equal(GraphPosterior.load(tmp_path).weights, [1.0, 0.0])
    assert posterior.compare(graph(2))["graph_nll"] == pytest.approx(0.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_a_result_file_error(fitted, tmp_path, share):
    fitted.save(tmp_path)
    content = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ResultFileError, match="damaged"):
        GraphPosterior.load(tmp_path)


def damage_array(data):
    del data["log_weights"]


def damage_graphs(data):
    del data["graphs"]


def damage_header(data):
    data.attrs["aetia"] = "{"


def damage_schema(data):
    header = json.loads(data.attrs["aetia"])
    data.attrs["aetia"] = json.dumps(header | {"schema": 99})


def damage_plain(data):
    header = json.loads(data.attrs["aetia"])
    del header["plain"]["names"]
    data.attrs["aetia"] = json.dumps(header)


def damage_likelihood(data):
    header = json.loads(data.attrs["aetia"])
    header["plain"]["likelihood"]["name"] = "os.system"
    data.attrs["aetia"] = json.dumps(header)


def damage_bool(data):
    header = json.loads(data.attrs["aetia"])
    header["bool"] = ["not there"]
    data.attrs["aetia"] = json.dumps(header)


@pytest.mark.parametrize(
    "damage",
    [
        damage_array,
        damage_graphs,
        damage_header,
        damage_schema,
        damage_plain,
        damage_likelihood,
        damage_bool,
    ],
)
def test_a_tampered_file_is_a_result_file_error(fitted, tmp_path, damage):
    import xarray as xr

    fitted.save(tmp_path)
    with xr.open_dataset(tmp_path / FILE_NAME, engine="h5netcdf") as opened:
        data = opened.load()
    damage(data)
    data.to_netcdf(tmp_path / FILE_NAME, engine="h5netcdf")
    with pytest.raises(ResultFileError):
        GraphPosterior.load(tmp_path)


def test_bytes_that_are_no_result_are_a_result_file_error(tmp_path):
    with pytest.raises(ResultFileError, match="missing"):
        GraphPosterior.load(tmp_path / "nowhere")
    (tmp_path / FILE_NAME).write_bytes(b"\x80\x04K\x01." * 100)
    with pytest.raises(ResultFileError):
        GraphPosterior.load(tmp_path)


def test_a_posterior_of_another_kind_is_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    with pytest.raises(ResultFileError, match="GraphPosterior"):
        EffectPosterior.load(tmp_path)


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_an_interrupted_write_leaves_the_old_file(fitted, small, tmp_path, monkeypatch, step):
    small.save(tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()

    def fail(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, step, fail)
        with pytest.raises(InputError, match="No space left"):
            fitted.save(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [FILE_NAME]


# -- effects as results -------------------------------------------------------------------


@pytest.fixture
def effect():
    rng = np.random.default_rng(0)
    return EffectPosterior(
        draws=rng.normal(loc=[1.0, -2.0], size=(500, 2)),
        labels=("ATE", "ATT"),
        treatment="dose",
        outcome="pain",
        treated=2.0,
        control=0.5,
        probability_of_effect=0.75,
        diagnostics={"method": "hand"},
    )


def test_intervals_and_frame_are_numpy_quantiles(effect):
    for level in (0.5, 0.9, 0.99):
        tails = [(1 - level) / 2, 1 - (1 - level) / 2]
        expected = np.quantile(effect.draws, tails, axis=0).T
        np.testing.assert_allclose(effect.interval(level), expected)
        frame = effect.frame(level)
        assert list(frame["quantity"]) == ["ATE", "ATT"]
        np.testing.assert_allclose(frame[["lower", "upper"]], expected)
        np.testing.assert_allclose(frame["mean"], effect.draws.mean(0))
        np.testing.assert_allclose(frame["sd"], effect.draws.std(0, ddof=1))


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 90.0])
def test_a_level_is_a_probability(effect, level):
    with pytest.raises(InputError, match="between 0 and 1"):
        effect.interval(level)


def test_intervals_of_the_other_kind_are_refused(effect):
    with pytest.raises(InputError, match="credible"):
        effect.interval(0.9, kind="prediction")


def test_a_saved_effect_comes_back(effect, fitted, tmp_path):
    for k, one in enumerate((effect, fitted.effect("wind", "temp", n_draws=50))):
        one.save(tmp_path / str(k))
        back = EffectPosterior.load(tmp_path / str(k))
        assert back.draws.tobytes() == one.draws.tobytes()
        np.testing.assert_array_equal(back.mean, one.mean)
        np.testing.assert_array_equal(back.sd, one.sd)
        assert repr(back) == repr(one)
        for field in ("labels", "treatment", "outcome", "treated", "control", "kind"):
            assert getattr(back, field) == getattr(one, field)
        assert back.probability_of_effect == one.probability_of_effect


def test_the_text_names_contrast_and_interval(effect):
    text = repr(effect)
    for word in ("dose", "pain", "2 against 0.5", "90 %", "0.750"):
        assert word in text


def test_an_effect_needs_two_known_names_and_a_model(fitted, small):
    with pytest.raises(InputError, match="Did you mean 'ozone'"):
        fitted.effect("ozon", "temp")
    with pytest.raises(InputError, match="both 'wind'"):
        fitted.effect("wind", "wind")
    with pytest.raises(InputError, match="linear Gaussian"):
        small.effect("a", "b")


def test_effects_of_selection_frequencies_warn(fitted):
    from dataclasses import replace

    with pytest.warns(DataWarning, match="not a posterior"):
        replace(fitted, kind="resampling").effect("wind", "temp", n_draws=10)


def test_no_probability_of_many_draws_is_above_one_by_rounding():
    n = 7_777
    graphs = np.zeros((n, 2, 2), dtype=bool)
    graphs[:, 0, 1] = True
    posterior = GraphPosterior(graphs=graphs, log_weights=np.full(n, -np.log(n)), names=("a", "b"))
    assert posterior.edge_probabilities().max() <= 1.0
    assert posterior.path_probability("a", "b") <= 1.0
    assert posterior.edge_probabilities()[0, 1] == pytest.approx(1.0)
