"""RCGNN as a user meets it; the tests that would have caught the prototype."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from aetia.data import as_windows, place_rows
from aetia.discovery import RCGNN
from aetia.errors import InputError
from aetia.graphs import Knowledge, is_acyclic, retrieval_scores
from aetia.results import GraphPosterior
from aetia.scm import Regimes, corrupt, random_structural_var

QUICK = {"n_resamples": 20, "n_imputations": 2, "drift": False, "random_state": 0}


def recordings(d=5, seed=0, n=24, steps=50, **options):
    process = random_structural_var(d, d, random_state=seed, **options)
    return process.sample(n, steps, random_state=seed + 1)


@pytest.fixture(scope="module")
def clean():
    data, truth = recordings()
    return data, truth, RCGNN(**QUICK).fit(data)


def test_the_graph_of_clean_recordings_is_found(clean):
    _, truth, fitted = clean
    assert fitted.summary_graph_.tolist() == truth.summary_graph.tolist()
    assert bool(is_acyclic(torch.from_numpy(fitted.adjacency_)))
    assert int(fitted.summary_graph_.sum()) == fitted.posterior_.diagnostics["n_edges"]


def test_weights_are_in_the_users_units(clean):
    _, truth, fitted = clean
    found = fitted.adjacency_ & truth.graph
    assert found.any()
    np.testing.assert_allclose(fitted.weights_[0][found], truth.weights[found], atol=0.12)
    own = np.arange(5)
    np.testing.assert_allclose(
        fitted.weights_[1][own, own], truth.lagged_weights[0][own, own], atol=0.12
    )


def test_gains_and_offsets_leave_the_graph_as_it_is_and_order_moves_with_it(clean):
    data, _, fitted = clean
    gain, offset = np.array([1e-3, 1.0, 7.0, 250.0, 0.2]), np.array([0.0, -5.0, 1e4, 3.0, 0.1])
    scaled = RCGNN(**QUICK).fit(data.values * gain + offset)
    np.testing.assert_array_equal(scaled.summary_graph_, fitted.summary_graph_)
    np.testing.assert_allclose(scaled.summary_probability_, fitted.summary_probability_)
    order = np.array([3, 0, 4, 1, 2])
    moved = RCGNN(**QUICK).fit(data.values[..., order])
    # Imputation draws go to other sensors, so frequencies may move by little.
    np.testing.assert_array_equal(moved.summary_graph_, fitted.summary_graph_[order][:, order])


def test_reversed_time_gives_another_graph(clean):
    data, truth, fitted = clean
    backwards = RCGNN(**QUICK).fit(data.values[:, ::-1].copy())
    assert (backwards.summary_graph_ != fitted.summary_graph_).any()
    assert backwards.summary_graph_.tolist() != truth.summary_graph.tolist()


def test_independent_noise_has_at_most_one_false_edge_on_average():
    """Five tables of 8 white sensors: 280 wrong edges are possible."""
    edges = []
    for seed in range(5):
        x = np.random.default_rng(seed).normal(size=(20, 50, 8))
        edges.append(int(RCGNN(**QUICK).fit(x).summary_graph_.sum()))
    assert np.mean(edges) <= 1


def test_clean_cases_beat_the_empty_a_random_and_the_correlation_graph():
    for seed in (11, 12):
        data, truth = recordings(d=7, seed=seed)
        graph = torch.from_numpy(truth.summary_graph)
        fitted = RCGNN(**QUICK).fit(data)
        ours = retrieval_scores(
            graph,
            torch.from_numpy(fitted.summary_graph_),
            torch.from_numpy(fitted.summary_probability_),
        )
        correlation = np.abs(np.corrcoef(data.values.reshape(-1, 7).T))
        k = int(fitted.summary_graph_.sum())
        ranked = np.where(np.eye(7, dtype=bool), 0, correlation)
        skeleton = torch.from_numpy(ranked >= np.sort(ranked, axis=None)[-2 * k])
        floor = retrieval_scores(graph, skeleton, torch.from_numpy(ranked))
        rng = np.random.default_rng(0)
        chance = np.mean([_chance(graph, k, rng) for _ in range(50)])
        assert ours["f1"] > max(floor["f1"], chance) + 0.2
        assert ours["shd"] < int(graph.sum())


def _chance(graph, k, rng):
    d = len(graph)
    at = rng.permutation(np.flatnonzero(~np.eye(d, dtype=bool)))[:k]
    found = np.zeros(d * d, dtype=bool)
    found[at] = True
    random = torch.from_numpy(found.reshape(d, d))
    return retrieval_scores(graph, random, random.double())["f1"]


def test_missing_cells_are_no_numbers(clean):
    data, truth, _ = clean
    lost = np.random.default_rng(0).random(data.values.shape) < 0.3
    nan, garbage = data.values.copy(), data.values.copy()
    nan[lost], garbage[lost] = np.nan, 1e6
    a, b = RCGNN(**QUICK).fit(nan), RCGNN(**QUICK).fit(garbage, observed=~lost)
    np.testing.assert_array_equal(a.summary_probability_, b.summary_probability_)
    np.testing.assert_array_equal(a.imputed_, b.imputed_)
    rmse = np.sqrt(np.mean(((a.imputed_ - data.values) / data.values.std((0, 1)))[lost] ** 2))
    assert rmse < 0.8  # 1 is the mean of the sensor
    np.testing.assert_array_equal(a.imputed_[~lost], data.values[~lost])
    assert (a.summary_graph_ == truth.summary_graph).mean() > 0.9


def test_the_same_seed_gives_the_same_answer_and_another_does_not():
    data = corrupt(recordings(n=12)[0], "compound_full", random_state=0).data
    few = QUICK | {"n_resamples": 8}
    fitted, again = RCGNN(**few).fit(data), RCGNN(**few).fit(data)
    other = RCGNN(**few | {"random_state": 1}).fit(data)
    np.testing.assert_array_equal(again.posterior_.graphs, fitted.posterior_.graphs)
    np.testing.assert_array_equal(again.imputed_, fitted.imputed_)
    assert (other.posterior_.graphs != fitted.posterior_.graphs).any() or (
        other.posterior_.lagged != fitted.posterior_.lagged
    ).any()


def test_a_table_with_names_times_and_regimes_gives_the_same_as_its_array():
    process = random_structural_var(4, 4, regimes=Regimes(n=3), random_state=2)
    data = process.sample(12, 60, random_state=3).data
    frame = pd.DataFrame(data.values.reshape(-1, 4), columns=["co", "no2", "temp", "wind"])
    frame["time"] = np.tile(np.arange(60), 12)
    frame["sensor_box"] = np.repeat(np.arange(12), 60)
    frame["site"] = np.repeat(np.array(["north", "south", "west"])[data.regime], 60)
    shuffled = frame.sample(frac=1.0, random_state=0)
    options = QUICK | {"block_length": 60, "n_resamples": 6}
    table = RCGNN(**options).fit(shuffled, time="time", series="sensor_box", regime="site")
    cube = RCGNN(**options).fit(data.values, regime=data.regime)
    np.testing.assert_array_equal(table.summary_probability_, cube.summary_probability_)
    assert table.feature_names_in_.tolist() == ["co", "no2", "temp", "wind"]
    assert table.regime_deltas_.shape == (3, 2, 4, 4)
    assert table.residual_invariance_.shape == (3, 4)
    assert {"source", "target", "lag"} <= set(table.posterior_.edge_table().columns)


def test_knowledge_holds_at_every_lag_of_every_graph():
    data, _ = recordings(d=5, seed=4)
    known = Knowledge(required=["x0 -> x1"], forbidden=["x1 -> x2"], roots=["x3"], sinks=["x4"])
    fitted = RCGNN(**QUICK).fit(data, knowledge=known)
    draws = fitted.posterior_.graphs | fitted.posterior_.lagged.any(1)
    assert draws[:, 0, 1].all()
    assert fitted.summary_graph_[0, 1]
    assert not draws[:, 1, 2].any()
    assert not draws[:, [0, 1, 2, 4], 3].any()
    assert not draws[:, 4, :4].any()
    assert draws.sum() > 2 * len(draws)


def test_two_lags_one_long_recording_and_a_season():
    process = random_structural_var(3, 2, n_lags=2, random_state=6)
    x = process.sample(1, 1500, random_state=7).data.values[0]
    wave = 3 * np.sin(2 * np.pi * np.arange(1500) / 24)[:, None] * [1.0, 2.0, 0.5]
    plain = RCGNN(**QUICK, n_lags=2).fit(x)
    seasonal = RCGNN(**QUICK, n_lags=2, season=24).fit(x + wave)
    assert plain.lagged_adjacency_.shape == (2, 3, 3)
    np.testing.assert_array_equal(seasonal.summary_graph_, plain.summary_graph_)
    np.testing.assert_allclose(seasonal.imputed_[0], x + wave)


def test_the_posterior_survives_saving(clean, tmp_path):
    _, _, fitted = clean
    fitted.posterior_.save(tmp_path / "p")
    back = GraphPosterior.load(tmp_path / "p")
    assert back.kind == "resampling"
    np.testing.assert_array_equal(back.lagged, fitted.posterior_.lagged)
    np.testing.assert_array_equal(
        back.summary_probabilities(), fitted.posterior_.summary_probabilities()
    )


def test_estimators_pickle_clone_and_start_again(clean):
    _, _, fitted = clean
    back = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(back.summary_graph_, fitted.summary_graph_)
    fresh = clone(fitted)
    assert not hasattr(fresh, "posterior_")
    assert fresh.get_params() == fitted.get_params()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_resamples": 0}, "n_resamples must be larger than 0"),
        ({"n_lags": 0}, "n_lags must be larger than 0"),
        ({"threshold": 1.5}, r"threshold must lie in \(0, 1\]"),
        ({"threshold": "held-out", "backend": "neural"}, "needs backend='linear'"),
        ({"block_length": 3}, "block_length=3 is too short for n_lags=1"),
    ],
)
def test_bad_options_are_named(clean, options, message):
    with pytest.raises(InputError, match=message):
        RCGNN(**QUICK).set_params(**options).fit(clean[0])


def test_bad_data_are_named(clean):
    data = clean[0]
    with pytest.raises(InputError, match="does not accept intervened"):
        RCGNN(**QUICK).fit(data, intervened=np.zeros(3))
    with pytest.raises(InputError, match="stability selection needs at least 4"):
        RCGNN(**QUICK).fit(data.values[0])
    with pytest.raises(InputError, match="'x9', which is not a column"):
        RCGNN(**QUICK).fit(data, knowledge=Knowledge(roots=["x9"]))


def test_drift_and_noise_do_not_make_edges():
    data, truth = recordings(d=6, seed=8, n=40)
    bad = corrupt(data, "drift_0.15", random_state=0).data
    fitted = RCGNN(n_resamples=20, random_state=0).fit(bad)
    assert fitted.posterior_.diagnostics["has_drift"]
    scores = retrieval_scores(
        torch.from_numpy(truth.summary_graph),
        torch.from_numpy(fitted.summary_graph_),
        torch.from_numpy(fitted.summary_probability_),
    )
    assert scores["f1"] >= 0.8
    assert not RCGNN(n_resamples=2, random_state=0).fit(data).posterior_.diagnostics["has_drift"]


def test_windows_that_overlap_count_once():
    data, _ = recordings(d=3, seed=9, n=2, steps=300)
    whole, overlapping = RCGNN(**QUICK).fit(data), RCGNN(**QUICK).fit(data.cut(30, 10))
    np.testing.assert_allclose(overlapping.summary_probability_, whole.summary_probability_)
    assert overlapping.imputed_.shape == overlapping.windows_.values.shape
    assert as_windows(data).n == 2


def test_a_season_of_windows_is_taken_out_too():
    data, _ = recordings(d=3, seed=9, n=2, steps=240)
    wave = 3 * np.sin(2 * np.pi * np.arange(240) / 12)[None, :, None]
    seasonal = as_windows(data.values + wave)
    of_windows = RCGNN(**QUICK, season=12).fit(seasonal)
    of_array = RCGNN(**QUICK, season=12).fit(seasonal.values)
    np.testing.assert_array_equal(of_windows.summary_probability_, of_array.summary_probability_)
    np.testing.assert_allclose(of_windows.imputed_, seasonal.values)
    assert of_windows.windows_.season.periods == (12,)


def test_a_share_that_is_held_out_shapes_neither_scales_nor_the_fit():
    data, _ = recordings(d=3, seed=9, n=1, steps=600)
    options = {"backend": "neural", "n_refits": 1, "validation_share": 0.2, "block_length": 30}
    quick = {"n_steps": 8, "n_hidden": 4, "encoder_width": 8, "log_every": 4, "n_searches": 1}
    later = data.values.copy()
    later[:, -150:] = 0.5 * later[:, -150:][:, ::-1] + 0.3  # the last 20 % and the gap before it
    one, two = (
        RCGNN(**options, neural=quick, random_state=0, progress=False).fit(x)
        for x in (data.values, later)
    )
    np.testing.assert_array_equal(one.edge_probability_, two.edge_probability_)
    np.testing.assert_array_equal(one.clean_[:, :420], two.clean_[:, :420])
    held = ([r for r in f.history_ if "loss" in r][-1] for f in (one, two))
    first, second = (next(v for k, v in r.items() if k.startswith("validation_loss")) for r in held)
    assert first != second


def test_a_held_out_share_needs_a_back_end_that_scores_it_and_blocks_enough():
    data, _ = recordings(d=3, seed=9, n=1, steps=600)
    with pytest.raises(InputError, match=r"validation_share=0.2 has no effect with backend='lin"):
        RCGNN(validation_share=0.2).fit(data)
    few = RCGNN(backend="neural", validation_share=0.2, block_length=50)
    with pytest.raises(
        InputError, match=r"a split needs 2 windows of every regime.*regime 'b' has"
    ):
        few.fit(data.values[0], regime=["a"] * 530 + ["b"] * 70)


def test_calibrated_probabilities_rise_with_the_frequency(clean):
    _, _, fitted = clean
    pairs = ~np.eye(5, dtype=bool)  # a sensor's own past is no question, and stays at zero
    p, q = fitted.summary_probability_[pairs], fitted.calibrated_probability_[pairs]
    assert (np.diag(fitted.calibrated_probability_) == 0).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(q[order]) >= 0).all()
    assert ((q >= 0) & (q <= 1)).all()
    assert q[p == 1].min() > 0.5 > q[p == 0].max()


def test_recordings_that_were_placed_give_the_same_fit_as_their_table():
    process = random_structural_var(3, 3, regimes=Regimes(n=2), random_state=2)
    data = process.sample(4, 60, random_state=3).data
    frame = pd.DataFrame(data.values.reshape(-1, 3), columns=["co", "no2", "temp"])
    frame["hour"], frame["box"] = np.tile(np.arange(60), 4), np.repeat(list("abcd"), 60)
    frame["site"] = np.repeat(np.array(["north", "south"])[data.regime], 60)
    frame = frame.drop(index=[4, 5, 70]).sample(frac=1.0, random_state=0)
    roles = {"time": "hour", "series": "box", "regime": "site"}
    placed = place_rows(frame, **roles)
    of_table = RCGNN(**QUICK, season=12).fit(frame, **roles)
    of_placed = RCGNN(**QUICK, season=12).fit(placed)
    for name in ("weights_", "imputed_", "imputed_sd_", "clean_", "summary_probability_"):
        np.testing.assert_array_equal(getattr(of_placed, name), getattr(of_table, name))
    sensors = frame[["co", "no2", "temp"]].to_numpy()
    np.testing.assert_allclose(placed.at_rows(of_placed.imputed_), sensors)
    assert of_placed.regime_names_ == ("north", "south")
    with pytest.raises(InputError, match="time is decided when the rows of a table are placed"):
        RCGNN(**QUICK).fit(placed, time="hour")


def test_facts_of_the_run_health_and_history(clean):
    _, _, fitted = clean
    facts = fitted.facts_
    assert fitted.posterior_.facts == facts
    assert (facts.method, facts.seed, facts.device, facts.n_steps) == ("rcgnn", 0, "cpu", None)
    assert facts.seconds > 0
    assert facts.config["n_resamples"] == 20
    assert fitted.health_["n_edges"] == int(fitted.summary_graph_.sum())
    assert fitted.history_ == []
    again = RCGNN(**dict(facts.config), random_state=facts.seed).fit(clean[0])
    np.testing.assert_array_equal(again.posterior_.graphs, fitted.posterior_.graphs)


def test_the_earlier_name_of_a_neural_option_answers_for_one_release():
    data, _ = recordings(d=3, seed=9, n=6)
    quick = {"n_steps": 6, "n_hidden": 2, "encoder_width": 4, "n_searches": 1, "log_every": 3}
    options = {"backend": "neural", "n_refits": 1, "random_state": 0, "progress": False}
    with pytest.warns(FutureWarning, match="refit_share is called final_share"):
        old = RCGNN(**options, neural=quick | {"refit_share": 0.4}).fit(data)
    new = RCGNN(**options, neural=quick | {"final_share": 0.4}).fit(data)
    np.testing.assert_array_equal(old.clean_, new.clean_)
    assert new.facts_.n_steps == 6
    assert [row["step"] for row in new.history_ if "loss" in row] == [3, 6]
