"""The estimator: tables with holes in, draws out, in the user's units."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from aetia.data import as_dataset
from aetia.errors import CheckpointError, DataWarning, InputError, ResultFileError
from aetia.files import plain_json
from aetia.generation import BGM, ImageBGM
from aetia.generation.bgm import BGMConfig, ImageBGMConfig

SMALL = {
    "n_latents": 1,
    "generator_units": (16,),
    "encoder_units": (16,),
    "n_steps": 120,
    "n_importance": 5,
    "n_warmup": 30,
    "n_starts": 50,
    "n_evidence": 200,
    "random_state": 0,
    "progress": False,
}
TINY = SMALL | {"n_steps": 10, "n_warmup": 5, "n_evidence": 50}


def make_table(n=400, seed=0) -> pd.DataFrame:
    """One latent behind a length, a weight and a flag; a fifth of the cells is missing."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "length": 170 + 10 * z + 2 * rng.normal(size=n),
            "weight": 70_000 + 12_000 * z + 4_000 * rng.normal(size=n),
            "is_tall": (z + 0.2 * rng.normal(size=n) > 0).astype(float),
        }
    )
    return frame.mask(rng.uniform(size=frame.shape) < 0.2)


@pytest.fixture(scope="module")
def table():
    return make_table(200)


@pytest.fixture(scope="module")
def fitted():
    return BGM(**SMALL | {"n_steps": 200}).fit(make_table(800))


def test_imputation_beats_the_column_means_in_the_users_units(fitted):
    complete = make_table(240, seed=1).dropna().reset_index(drop=True)
    holes = complete.copy()
    holes.loc[::2, "length"] = np.nan
    holes.loc[1::2, "weight"] = np.nan
    draws = fitted.impute(holes, 60)
    error = (draws.completed() - complete)[holes.isna()].std()
    assert error["length"] < 0.5 * complete["length"].std()
    assert error["weight"] < 0.6 * complete["weight"].std()
    inside = (draws.interval(0.9)[..., 0] <= complete) & (complete <= draws.interval(0.9)[..., 1])
    covered = inside.to_numpy()[holes.isna().to_numpy()]
    # 90 % intervals of a model that is nearly right: 99.99 % of binomial counts are in here.
    assert 0.8 < covered.mean() < 0.98


def test_binary_columns_are_drawn_as_their_two_values(table):
    coded = table.assign(is_tall=np.where(table["is_tall"] == 1, 7.0, 3.0))
    coded.loc[table["is_tall"].isna(), "is_tall"] = np.nan
    draws = BGM(**SMALL).fit(coded).impute(coded, 40)
    j = draws.names.index("is_tall")
    hidden = coded["is_tall"].isna().to_numpy()
    assert set(np.unique(draws.values[:, hidden, j])) == {3.0, 7.0}
    tall = coded["length"].to_numpy() > 175
    short = coded["length"].to_numpy() < 165
    assert draws.mean[hidden & tall, j].mean() > draws.mean[hidden & short, j].mean() + 1.5


def test_units_do_not_matter(table):
    stretched = table.assign(length=table["length"] * 100 - 5, weight=table["weight"] / 3 + 1e4)
    one = BGM(**TINY).fit(table)
    other = BGM(**TINY).fit(stretched)
    first, second = one.impute(table, 8).completed(), other.impute(stretched, 8).completed()
    np.testing.assert_allclose(second["length"], first["length"] * 100 - 5, rtol=1e-4)
    np.testing.assert_allclose(second["weight"], first["weight"] / 3 + 1e4, rtol=1e-4)
    # A density changes by the scale of every seen cell.
    seen = table[["length", "weight"]].notna().to_numpy()
    jacobian = -(seen @ np.log([100, 1 / 3]))
    np.testing.assert_allclose(
        other.score_samples(stretched), one.score_samples(table) + jacobian, rtol=1e-3, atol=1e-3
    )


