"""DDDM on tables: answers, kinds of columns, causal use, files, errors."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from aetia.errors import CheckpointError, InputError, NumericalError, ResultFileError
from aetia.generation import DDDM
from aetia.generation.diffusion import Energy
from aetia.generation.diffusion.tables.config import DDDMConfig
from aetia.generation.diffusion.tables.on_graph import abduct_by_rank
from aetia.options import options_dict

QUICK = {"n_training_steps": 20, "hidden_units": (16, 16), "progress": False, "random_state": 0}


def mixed(n=400, seed=0, holes=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = 2 * x + 0.5 * rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "x": x,
            "y": y,
            "colour": np.where(x > 0.5, "red", np.where(x < -0.5, "blue", "green")),
            "count": rng.poisson(np.exp(0.5 * x)),
            "smokes": (rng.random(n) < 0.3).astype(int),
        }
    )
    if holes:
        frame = frame.mask(pd.DataFrame(rng.random(frame.shape) < holes, columns=frame.columns))
    return frame


@pytest.fixture(scope="module")
def fitted():
    """A short fit of a table with all kinds of columns and holes."""
    return DDDM(**QUICK).fit(mixed(holes=0.1))


@pytest.fixture(scope="module")
def good():
    """A fit that is long enough to be right: x -> y -> w, linear with normal noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=1500)
    y = 1.5 * x + 0.5 * rng.normal(size=1500)
    w = -y + 0.5 * rng.normal(size=1500)
    frame = pd.DataFrame({"x": x, "y": y, "w": w})
    options = {"n_training_steps": 1800, "hidden_units": (64, 64, 64), "progress": False}
    return DDDM(**options, random_state=0).fit(frame), frame


DAG = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)


# -- answers ------------------------------------------------------------------------------------


def test_new_rows_have_the_kinds_of_the_table(fitted):
    frame = fitted.sample(300).frame()
    assert list(frame.columns) == ["x", "y", "colour", "count", "smokes"]
    assert set(frame["colour"]) <= {"red", "green", "blue"}
    assert set(frame["smokes"]) <= {0.0, 1.0}
    assert (frame["count"] >= 0).all()
    assert (frame["count"] == frame["count"].round()).all()


def test_given_values_come_back(fitted):
    draws = fitted.sample(50, given={"x": 1.25, "colour": "red"})
    frame = draws.frame()
    assert draws.values.shape == (1, 50, 5)
    assert (frame["x"] == 1.25).all()
    assert (frame["colour"] == "red").all()
    assert frame["y"].nunique() == 50


def test_rows_with_some_columns_give_draws_of_the_others(fitted):
    given = mixed(7, seed=1)[["colour", "x"]]
    draws = fitted.sample(11, given=given)
    assert draws.values.shape == (11, 7, 5)
    np.testing.assert_array_equal(draws.values[:, :, 0], np.repeat([given["x"]], 11, 0))
    assert list(draws.completed()["colour"]) == list(given["colour"])
    assert not np.isnan(draws.values).any()


def test_columns_can_be_drawn_alone(fitted):
    given = mixed(6, seed=1)
    given.loc[2, "x"] = np.nan
    draws = fitted.sample(9, given=given.drop(columns="y"), columns=["y"])
    assert draws.values.shape == (9, 6, 1)
    assert draws.names == ("y",)


def test_imputation_keeps_what_was_seen(fitted):
    table = mixed(holes=0.1)
    draws = fitted.impute(n_draws=5)
    done = draws.completed()
    assert not done.isna().any().any()
    for name in table.columns:
        seen = table[name].notna()
        assert (done.loc[seen, name].to_numpy() == table.loc[seen, name].to_numpy()).all()
    cells = draws.frame()
    assert len(cells) == int(table.isna().sum().sum())
    colours = cells[cells["column"] == "colour"]
    assert colours["mean"].isna().all()
    assert set(colours["most_likely"]) <= {"red", "green", "blue"}
    assert colours["probability"].between(1 / 3, 1).all()


