"""Hostile inputs: each gives one clear message that names what was found and what to do."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars
import pytest
import scipy.sparse

from aetia import BGe, DiBS, ErdosRenyi, ExactPosterior, Knowledge, LinearGaussian, as_dataset
from aetia.errors import DataWarning, InputError
from aetia.samplers import RMSprop


def frame(n: int = 40, **columns) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    good = {"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)}
    return pd.DataFrame(good | columns)


def csv(tmp_path, content: bytes, name: str = "table.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


A = frame()["a"].to_numpy()

TABLES = {
    "text column": (
        lambda t: frame(site=["north", "south"] * 20),
        r"column 'site' is text \(2 distinct values: 'north', 'south'.*categorical=\['site'\].*exclude=\['site'\]",
    ),
    "strings among numbers": (
        lambda t: frame(x=[*range(39), "n/a"]),
        r"column 'x' is text \(40 distinct values",
    ),
    "constant column": (
        lambda t: frame(k=3.0),
        r"column 'k' is constant \(3 in all 40 rows\).*exclude=\['k'\]",
    ),
    "nearly constant column": (
        lambda t: frame(k=1e9 + 1e-7 * A),
        r"column 'k' (varies by less than floating-point precision|is constant)",
    ),
    "duplicate column": (
        lambda t: frame(twin=A),
        r"columns 'a' and 'twin' are the same up to scale and shift.*exclude=\['twin'\]",
    ),
    "rescaled copy": (
        lambda t: frame(twin=-2.5 * A + 7),
        r"columns 'a' and 'twin' are the same up to scale",
    ),
    "infinity": (
        lambda t: frame(x=[np.inf, *range(39)]),
        r"column 'x' contains infinity \(inf\) in 1 row\(s\), the first is row 0",
    ),
    "no observed value": (lambda t: frame(x=np.nan), r"column 'x' has no observed value"),
    "no rows": (lambda t: np.empty((0, 3)), r"the table is empty: 0 sample\(s\)"),
    "no rows in a frame": (lambda t: frame().iloc[:0], r"the table has 0 row\(s\)"),
    "one row": (lambda t: frame().iloc[:1], r"the table has 1 row\(s\).*at least 2"),
    "no columns": (lambda t: np.empty((10, 0)), r"0 feature\(s\)"),
    "duplicate names": (
        lambda t: frame().set_axis(["a", "b", "a"], axis=1),
        r"column names must be unique, but 'a' occur",
    ),
    "duplicate names in a file": (
        lambda t: csv(t, b"a,b,a\n1,2,3\n4,5,7\n"),
        r"column names must be unique, but 'a' occur",
    ),
    "not UTF-8": (
        lambda t: csv(t, "naïve,b\n1,2\n3,5\n".encode("latin1")),
        r"'table.csv' is not UTF-8 text .*iconv",
    ),
    "empty file": (lambda t: csv(t, b""), r"cannot read 'table.csv' as a table"),
    "ragged file": (lambda t: csv(t, b"a,b\n1,2\n3,4,5\n"), r"cannot read 'table.csv' as a table"),
    "damaged Parquet": (
        lambda t: csv(t, b"PAR1 nonsense", "x.parquet"),
        r"cannot read 'x.parquet'",
    ),
    "missing file": (lambda t: t / "nowhere.csv", r"no such file: .*nowhere.csv"),
    "folder": (lambda t: t, r"is a folder; a CSV or Parquet file is needed"),
    "unknown ending": (
        lambda t: csv(t, b"x", "table.docx"),
        r"cannot tell the format of 'table.docx'",
    ),
    "dates": (
        lambda t: frame(day=pd.date_range("2026-01-01", periods=40)),
        r"column 'day' holds dates or durations",
    ),
    "complex numbers": (lambda t: frame().to_numpy() * 1j, r"[Cc]omplex"),
    "sparse matrix": (
        lambda t: scipy.sparse.csr_matrix(frame().to_numpy()),
        r"sparse data .*toarray",
    ),
    "sparse dictionary of keys": (
        lambda t: scipy.sparse.dok_matrix(frame().to_numpy()),
        r"sparse data .*toarray",
    ),
    "one dimension": (lambda t: A, r"expected a table .* shape \(40,\).*reshape"),
    "three dimensions": (lambda t: np.zeros((4, 3, 2)), r"expected a table .* shape \(4, 3, 2\)"),
    "a list of cells": (lambda t: frame(x=[[1]] * 40), r"column 'x' holds a list in row 0"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_used_is_named(name, tmp_path):
    make, message = TABLES[name]
    with pytest.raises(InputError, match=message):
        as_dataset(make(tmp_path))


FITS = {
    "missing values": (
        DiBS(),
        frame(x=[np.nan, *range(39)]),
        {},
        r"column 'x' has 1 \(NaN\); 1 of 40 rows",
    ),
    "too many columns": (
        ExactPosterior(),
        np.random.default_rng(0).normal(size=(30, 26)),
        {},
        r"all orders of at most 25 columns; the table has 26. Use OrderMCMC",
    ),
    "regimes": (DiBS(), frame(), {"regime": [0, 1] * 20}, r"DiBS has no use for regimes"),
    "mask of wrong shape": (
        DiBS(),
        frame(),
        {"intervened": np.zeros((40, 2), bool)},
        r"intervened must be a boolean table of shape \(40, 3\)",
    ),
    "mask of other numbers": (
        DiBS(),
        frame(),
        {"intervened": np.full((40, 3), 7)},
        r"intervened must hold only True and False",
    ),
    "unknown column of interventions": (
        DiBS(),
        frame(),
        {"intervened": "targt"},
        r"intervened: 'targt' is not a column",
    ),
    "unknown intervened variable": (
        DiBS(),
        frame(t=["a", "z"] * 20),
        {"intervened": "t"},
        r"row 1 names 'z', which is not a column",
    ),
    "unknown column in knowledge": (
        DiBS(),
        frame(),
        {"knowledge": {"roots": ["aa"]}},
        r"knowledge mentions 'aa', which is not a column. Did you mean 'a'",
    ),
    "no particles": (
        DiBS(n_particles=0),
        frame(),
        {},
        r"n_particles must be an integer of at least 1, got 0",
    ),
    "misspelt likelihood": (
        DiBS("bgee"),
        frame(),
        {},
        r"likelihood='bgee' is not one of .* Did you mean 'bge'",
    ),
    "misspelt option": (
        DiBS({"name": "linear", "noise_varianc": 1.0}),
        frame(),
        {},
        r"LinearGaussian has no option 'noise_varianc'. Did you mean 'noise_variance'",
    ),
    "misspelt optimiser": (
        DiBS(optimiser="adm"),
        frame(),
        {},
        r"optimiser='adm' is not one of .* Did you mean 'adam'",
    ),
    "schedule of text": (
        DiBS(alpha="fast"),
        frame(),
        {},
        r"alpha must be 'auto', a number or a Schedule, got 'fast'",
    ),
    "batch of more than all rows": (
        DiBS(batch_size=99),
        frame(),
        {},
        r"batch_size=99 is more than the 40 rows",
    ),
    "degenerate prior": (
        DiBS(prior=ErdosRenyi(2.0)),
        np.random.default_rng(0).normal(size=(30, 5)),
        {},
        r"edge probability of 1, which is not between 0 and 1.*less than 2 edges per node",
    ),
    "mlp for the exact method": (
        ExactPosterior("mlp"),
        frame(),
        {},
        r"one of bge, linear, .*; not 'mlp'. DiBS takes it",
    ),
    "bge prior too weak": (
        ExactPosterior(BGe(alpha_w=2.0)),
        frame(),
        {},
        r"alpha_w must exceed d \+ 1 = 4",
    ),
    "evidence of a network": (
        DiBS(
            "mlp",
            n_steps=30,
            n_particles=3,
            n_likelihood_graphs=4,
            n_acyclicity_graphs=2,
            beta=1e4,
            particle_weights="evidence",
        ),
        frame(),
        {},
        r"particle_weights='evidence' needs",
    ),
    "a negative seed": (
        DiBS(random_state=-1),
        frame(),
        {},
        r"random_state must be 0 or larger, got -1",
    ),
}


@pytest.mark.parametrize("name", FITS)
@pytest.mark.filterwarnings("ignore")
def test_a_fit_that_cannot_be_done_says_why(name):
    estimator, table, arguments, message = FITS[name]
    with pytest.raises(InputError, match=message):
        estimator.fit(table, **arguments)


OPTIONS = {
    "negative step": (
        lambda: RMSprop(step_size=-1.0),
        r"step_size must be larger than 0, got -1.0",
    ),
    "negative noise": (
        lambda: LinearGaussian(noise_variance=-0.1),
        r"noise_variance must be larger than 0",
    ),
    "required and forbidden": (
        lambda: Knowledge(required=["a->b"], forbidden=["a->b"]),
        r"'a' -> 'b' is required, but forbidden lists 'a' -> 'b'",
    ),
    "required against tiers": (
        lambda: Knowledge(required=["a->b"], tiers=[["b"], ["a"]]),
        r"'a' -> 'b' is required, but tiers put 'b' \(tier 0\) before 'a' \(tier 1\)",
    ),
    "required cycle": (lambda: Knowledge(required=["a->b", "b->a"]), r"lead from 'b' back to 'a'"),
    "certain belief": (
        lambda: Knowledge(beliefs={"a->b": 1.0}),
        r"must lie strictly between 0 and 1, got 1",
    ),
    "malformed edge": (
        lambda: Knowledge(required=["a to b"]),
        r"an edge is written 'cause -> effect', got 'a to b'",
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_makes_no_sense_is_refused_at_once(name):
    make, message = OPTIONS[name]
    with pytest.raises(InputError, match=message):
        make()


WARNINGS = {
    "collinear columns": (
        lambda: frame(sum=frame()["a"] + frame()["b"]),
        {},
        r"\['a', 'b', 'sum'\] are perfectly collinear",
    ),
    "more columns than rows": (
        lambda: np.random.default_rng(0).normal(size=(4, 5)),
        {},
        r"4 rows for 5 columns",
    ),
    "set in every row": (
        frame,
        {"intervened": np.array([[True, False, False]] * 40)},
        r"column 'a' was set by intervention in every row",
    ),
    "a binary column": (
        lambda: frame(sex=[0, 1] * 20),
        {},
        r"treats the binary column\(s\) 'sex' as continuous numbers",
    ),
    "row numbers": (lambda: None, {}, r"starts with a column without a name"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_table_that_deserves_a_look_is_used_with_a_warning(name, tmp_path):
    make, arguments, message = WARNINGS[name]
    table = make()
    if table is None:
        table = tmp_path / "t.csv"
        frame().to_csv(table)
    with pytest.warns(DataWarning, match=message):
        posterior = ExactPosterior("bge").fit(table, **arguments).posterior_
    assert np.isfinite(posterior.edge_probabilities()).all()


def test_a_million_rows_are_welcome():
    x = np.random.default_rng(0).normal(size=(1_000_000, 3))
    x[:, 2] += x[:, 0]
    # The choice of a likelihood compares six of them: half a minute with a million rows.
    for likelihood, rows in (("bge", x), ("auto", x[:30_000])):
        p = ExactPosterior(likelihood=likelihood).fit(rows).posterior_.edge_probabilities()
        assert p[0, 2] + p[2, 0] > 0.999


def test_huge_values_are_scaled_and_not_overflowed():
    p = ExactPosterior().fit(frame(x=1e150 * A + 1e149 * frame()["b"])).posterior_
    assert np.isfinite(p.edge_probabilities()).all()


def test_odd_names_survive_to_the_exports(tmp_path):
    names = ["a b", 'quote"d', "größe → ✓", "x->y"]
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(50, 4)), columns=names)
    posterior = ExactPosterior().fit(table).posterior_
    posterior.save(tmp_path / "p")
    assert type(posterior).load(tmp_path / "p").names == tuple(names)
    assert set(posterior.to_networkx(0.0).nodes) == set(names)
    assert 'quote\\"d' in posterior.to_dot()
    assert posterior.to_gml()


@pytest.mark.parametrize("kind", ["Float64", "Int64", "float32", "boolean"])
def test_nullable_and_small_types_are_numbers(kind):
    values = [0, 1] * 20 if kind == "boolean" else list(range(40))
    data = as_dataset(frame(x=pd.array(values, dtype=kind)))
    assert data.column("x").tolist() == [float(v) for v in values]


def test_nothing_is_said_about_a_good_table():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ExactPosterior().fit(frame())


def test_rows_of_an_unknown_regime_are_counted():
    x = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(InputError, match="not known in 3 of 20 rows, the first is row 0"):
        as_dataset(x, regime=np.where(np.arange(20) < 3, np.nan, 1.0))
    with pytest.raises(InputError, match="not known in 1 of 20 rows, the first is row 19"):
        as_dataset(x, regime=["a"] * 19 + [None])


NO_TABLES = {
    "dict": ({"a": [1.0, 2.0], "b": [3.0, 4.0]}, r"dict was passed.*pandas.DataFrame\(X\)"),
    "rows as dicts": ([{"a": 1.0}, {"a": 2.0}], r"list of dicts was passed.*pandas.DataFrame\(X\)"),
    "pandas Series": (pd.Series([1.0, 2.0], name="q"), r"pandas Series 'q'.*X.to_frame\(\)"),
    "polars Series": (polars.Series("q", [1.0, 2.0]), r"polars Series 'q'.*X.to_frame\(\)"),
    "lazy": (polars.DataFrame({"a": [1.0, 2.0]}).lazy(), r"LazyFrame.*X.collect\(\)"),
    "rows of several lengths": ([[1.0, 2.0], [3.0]], "rows have several lengths: 1 to 2"),
    "nothing": (None, "expected a table.*got None"),
    "number": (5, "expected a table.*got 5"),
    "generator": ((i for i in range(3)), "expected a table.*got <generator"),
}


@pytest.mark.parametrize("name", NO_TABLES)
def test_what_is_no_table_is_named_with_what_makes_one(name):
    given, message = NO_TABLES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=message):
            as_dataset(given)