def test_scores_prefer_rows_like_those_of_the_fit(fitted):
    rows = make_table(200, seed=2)
    shuffled = rows.assign(weight=np.random.default_rng(0).permutation(rows["weight"]))
    assert fitted.score(rows) > fitted.score(shuffled) + 0.5
    assert (fitted.evidence_ess(rows) > 20).all()


def test_latents_follow_what_the_columns_share(fitted, table):
    z = fitted.transform(table)[:, 0]
    both = table.dropna()
    assert abs(np.corrcoef(z[both.index], both["length"])[0, 1]) > 0.9


def test_new_rows_have_the_moments_of_the_table(fitted, table):
    rows = fitted.sample(2000).frame()
    assert list(rows.columns) == list(table.columns)
    assert set(rows["is_tall"]) == {0.0, 1.0}
    np.testing.assert_allclose(rows["length"].mean(), 170, atol=2)
    np.testing.assert_allclose(rows["length"].std(), 10.2, rtol=0.15)
    assert rows["length"].corr(rows["weight"]) == pytest.approx(0.93, abs=0.06)


def test_the_same_seed_gives_the_same_bytes(table):
    first, second = (BGM(**TINY).fit(table) for _ in range(2))
    np.testing.assert_array_equal(first.impute(table, 8).cells, second.impute(table, 8).cells)
    np.testing.assert_array_equal(first.sample(5).values, second.sample(5).values)
    third = BGM(**TINY | {"random_state": 1}).fit(table)
    assert (first.sample(5).values != third.sample(5).values).any()


def test_fitting_again_starts_again(table):
    model = BGM(**TINY).fit(table)
    once = model.impute(table, 8).cells
    model.fit(make_table(100, seed=5))
    np.testing.assert_array_equal(model.fit(table).impute(table, 8).cells, once)


def test_saved_models_give_the_same_seeded_draws(fitted, table, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = BGM.load(tmp_path / "model")
    rows = table.head(30)
    np.testing.assert_array_equal(loaded.impute(rows, 8).cells, fitted.impute(rows, 8).cells)
    np.testing.assert_array_equal(loaded.score_samples(rows), fitted.score_samples(rows))
    np.testing.assert_array_equal(loaded.sample(5).values, fitted.sample(5).values)
    assert loaded.history_ == plain_json(fitted.history_)
    assert loaded.facts_.to_dict() == fitted.facts_.to_dict()
    assert loaded.health_ == fitted.health_
    with pytest.raises(InputError, match="pass it"):
        loaded.impute()
    with pytest.raises(ResultFileError, match="expected a ImageBGM"):
        ImageBGM.load(tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="damaged"):
        BGM.load(tmp_path / "model")


def test_clones_and_pickles_work(fitted, table):
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.sample(5).values, fitted.sample(5).values)
    assert clone(fitted).get_params() == fitted.get_params()


def test_frames_may_have_their_columns_in_another_order_and_labels_stay(fitted, table):
    rows = table.head(20).set_axis([f"r{i}" for i in range(20)])
    usual = fitted.impute(rows, 8)
    turned = fitted.impute(rows[["is_tall", "weight", "length"]], 8)
    np.testing.assert_array_equal(usual.cells, turned.cells)
    assert list(usual.completed().index) == list(rows.index)
    assert set(usual.frame()["row"]) <= set(rows.index)


@pytest.mark.parametrize("kind", ["array", "dataset", "file"])
def test_other_kinds_of_tables_give_the_same_fit(table, kind, tmp_path):
    usual = BGM(**TINY).fit(table).impute(n_draws=4).cells
    if kind == "array":
        given = table.to_numpy()
    elif kind == "dataset":
        given = as_dataset(table)
    else:
        given = tmp_path / "table.csv"
        table.to_csv(given, index=False)
    found = BGM(**TINY).fit(given).impute(n_draws=4).cells
    np.testing.assert_allclose(found, usual, rtol=1e-6)