def test_conditional_means_and_spreads_are_right(good):
    model, _ = good
    draws = model.sample(4000, given={"x": 1.0}).frame()
    # y | x = 1 is N(1.5, 0.25), w | x = 1 is N(-1.5, 0.5): what a short fit can do.
    assert abs(draws["y"].mean() - 1.5) < 0.15
    assert 0.38 < draws["y"].std() < 0.62
    assert abs(draws["w"].mean() + 1.5) < 0.15
    assert 0.55 < draws["w"].std() < 0.85
    back = model.sample(4000, given={"w": -1.5, "x": 1.0}).frame()["y"]
    assert abs(back.mean() - 1.5) < 0.15
    assert 0.25 < back.std() < 0.46  # 0.354


def test_scores_prefer_the_law_that_made_the_rows(good):
    model, frame = good
    rows = frame.head(200)
    shifted = rows.assign(y=rows["y"] + 2)
    assert model.score(rows) > model.score(shifted) + 0.1
    of_y = model.energy_scores(rows, targets=["y"])
    assert of_y.shape == (200,)
    # CRPS of y given x and w in units of sd(y): sd 0.354 / sqrt(pi) / 1.58.
    assert abs(of_y.mean() - 0.354 / np.sqrt(np.pi) / 1.58) < 0.04


def test_fewer_and_more_steps_give_the_same_law(good):
    model, _ = good
    for n_steps in (1, 3, 10):
        y = model.sample(3000, given={"x": -0.5}, n_steps=n_steps, columns=["y"]).frame()["y"]
        assert abs(y.mean() + 0.75) < 0.15
        assert 0.36 < y.std() < 0.66


# -- causal use ---------------------------------------------------------------------------------


def test_setting_a_node_is_not_seeing_it(good):
    model, _ = good
    done = model.sample_do(DAG, {"y": 2.0}, 3000).frame()
    assert (done["y"] == 2.0).all()
    assert abs(done["x"].mean()) < 0.12  # its cause does not follow
    assert abs(done["w"].mean() + 2.0) < 0.2  # its effect does
    seen = model.sample(3000, given={"y": 2.0}).frame()
    assert seen["x"].mean() > 0.8


def test_several_graphs_share_the_draws(good):
    model, _ = good
    reverse = DAG.T
    rows = model.sample_do(np.stack([DAG, DAG, reverse]), {"y": 3.0}, 900).frame()
    # In a third of them x is caused by y.
    x = rows["x"]
    assert len(rows) == 900
    assert 0.2 * 1.8 < x.mean() < 0.47 * 1.8
    graph = nx.DiGraph([("x", "y"), ("y", "w")])
    one = model.sample_do(graph, {"y": 3.0}, 200, random_state=1)
    two = model.sample_do(DAG, {"y": 3.0}, 200, random_state=1)
    np.testing.assert_array_equal(one.values, two.values)


def test_counterfactuals_keep_the_noise_of_a_row(good):
    model, frame = good
    rows = frame.head(40)
    found = model.counterfactual(DAG, rows, {"x": 0.5}).mean
    y = 1.5 * 0.5 + (rows["y"] - 1.5 * rows["x"])
    w = -y + (rows["w"] + rows["y"])
    np.testing.assert_array_equal(found[:, 0], 0.5)
    assert np.sqrt(np.mean((found[:, 1] - y) ** 2)) < 0.3
    assert np.sqrt(np.mean((found[:, 2] - w) ** 2)) < 0.4
    # Causes of what is set stay as they were.
    kept = model.counterfactual(DAG, rows, {"y": 0.0}, 3).values
    np.testing.assert_array_equal(kept[0][:, 0], rows["x"])


def test_ranks_of_a_monotone_mechanism_are_its_noise():
    rng = np.random.default_rng(0)
    u, n = rng.random(50), 50
    noise = rng.random((n, 4000))
    factual, other = -np.log1p(-noise), 3 * noise**2
    found = abduct_by_rank(-np.log1p(-u), factual, other[:, None], rng)[:, 0]
    np.testing.assert_allclose(found, 3 * u**2, atol=0.12)


