"""Tables from every source, interventions, regimes, scaling, and the public data sets."""

import hashlib
import io
import urllib.request

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from aetia.data import (
    PUBLIC_DATA,
    Dataset,
    Labelled,
    as_dataset,
    cache_folder,
    load_public,
    scale_columns,
)
from aetia.errors import DataWarning, InputError, MissingDependencyError

N = 40


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    dose = rng.normal(size=N)
    return pd.DataFrame(
        {
            "dose": dose,
            "visits": rng.integers(0, 9, N),
            "smoker": rng.integers(0, 2, N),
            "blood pressure": 3 * dose + rng.normal(size=N),
        }
    )


@pytest.fixture(params=["pandas", "polars", "csv", "tsv", "csv.gz", "parquet", "dataset"])
def same_table(request, frame, tmp_path):
    kind = request.param
    if kind == "pandas":
        return frame
    if kind == "polars":
        return pl.DataFrame({c: frame[c].to_numpy() for c in frame})
    if kind == "dataset":
        return as_dataset(frame)
    path = tmp_path / f"table.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


# -- one table, many forms ----------------------------------------------------------------


def test_every_form_of_a_table_gives_the_same_dataset(frame, same_table):
    data = as_dataset(same_table)
    np.testing.assert_allclose(data.values, frame.to_numpy(dtype=float), rtol=1e-14)
    assert data.names == tuple(frame.columns)
    assert data.kinds == ("continuous", "count", "binary", "continuous")
    assert (data.n, data.d) == (N, 4)
    assert data.observed.all()
    assert not data.has_missing
    assert data.intervened is None
    assert data.regime is None
    assert data.values.dtype == np.float64


def test_a_path_may_be_a_string(frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = as_dataset(str(tmp_path / "t.csv"))
    assert data.names == tuple(frame.columns)
    assert "t.csv" in data.source


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor, np.ndarray.tolist])
def test_arrays_have_numbered_names(frame, convert):
    array = frame.to_numpy(dtype=float)
    data = as_dataset(convert(array))
    np.testing.assert_array_equal(data.values, array)
    assert data.names == ("x0", "x1", "x2", "x3")


def test_changing_the_users_array_does_not_change_the_dataset(frame):
    array = frame.to_numpy(dtype=float).copy()
    data = as_dataset(array)
    before = data.values.copy()
    array[:] = 0.0
    np.testing.assert_array_equal(data.values, before)


