"""``aetia.discover`` on the tables that users have: what it refuses, and what it says."""

import numpy as np
import pandas as pd
import pytest

import aetia
from aetia.errors import DataWarning, InputError
from aetia.likelihoods import BGe, ChangedMechanisms


def chain(n=120, seed=0):
    """A chain a -> b -> c."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = a + rng.normal(size=n)
    return pd.DataFrame({"a": a, "b": b, "c": b + rng.normal(size=n)})


def holes(n=120):
    frame = chain(n)
    return frame.mask(np.random.default_rng(1).random(frame.shape) < 0.1)


def refused(*args, **options):
    with pytest.raises(InputError) as error:
        aetia.discover(*args, random_state=0, **options)
    return str(error.value)


@pytest.mark.parametrize("method", ["auto", "exact", "order-mcmc"])
def test_an_unknown_option_is_refused_with_the_nearest_one(method):
    message = refused(chain(), method=method, max_parent=2)
    assert "no option 'max_parent'" in message
    assert "Did you mean 'max_parents'?" in message


def test_an_option_of_time_series_is_refused_too():
    assert "Did you mean 'n_lags'?" in refused(chain(), time="a", n_lag=2)


@pytest.mark.parametrize(
    "options",
    [{"likelihood": "bge"}, {"exclude": ["a"]}, {"categorical": ["a"]}, {"intervened": "a"}],
)
def test_what_a_time_series_has_no_use_for_is_refused(options):
    assert next(iter(options)) in refused(chain(), time="a", **options)


def test_a_method_for_independent_rows_refuses_a_time_series():
    assert "method='rcgnn'" in refused(chain(), time="a", method="exact")


def test_one_name_is_a_name_and_not_its_letters():
    frame = chain().rename(columns={"a": "alpha"})
    frame["colour"] = np.random.default_rng(2).integers(0, 3, len(frame))
    posterior = aetia.discover(frame, exclude="alpha", categorical="colour", random_state=0)
    assert posterior.names == ("b", "c", "colour")
    assert posterior.diagnostics["likelihood"] == "block"


@pytest.mark.parametrize("ordered", [False, True])
def test_columns_declared_as_categories_are_categories_whatever_their_labels(ordered):
    frame = chain()
    codes = np.random.default_rng(2).integers(0, 3, len(frame))
    frame["code"] = pd.Categorical(codes, ordered=ordered)
    assert aetia.discover(frame, random_state=0).diagnostics["likelihood"] == "block"


def test_categories_of_polars_are_categories():
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(chain()).with_columns(
        polars.Series("site", ["x", "y", "z"] * 40, dtype=polars.Categorical)
    )
    assert aetia.discover(frame, random_state=0).diagnostics["likelihood"] == "block"


@pytest.mark.parametrize("mark", ["?", "unknown", "<5"])
def test_a_column_of_numbers_with_a_few_words_is_no_category(mark):
    frame = chain().round(2).astype({"a": object})
    frame.loc[[3, 8], "a"] = mark
    message = refused(frame)
    assert f"text in 2 of 120 cells ({mark!r}; the first is row 3)" in message
    assert "categorical=['a']" in message
    with pytest.raises(InputError, match="names the rows"):
        aetia.discover(frame, categorical=["a"], random_state=0)


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        (["3,14", "2,5", "-1,75"], "numbers with commas"),
        (["1,234", "12,345,678", "1,234.5"], "numbers with commas"),
        (["2024-01-31", "2024-02-01", "2023-12-24"], "dates"),
        (["31.01.2024", "01.02.2024", "24.12.2023"], "dates"),
    ],
)
def test_text_that_spells_numbers_or_dates_is_no_category(cells, what):
    message = refused(chain().assign(a=np.resize(cells, 120)))
    assert f"column 'a' holds {what}" in message
    assert "exclude=['a']" in message


def test_levels_with_digits_stay_categories():
    frame = chain().assign(size=np.resize(["1 room", "2 rooms", "3+"], 120))
    assert aetia.discover(frame, random_state=0).diagnostics["likelihood"] == "block"


def test_a_table_of_one_column_says_that_there_is_no_graph():
    with pytest.warns(DataWarning, match="one column, 'a': there is no graph to learn"):
        aetia.discover(chain()[["a"]], random_state=0)


def test_cells_between_semicolons_are_not_read_as_one_column(tmp_path):
    file = tmp_path / "german.csv"
    chain().round(2).to_csv(file, sep=";", decimal=",", index=False)
    message = refused(file)
    assert "separated by ';'" in message
    assert "read_csv(FILE, sep=';', decimal=',')" in message


def test_a_category_of_one_level_is_told_without_its_code():
    frame = chain().assign(site="north")
    assert "constant (one level only in all 120 rows)" in refused(frame)
    frame.loc[:10, "site"] = None
    assert "None, NA, null and nan" in refused(frame)


@pytest.mark.parametrize("factor", [1e300, 1e-300])
def test_numbers_whose_squares_overflow_or_vanish_are_refused(factor):
    assert "other units" in refused(chain() * factor)


@pytest.mark.parametrize("factor", [1e140, 1e-140])
def test_units_do_not_matter_before_that(factor):
    plain, scaled = (aetia.discover(f, random_state=0) for f in (chain(), chain() * factor))
    np.testing.assert_allclose(
        scaled.edge_probabilities(), plain.edge_probabilities(), rtol=1e-6, atol=1e-9
    )


def test_rows_pasted_many_times_are_named():
    frame = pd.concat([chain(30)] * 4)
    with pytest.warns(DataWarning, match="90 of 120 rows repeat another row"):
        aetia.discover(frame, random_state=0)


@pytest.mark.filterwarnings("error::aetia.errors.DataWarning")
def test_equal_rows_of_coarse_columns_are_different_units():
    rng = np.random.default_rng(0)
    coarse = np.round(rng.multivariate_normal([5, 3], [[0.3, 0.2], [0.2, 0.3]], 300), 1)
    frame = pd.DataFrame(coarse, columns=["a", "b"]).assign(t=rng.choice(["u", "v"], 300))
    aetia.discover(frame, random_state=0)


@pytest.mark.filterwarnings("error::aetia.errors.DataWarning")
def test_distinct_rows_raise_no_doubt():
    aetia.discover(chain(), random_state=0)


def test_a_running_number_is_named():
    with pytest.warns(DataWarning, match="'id' holds whole numbers that run on"):
        aetia.discover(chain().assign(id=np.arange(120) + 1001), random_state=0)


def test_two_rows_are_not_called_copies_of_each_other():
    with pytest.warns(DataWarning, match="2 rows for 3 columns"):
        aetia.discover(chain().head(2), random_state=0)


def test_regimes_and_missing_cells_at_once_are_refused_and_not_forgotten():
    regime = np.repeat([0, 1], 60)
    assert "regimes change" in refused(holes(), regime=regime)
    assert "regimes change" in refused(chain(), regime=regime, likelihood="copula")


def test_missing_cells_of_numbers_are_not_drawn_as_categories():
    assert "'bdeu' cannot score column 'a'" in refused(holes(), likelihood="bdeu")


def test_a_limit_on_parents_holds_when_cells_are_missing():
    posterior = aetia.discover(holes(), max_parents=1, prior="fair", random_state=0)
    assert posterior.graphs.sum(1).max() == 1


@pytest.mark.parametrize("frame", [chain(), holes()], ids=["complete", "missing"])
def test_knowledge_beyond_the_limit_on_parents_names_the_column(frame):
    known = aetia.Knowledge(required=["a -> c", "b -> c"])
    message = refused(frame, knowledge=known, max_parents=1)
    assert "2 parents of 'c' ('a', 'b'), but max_parents is 1" in message


def test_a_prior_that_is_not_modular_weighs_the_draws_when_cells_are_missing():
    class OnlyFew:
        """No graph with more than one edge."""

        def log_prob(self, graphs):
            few = graphs.sum((-2, -1)) <= 1
            return few.double().log()

        def sample(self, n, d, generator):
            raise NotImplementedError

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    frame.iloc[::9, 1] = np.nan
    posterior = aetia.discover(frame, prior=OnlyFew(), random_state=0)
    assert (posterior.graphs[posterior.weights > 0].sum((1, 2)) <= 1).all()
    edges = posterior.edge_probabilities()
    expected = np.einsum("s,sij->ij", posterior.weights, posterior.graphs)
    np.testing.assert_allclose(edges, expected, atol=1e-12)


def test_known_targets_of_regimes_are_used():
    frame, regime = chain(400), np.repeat([0, 1], 200)
    rng = np.random.default_rng(3)
    frame.loc[regime == 1, "b"] = 3 - 2 * frame["a"][regime == 1] + rng.normal(size=200)
    frame["c"] = frame["b"] + rng.normal(size=400)
    likelihood = ChangedMechanisms(likelihood=BGe(), targets={1: ["b"]})
    posterior = aetia.discover(frame, regime=regime, likelihood=likelihood, random_state=0)
    assert posterior.edge_probabilities()[0, 1] > 0.99  # the changed mechanism orients a -> b
    assert "regime_targets" not in posterior.diagnostics


def test_no_edge_probability_is_above_one():
    frame = aetia.load_public("diabetes")
    posterior = aetia.discover(frame, random_state=3)
    assert posterior.edge_probabilities().max() <= 1.0


@pytest.mark.parametrize("swap", [False, True])
def test_a_column_held_at_one_value_in_a_regime_is_no_reason_to_stop(swap):
    frame, regime = chain(150), np.repeat([0, 1], 75)
    frame["valve"] = np.where(regime > 0, 3.0, np.random.default_rng(4).normal(size=150))
    posterior = aetia.discover(frame, regime=1 - regime if swap else regime, random_state=0)
    targets = next(iter(posterior.diagnostics["regime_targets"].values()))
    assert targets["valve"] > 0.99
    assert targets["a"] < 0.5