def test_ties_leave_the_counterfactual_open():
    rng = np.random.default_rng(0)
    factual = np.repeat([[0.0, 1.0]], 200, 0).repeat(50, 1)
    other = np.linspace(0, 1, 100)[None, None].repeat(200, 0)
    found = abduct_by_rank(np.zeros(200), factual, other, rng)
    assert found.max() < 0.56
    assert np.ptp(found) > 0.4


def test_a_fit_to_a_graph_learns_its_families_alone(good):
    _, frame = good
    model = DDDM(**QUICK).fit(frame, dag=DAG)
    assert model.sample_do(DAG, {"x": 0.0}, 10).values.shape == (1, 10, 3)
    frame = frame.assign(x=np.nan)
    target = DDDM(**QUICK, targets=["w"]).fit(good[1])
    with pytest.raises(InputError, match=r"columns \['x'\] were asked for"):
        target.sample(2, given=frame.head(3))


# -- the estimator ------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_draws_and_a_refit_is_a_refit():
    table = mixed(60)
    one, two = DDDM(**QUICK).fit(table), DDDM(**QUICK).fit(table)
    np.testing.assert_array_equal(one.sample(5).values, two.sample(5).values)
    np.testing.assert_array_equal(one.sample(5).values, one.sample(5).values)
    before = one.sample(5).values
    np.testing.assert_array_equal(one.fit(table).sample(5).values, before)
    other = one.sample(5, random_state=1).values
    assert not np.array_equal(other, before)


def test_defaults_of_estimator_and_options_agree():
    ours, options = DDDM().get_params(), options_dict(DDDMConfig())
    assert {k: ours[k] for k in options} == options
    assert set(ours) - set(options) == {"random_state", "device", "progress"}
    assert clone(DDDM(churn=0.3)).churn == 0.3


def test_a_saved_model_gives_the_same_draws(fitted, tmp_path):
    fitted.save(tmp_path)
    loaded = DDDM.load(tmp_path)
    np.testing.assert_array_equal(loaded.sample(6).values, fitted.sample(6).values)
    with pytest.raises(InputError, match="not stored"):
        loaded.impute()
    assert loaded.impute(mixed(30, holes=0.2), 2).n_draws == 2
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        DDDM.load(tmp_path)
    with pytest.raises(ResultFileError, match="no saved DDDM"):
        DDDM.load(tmp_path / "nothing")


def test_objects_and_mappings_as_options(tmp_path):
    table = mixed(60)[["x", "y"]]
    one = DDDM(**QUICK, distance=Energy(0.5)).fit(table)
    two = DDDM(**QUICK, distance={"name": "energy", "beta": 0.5}).fit(table)
    np.testing.assert_array_equal(one.sample(3).values, two.sample(3).values)
    one.save(tmp_path)
    np.testing.assert_array_equal(DDDM.load(tmp_path).sample(3).values, two.sample(3).values)


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "paper"},
        {"distance": "rbf"},
        {"distance": "imq", "schedule": "cosine"},
        {"distance": "annealed-energy", "interaction": "annealed"},
        {"network": "plain", "hidden_units": (16, 16)},
        {"time_weight": "sigmoid", "weight_bias": -2.0},
        {"population": 1, "interaction": 0.0, "distance": {"name": "energy", "beta": 2.0}},
        {"n_steps": 3, "time_grid": "edm", "churn": 0.0, "validation_share": 0.0},
    ],
    ids=str,
)
def test_every_option_fits_and_draws(options):
    quick = {k: v for k, v in QUICK.items() if k != "hidden_units" or "hidden_units" not in options}
    model = DDDM(**(quick | options)).fit(mixed(60)[["x", "y"]])
    assert np.isfinite(model.sample(8).values).all()


def test_the_history_follows_the_two_terms(fitted):
    row = fitted.history_[-2]
    assert {"loss", "confinement", "interaction", "weight"} <= set(row)