def test_the_index_that_pandas_wrote_is_left_out_with_a_warning(frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv")
    with pytest.warns(DataWarning, match="row numbers"):
        data = as_dataset(tmp_path / "t.csv")
    assert data.names == tuple(frame.columns)


def test_missing_values_of_every_kind_of_frame_are_marked(tmp_path):
    values = [1.5, None, 2.5, 4.0, 0.5]
    whole = [3, 1, None, 7, 5]
    pandas = pd.DataFrame(
        {"a": pd.array(values, dtype="Float64"), "b": pd.array(whole, dtype="Int64")}
    )
    polars = pl.DataFrame({"a": values, "b": whole})
    pandas.to_csv(tmp_path / "t.csv", index=False)
    pandas.to_parquet(tmp_path / "t.parquet")
    expected = np.array([[1.5, 3], [np.nan, 1], [2.5, np.nan], [4, 7], [0.5, 5]])
    for table in (pandas, polars, tmp_path / "t.csv", tmp_path / "t.parquet"):
        data = as_dataset(table)
        np.testing.assert_array_equal(data.values, expected)
        np.testing.assert_array_equal(data.observed, ~np.isnan(expected))
        assert data.has_missing


# -- kinds --------------------------------------------------------------------------------


def test_kinds_follow_type_and_values():
    rng = np.random.default_rng(1)
    data = as_dataset(
        pd.DataFrame(
            {
                "flag": rng.random(N) < 0.5,
                "two levels": np.where(rng.random(N) < 0.5, -1.0, 1.0),
                "counted": rng.integers(0, 50, N),
                "integer below zero": rng.integers(-50, 50, N),
                "real": rng.normal(size=N),
                "colour": rng.choice(["red", "green", "blue"], N),
            }
        ),
        categorical=["colour"],
    )
    assert data.kinds == ("binary", "binary", "count", "continuous", "continuous", "categorical")


@pytest.mark.parametrize("kind", ["object", "string", "category", "polars", "polars-categorical"])
def test_text_becomes_codes_of_sorted_labels(kind):
    words = ["low", "high", None, "mid", "low", "high"]
    numbers = [0.1, 2.0, 0.7, 1.1, 0.3, 1.9]
    if kind.startswith("polars"):
        dtype = pl.Categorical if "-" in kind else pl.String
        table = pl.DataFrame({"level": pl.Series(words, dtype=dtype), "x": numbers})
    else:
        table = pd.DataFrame({"level": pd.Series(words, dtype=kind), "x": numbers})
    data = as_dataset(table, categorical=["level"])
    assert data.levels == {"level": ("high", "low", "mid")}
    np.testing.assert_array_equal(data.column("level"), [1, 0, np.nan, 2, 1, 0])
    np.testing.assert_array_equal(data.observed[:, 0], [True, True, False, True, True, True])


def test_a_summary_agrees_with_pandas(frame):
    summary = as_dataset(frame).summary()
    assert summary["column"] == list(frame.columns)
    np.testing.assert_allclose(summary["mean"], frame.mean())
    np.testing.assert_allclose(summary["sd"], frame.std())
    np.testing.assert_allclose(summary["max"], frame.max())
    assert summary["observed"] == [N] * 4


# -- interventions and regimes ------------------------------------------------------------


@pytest.fixture
def mask(frame):
    return np.random.default_rng(2).random(frame.shape) < 0.15


@pytest.mark.parametrize("form", ["bool", "int", "list", "frame", "shuffled frame", "polars"])
def test_a_mask_of_interventions_is_kept_whatever_its_form(frame, mask, form):
    given = {
        "bool": mask,
        "int": mask.astype(int),
        "list": mask.tolist(),
        "frame": pd.DataFrame(mask, columns=frame.columns),
        "shuffled frame": pd.DataFrame(mask, columns=frame.columns)[
            ["smoker", "blood pressure", "dose", "visits"]
        ],
        "polars": pl.DataFrame(dict(zip(frame.columns, mask.T, strict=True))),
    }[form]
    data = as_dataset(frame, intervened=given)
    assert data.intervened.dtype == bool
    np.testing.assert_array_equal(data.intervened, mask)


def test_a_column_of_names_says_the_same_as_the_mask(frame, mask, tmp_path):
    cells = [";".join(c for c, m in zip(frame.columns, row, strict=True) if m) for row in mask]
    cells = [c.replace(";", " ; ") for c in cells]
    table = frame.assign(target=cells)
    table.to_csv(tmp_path / "t.csv", index=False)  # the empty cells come back as NaN
    polars = pl.DataFrame({c: table[c].to_list() for c in table})
    for form in (table, tmp_path / "t.csv", polars):
        data = as_dataset(form, intervened="target")
        assert data.names == tuple(frame.columns)
        np.testing.assert_array_equal(data.intervened, mask)


@pytest.mark.parametrize("word", ["", "None", "obs", "observational", "NA", "-", None, np.nan])
def test_words_for_no_intervention_are_understood(frame, word):
    cells = pd.Series([word] * (N - 1) + ["dose"], dtype=object)
    data = as_dataset(frame.assign(target=cells), intervened="target")
    expected = np.zeros((N, 4), dtype=bool)
    expected[-1, 0] = True
    np.testing.assert_array_equal(data.intervened, expected)


def test_an_unknown_target_is_named_with_its_row(frame):
    cells = [""] * N
    cells[7] = "doze"
    with pytest.raises(InputError, match=r"row 7 names 'doze'.*Did you mean 'dose'"):
        as_dataset(frame.assign(target=cells), intervened="target")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((N, 3)), "shape"),
        (np.full((N, 4), 2), "True and False"),
        ("tarjet", "not a column"),
    ],
)
def test_wrong_interventions_are_refused(frame, wrong, message):
    with pytest.raises(InputError, match=message):
        as_dataset(frame, intervened=wrong)