def test_a_table_without_holes_and_rows_without_values(table):
    complete = table.dropna()
    model = BGM(**TINY).fit(complete)
    assert model.impute(complete, 8).n_cells == 0
    empty = pd.DataFrame(np.nan, index=[0], columns=table.columns)
    draws = model.impute(empty, 50)
    assert np.isfinite(draws.values).all()
    assert model.score_samples(empty) == pytest.approx(0.0, abs=1e-9)


def test_constant_columns_are_warned_of_and_filled_with_their_value(table):
    with_constant = table.assign(site=np.where(table["length"].isna(), np.nan, 4.5))
    with pytest.warns(DataWarning, match="'site' is constant"):
        model = BGM(**TINY).fit(with_constant)
    assert (model.impute(n_draws=4).mean[:, 3] == 4.5).all()


def test_draws_beyond_the_memory_limit_are_reduced(table):
    model = BGM(**TINY, max_megabytes=0.05).fit(table)
    draws = model.impute(n_draws=300)
    assert draws.cells is None
    assert np.isfinite(draws.interval()).all()


@pytest.mark.parametrize(
    "options",
    [
        {"likelihood": "low-rank", "rank": 1},
        {"latents": "sample"},
        {"latents": "map"},
        {"bayesian_generator": True},
        {"n_egm_steps": 20, "gradient_penalty": 1.0, "variance_penalty": 0.1, "n_critic_steps": 2},
    ],
    ids=["low-rank", "sample", "map", "bayesian", "egm"],
)
def test_every_variant_fits_imputes_and_is_saved(options, tmp_path):
    short = {"n_steps": 80, "batch_size": 128, "n_leapfrog": 4, "n_warmup": 15}
    model = BGM(**SMALL | short | options).fit(make_table(300))
    rows = make_table(60, seed=3)
    draws = model.impute(rows, 12)
    hidden = rows.isna().to_numpy()
    lengths = draws.mean[hidden[:, 0] & ~hidden[:, 1], 0]
    weights = rows["weight"][hidden[:, 0] & ~hidden[:, 1]]
    assert np.corrcoef(lengths, weights)[0, 1] > 0.5
    model.save(tmp_path)
    np.testing.assert_array_equal(BGM.load(tmp_path).impute(rows, 12).cells, draws.cells)
    stages = {row["stage"] for row in model.history_}
    assert stages == ({"egm", "likelihood"} if "n_egm_steps" in options else {"likelihood"})


def test_random_weights_change_the_draws():
    few = make_table(30, seed=4)[["length", "weight"]]
    far = pd.DataFrame({"length": [230.0], "weight": [np.nan]})
    spread = {}
    for bayesian in (False, True):
        model = BGM(**TINY, bayesian_generator=bayesian).fit(few)
        spread[bayesian] = model.impute(far, 30)
    # One draw of the weights for every draw of the cell: as many chains as draws.
    assert spread[True].cells.std() != spread[False].cells.std()
    assert "rhat_max" not in spread[True].diagnostics


def test_the_weight_of_the_divergence_is_heard():
    few = make_table(60, seed=4)[["length", "weight"]]
    divergence = {}
    for weight in (1e-6, 1.0):
        options = TINY | {"n_steps": 40, "learning_rate": 0.05, "kl_weight": weight}
        history = BGM(**options, bayesian_generator=True).fit(few).history_
        divergence[weight] = [row["weights"] / weight for row in history if "weights" in row]
    assert divergence[1.0][-1] < 0.3 * divergence[1e-6][-1]
    first = BGM(**TINY | {"n_steps": 1}, bayesian_generator=True).fit(few).history_[0]["weights"]
    # "auto" is one over the 54 rows that are learned from.
    assert first * 54 == pytest.approx(divergence[1.0][0], rel=0.3)


def test_critics_are_updated_as_often_as_asked(table):
    options = TINY | {"n_egm_steps": 4, "n_steps": 1}
    steps = {}
    for n in (1, 3):
        model = BGM(**options, n_critic_steps=n).fit(table)
        steps[n] = max(row["step"] for row in model.history_ if row["stage"] == "egm")
    assert steps == {1: 4, 3: 12}