def test_units_do_not_matter(good):
    _, frame = good
    table = frame.head(200)
    far = 1e6 * table + 1e9
    one = DDDM(**QUICK).fit(table).sample(20).values
    two = DDDM(**QUICK).fit(far).sample(20).values
    np.testing.assert_allclose((two - 1e9) / 1e6, one, rtol=1e-3, atol=1e-3)


def test_one_column_is_enough():
    model = DDDM(**QUICK).fit(mixed(60)[["x"]])
    assert model.sample(4).values.shape == (1, 4, 1)


def test_constant_columns_come_back_as_they_were():
    table = mixed(60)[["x"]].assign(c=3.0)
    assert (DDDM(**QUICK).fit(table).sample(9).frame()["c"] == 3.0).all()


# -- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.sample(0), "n must be a positive integer, got 0"),
        (lambda m: m.sample(3, n_steps=0), "n_steps must be a positive integer"),
        (lambda m: m.sample(3, given={"z": 1}), "'z' is not a column"),
        (lambda m: m.sample(3, given={"colour": "pink"}), "has no level 'pink'"),
        (lambda m: m.sample(3, given={"x": "big"}), "needs a number"),
        (lambda m: m.sample(3, given={"x": np.nan}), "finite"),
        (lambda m: m.sample(3, given=pd.DataFrame({"z": [1.0]})), r"no columns \['z'\]"),
        (lambda m: m.impute(mixed(30).drop(columns="x")), "lacks the columns"),
        (lambda m: m.sample_do(np.ones((5, 5)), {"x": 0}), "has a cycle"),
        (lambda m: m.sample_do(np.zeros((4, 4)), {"x": 0}), r"array \[5, 5\]"),
        (lambda m: m.sample_do(nx.DiGraph([("a", "b")]), {"x": 0}), "the graph has nodes"),
        (lambda m: m.counterfactual(np.zeros((5, 5)), mixed(30, holes=0.3), {"x": 0}), "missing"),
        (
            lambda m: m.counterfactual(np.triu(np.ones((5, 5)), 1), mixed(30), {"x": 0}),
            "'colour' has more than two levels",
        ),
        (lambda m: m.energy_scores(mixed(30, holes=0.5)), "missing cells"),
    ],
)
def test_wrong_questions_are_refused(fitted, call, message):
    with pytest.raises(InputError, match=message):
        call(fitted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interaction": 1.5}, r"interaction must lie in \[0, 1\]"),
        ({"population": 1}, "no pairs to repel"),
        ({"churn": 2.0}, "churn must lie"),
        ({"distance": {"name": "cosine"}}, "distance='cosine' is not one of"),
        ({"distance": {"name": "energy", "beta": 3.0}}, "0 < beta <= 2"),
        ({"targets": ["nobody"]}, "'nobody' is not a column"),
        ({"targets": []}, "targets is empty"),
        ({"hidden_units": (32, 16)}, "one width"),
        ({"time_grid": (0.0, 0.9)}, "rise from 0 to 1"),
        ({"n_training_steps": 0}, "n_training_steps"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        DDDM(**(QUICK | options)).fit(mixed(60))


def test_small_tables_and_empty_columns_are_refused():
    with pytest.raises(InputError, match="at least 20"):
        DDDM(**QUICK).fit(mixed(10))
    with pytest.raises(InputError, match="'y' has no observed value"):
        DDDM(**QUICK).fit(mixed(40).assign(y=np.nan))


def test_a_model_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError, match="call fit"):
        DDDM().sample(3)


def test_weights_that_are_not_finite_are_a_numerical_error():
    options = QUICK | {"learning_rate": 1e30, "clip_norm": 0.0, "validation_share": 0.0}
    with pytest.raises(NumericalError, match="learning_rate"):
        DDDM(**options).fit(mixed(60)[["x", "y"]])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    model = DDDM(**QUICK, device="cuda").fit(mixed(60))
    assert np.isfinite(model.sample(5).values).all()