def test_regimes_are_the_same_partition_from_labels_and_from_a_column(frame):
    labels = np.array(["winter", "summer", "spring", "autumn"])[np.arange(N) % 4]
    by_array = as_dataset(frame, regime=labels)
    by_column = as_dataset(frame.assign(season=labels), regime="season")
    assert by_column.names == tuple(frame.columns)
    for data in (by_array, by_column):
        same = data.regime[:, None] == data.regime[None, :]
        np.testing.assert_array_equal(same, labels[:, None] == labels[None, :])
        assert set(data.regime) == {0, 1, 2, 3}


def test_integer_regimes_from_zero_up_keep_their_numbers(frame):
    """Codes 0 to 11 sorted as text would be 0, 1, 10, 11, 2, ..."""
    regime = np.arange(N) % 12
    np.testing.assert_array_equal(as_dataset(frame, regime=regime).regime, regime)


def test_a_regime_for_too_few_rows_is_refused(frame):
    with pytest.raises(InputError, match="one entry for each"):
        as_dataset(frame, regime=[0, 1])


def test_select_takes_everything_along(frame, mask):
    data = as_dataset(
        frame.assign(colour=["r", "g"] * (N // 2)), intervened=None, categorical=["colour"]
    )
    data = as_dataset(data, regime=np.arange(N) % 2)
    part = data.select(["colour", "dose"])
    assert part.names == ("colour", "dose")
    assert part.kinds == ("categorical", "continuous")
    assert part.levels == {"colour": ("g", "r")}
    np.testing.assert_array_equal(part.column("dose"), frame["dose"])
    np.testing.assert_array_equal(part.regime, data.regime)
    part = as_dataset(frame, intervened=mask).select(["smoker", "dose"])
    np.testing.assert_array_equal(part.intervened, mask[:, [2, 0]])
    with pytest.raises(InputError, match="no column 'height'"):
        data.select(["height"])


@pytest.mark.parametrize("form", ["frame", "dataset"])
def test_excluding_an_unknown_column_is_an_error_in_every_form(frame, form):
    table = as_dataset(frame) if form == "dataset" else frame
    with pytest.raises(InputError, match="dosis"):
        as_dataset(table, exclude=["dosis"])


# -- scaling ------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["standardise", "centre", "none"])
def test_scaling_has_its_inverse_and_the_moments_it_promises(frame, scaling):
    data = as_dataset(frame)
    scaled = scale_columns(data, scaling)
    back = scaled.values * scaled.scale + scaled.centre
    np.testing.assert_allclose(back.numpy(), data.values, rtol=1e-12, atol=1e-12)
    values = scaled.values.numpy()
    assert scaled.values.dtype == torch.float64
    if scaling != "none":
        np.testing.assert_allclose(values.mean(0), 0, atol=1e-12)
    else:
        np.testing.assert_array_equal(values, data.values)
    sd = np.ones(4) if scaling == "standardise" else data.values.std(0)
    np.testing.assert_allclose(values.std(0), sd)


def test_location_and_spread_are_those_of_the_rows_without_intervention(frame, mask):
    data = as_dataset(frame, intervened=mask)
    scaled = scale_columns(data, "standardise")
    for j in range(4):
        free = data.values[~mask[:, j], j]
        assert float(scaled.centre[j]) == pytest.approx(free.mean())
        assert float(scaled.scale[j]) == pytest.approx(free.std())


# -- public data --------------------------------------------------------------------------


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.mark.parametrize("name", [k for k, v in PUBLIC_DATA.items() if v.is_offline])
@pytest.mark.filterwarnings("ignore::aetia.errors.DataWarning")
def test_data_sets_of_dependencies_have_the_promised_shape(name, no_network):
    try:
        data = load_public(name)
    except MissingDependencyError:
        pytest.skip("statsmodels is not installed")
    assert isinstance(data, Dataset)
    assert (data.n, data.d) == (PUBLIC_DATA[name].rows, PUBLIC_DATA[name].columns)
    assert len(set(data.names)) == data.d
    assert not any(" " in n for n in data.names)


def test_diabetes_has_the_numbers_of_scikit_learn():
    from sklearn.datasets import load_diabetes

    raw = load_diabetes(scaled=False)
    data = load_public("diabetes")
    np.testing.assert_array_equal(data.values, np.column_stack([raw.data, raw.target]))
    assert data.names[-1] == "progression"


def test_sachs_has_the_rows_and_the_consensus_graph(shared_data, no_network):
    table = load_public("sachs", path=shared_data / "sachs_pooled.csv")
    assert isinstance(table, Labelled)
    raw = pd.read_csv(shared_data / "sachs_pooled.csv")
    np.testing.assert_allclose(table.data.values, raw.to_numpy())
    assert (table.data.n, table.data.d) == (7466, 11)
    # As listed in the README of the shared data.
    expected = {("Raf", "Mek"), ("Mek", "Erk"), ("Erk", "Akt"), ("PIP3", "PIP2")}
    expected |= {("Plcg", "PIP3"), ("Plcg", "PIP2")}
    expected |= {("PKA", x) for x in ("Raf", "Mek", "Erk", "Akt", "Jnk", "P38")}
    expected |= {("PKC", x) for x in ("Raf", "Mek", "PKA", "Jnk", "P38")}
    names = table.truth.names
    found = {(names[i], names[j]) for i, j in zip(*np.nonzero(table.truth.graph), strict=True)}
    assert found == expected
    assert len(found) == 17
    assert names == table.data.names


def test_a_file_with_another_checksum_is_refused(shared_data, tmp_path, no_network):
    text = (shared_data / "sachs_pooled.csv").read_text()
    altered = tmp_path / "sachs.csv"
    altered.write_text(text.replace("26.4", "26.5", 1))
    with pytest.raises(InputError, match="SHA-256") as caught:
        load_public("sachs", path=altered)
    assert hashlib.sha256(altered.read_bytes()).hexdigest() in str(caught.value)


def test_a_cached_file_is_used_without_the_network(shared_data, tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("AETIA_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    (tmp_path / "sachs.csv").write_bytes((shared_data / "sachs_pooled.csv").read_bytes())
    assert load_public("sachs").data.n == 7466


def test_offline_the_message_names_the_url_and_the_way_out(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("AETIA_CACHE", str(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"https://.*path=FILE"):
        load_public("sachs", offline=True)
    monkeypatch.setenv("AETIA_OFFLINE", "1")
    with pytest.raises(InputError, match="switched off"):
        load_public("sachs")
    assert not (tmp_path / "empty").exists()


def answer_with(monkeypatch, content):
    monkeypatch.setattr(urllib.request, "urlopen", lambda *a, **k: io.BytesIO(content))


def test_a_wrong_download_is_not_stored(tmp_path, monkeypatch):
    monkeypatch.setenv("AETIA_CACHE", str(tmp_path))
    monkeypatch.delenv("AETIA_OFFLINE", raising=False)
    answer_with(monkeypatch, b"<html>captive portal</html>")
    with pytest.raises(InputError, match="Nothing was stored"):
        load_public("sachs")
    assert list(tmp_path.iterdir()) == []


def test_a_good_download_is_stored_once(shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("AETIA_CACHE", str(tmp_path / "deep" / "er"))
    monkeypatch.delenv("AETIA_OFFLINE", raising=False)
    answer_with(monkeypatch, (shared_data / "sachs_pooled.csv").read_bytes())
    assert load_public("sachs").data.n == 7466
    answer_with(monkeypatch, b"")
    assert load_public("sachs").data.n == 7466


def test_a_broken_network_is_an_input_error_that_names_the_url(tmp_path, monkeypatch):
    monkeypatch.setenv("AETIA_CACHE", str(tmp_path))
    monkeypatch.delenv("AETIA_OFFLINE", raising=False)

    def unreachable(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(InputError, match=r"https://.*no route to host"):
        load_public("sachs")


def test_an_unknown_data_set_suggests_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'sachs'"):
        load_public("sach")