def test_probabilities_can_be_imputed():
    rng = np.random.default_rng(0)
    z = rng.uniform(size=(300, 1))
    x = (rng.uniform(size=(300, 6)) < z).astype(float)
    x[:, 0] = z[:, 0]  # a grey column
    holes = np.where(rng.uniform(size=x.shape) < 0.2, np.nan, x)
    model = BGM(**SMALL, likelihood="bernoulli").fit(holes)
    assert set(np.unique(model.impute(n_draws=20).cells)) == {0.0, 1.0}
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]"):
        BGM(**SMALL, likelihood="bernoulli").fit(holes * 2)


@pytest.mark.parametrize("kind", [BGM, ImageBGM])
def test_defaults_of_configuration_and_estimator_are_the_same(kind):
    from dataclasses import fields

    config = {BGM: BGMConfig, ImageBGM: ImageBGMConfig}[kind]()
    defaults = kind().get_params()
    assert {f.name: getattr(config, f.name) for f in fields(config)} == {
        k: v for k, v in defaults.items() if k not in ("random_state", "device", "progress")
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": np.nan}, "'length' has no observed value"),
        ({"length": np.inf}, "'length' contains infinity"),
        ({"length": "tall"}, "'length' is text or categorical .1 distinct"),
    ],
)
def test_columns_that_cannot_be_used_are_named(table, change, message):
    with pytest.raises(InputError, match=message):
        BGM(**TINY).fit(table.assign(**change))


def test_categories_are_refused_with_the_remedy(table):
    colours = pd.Categorical(np.resize(["red", "blue"], len(table)))
    with pytest.raises(InputError, match="get_dummies"):
        BGM(**TINY).fit(table.assign(colour=colours))


def test_too_few_rows_are_refused(table):
    with pytest.raises(InputError, match="at least 10 rows"):
        BGM(**TINY).fit(table.head(9))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda t: t.drop(columns="weight"), "missing .'weight'."),
        (lambda t: t.assign(age=1.0), "not known .'age'."),
        (lambda t: t.to_numpy()[:, :2], "X has 2 features, but BGM is expecting 3"),
        (lambda t: t.assign(is_tall=2.0), "'is_tall' had only the values 0 and 1"),
        (lambda t: t.assign(weight=np.inf), "'weight' contains infinity"),
    ],
)
def test_rows_that_do_not_fit_are_refused(fitted, table, rows, message):
    with pytest.raises(InputError, match=message):
        fitted.impute(rows(table), 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 0}, "n_steps must be an integer of at least 1"),
        ({"n_latents": 0}, "n_latents must be an integer"),
        ({"generator_units": ()}, "sequence of positive integers"),
        ({"validation_share": 1.0}, "validation_share"),
        ({"n_critic_steps": 0}, "n_critic_steps must be an integer of at least 1"),
        ({"kl_weight": -1.0}, "kl_weight must be at least 0"),
        ({"missingness": "mnar", "likelihood": "low-rank"}, "needs likelihood='gaussian'"),
        ({"missingness": "mnar", "latents": "map"}, "needs latents='importance'"),
        ({"missingness": "mnar"}, "'is_tall' is binary"),
    ],
)
def test_wrong_options_are_explained(table, options, message):
    with pytest.raises(InputError, match=message):
        BGM(**TINY).set_params(**options).fit(table)


def test_questions_before_the_fit_and_wrong_counts(fitted):
    with pytest.raises(NotFittedError):
        BGM().sample(3)
    with pytest.raises(InputError, match="n_draws must be an integer"):
        fitted.impute(n_draws=0)
    with pytest.raises(InputError, match="n must be an integer"):
        fitted.sample(0)


def test_a_failed_fit_leaves_no_answer(table):
    model = BGM(**TINY).fit(table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InputError):
            model.set_params(device="nowhere").fit(table)
    with pytest.raises(InputError):
        model.set_params(device="cpu", n_steps=0).fit(table)
