"""Draws: what was given stays, what was drawn is summarised, in bounded memory."""

import numpy as np
import pandas as pd
import pytest

from aetia.errors import InputError, ResultFileError
from aetia.results import Draws


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    given = rng.normal(size=(6, 3))
    given[0, 1] = given[2] = given[5, 0] = np.nan
    cells = rng.normal(size=(400, 5)) * [1, 2, 3, 4, 5]
    return given, cells


@pytest.fixture
def draws(table):
    given, cells = table
    labels = tuple("abcdef")
    return Draws.of_cells(given, cells, names=("u", "v", "w"), row_labels=labels)


def test_given_cells_are_untouched_and_drawn_ones_in_place(table, draws):
    given, cells = table
    seen = ~np.isnan(given)
    for values in (draws.mean, draws.draw(7), draws.values[3], draws.interval()[..., 0]):
        np.testing.assert_array_equal(values[seen], given[seen])
    np.testing.assert_array_equal(draws.draw(7)[~seen], cells[7])
    np.testing.assert_allclose(draws.mean[~seen], cells.mean(0))
    assert draws.shape == (400, 6, 3)
    assert (draws.sd[seen] == 0).all()


def test_frame_lists_every_missing_cell_by_its_names(table, draws):
    _, cells = table
    frame = draws.frame(0.8)
    assert list(frame.columns) == ["row", "column", "mean", "sd", "lower", "upper"]
    assert list(zip(frame["row"], frame["column"], strict=True)) == [
        ("a", "v"), ("c", "u"), ("c", "v"), ("c", "w"), ("f", "u"),
    ]  # fmt: skip
    np.testing.assert_allclose(frame["lower"], np.quantile(cells, 0.1, axis=0))
    np.testing.assert_allclose(frame["sd"], cells.std(0, ddof=1))


def test_completed_is_a_frame_with_the_users_labels(table, draws):
    given, _ = table
    completed = draws.completed()
    assert isinstance(completed, pd.DataFrame)
    assert list(completed.columns) == ["u", "v", "w"]
    assert list(completed.index) == list("abcdef")
    np.testing.assert_array_equal(completed.to_numpy()[1], given[1])


def test_beyond_the_memory_limit_a_sketch_with_close_quantiles_is_kept(table):
    given, cells = table
    kept = Draws.of_cells(given, cells)
    sketch = Draws.of_cells(given, cells, max_megabytes=0.001)
    assert sketch.cells is None
    assert sketch.quantiles.nbytes < cells.nbytes
    np.testing.assert_array_equal(sketch.mean, kept.mean)
    np.testing.assert_array_equal(sketch.sd, kept.sd)
    for level in (0.5, 0.9, 0.93):
        gap = np.abs(sketch.interval(level) - kept.interval(level)).max()
        assert gap < 0.25  # standard deviations are 1 to 5, and quantiles half a per cent apart
    with pytest.raises(InputError, match="memory limit"):
        sketch.draw(0)
    with pytest.raises(InputError, match="at most"):
        sketch.interval(0.9999)


@pytest.mark.parametrize("limit", [1024.0, 0.001])
def test_saved_draws_come_back(draws, table, limit, tmp_path):
    given, cells = table
    saved = Draws.of_cells(
        given, cells, names=("u", "v", "w"), max_megabytes=limit, diagnostics={"seed": 3}
    )
    saved.save(tmp_path / "draws")
    loaded = Draws.load(tmp_path / "draws")
    np.testing.assert_array_equal(loaded.given, saved.given)
    np.testing.assert_array_equal(loaded.interval(0.7), saved.interval(0.7))
    assert loaded.names == saved.names
    assert loaded.diagnostics == saved.diagnostics
    assert loaded.n_draws == 400


def test_loading_something_else_is_an_error(tmp_path):
    with pytest.raises(ResultFileError, match="no saved result"):
        Draws.load(tmp_path)


def test_plain_samples_are_rows(tmp_path):
    values = np.arange(24.0).reshape(2, 4, 3)
    one = Draws.of_values(values[:1], names=("a", "b", "c"))
    assert one.kind == "sample"
    np.testing.assert_array_equal(one.frame().to_numpy(), values[0])
    both = Draws.of_values(values, names=("a", "b", "c"))
    np.testing.assert_array_equal(both.values, values)
    assert list(both.frame().columns) == ["draw", "a", "b", "c"]
    both.save(tmp_path)
    np.testing.assert_array_equal(Draws.load(tmp_path).values, values)
    assert "new rows" in repr(one)


def test_images_keep_their_shape():
    given = np.full((3, 4, 4, 1), 0.5)
    given[:, 2:] = np.nan
    draws = Draws.of_cells(given, np.full((5, 24), 0.25))
    assert draws.mean.shape == (3, 4, 4, 1)
    assert (draws.mean[:, 2:] == 0.25).all()
    assert draws.interval().shape == (3, 4, 4, 1, 2)
    assert draws.frame()["column"][0] == "2,0"
    assert isinstance(draws.completed(), np.ndarray)
    ax, frame = draws.plot()
    assert frame.shape == (3, 16)
    assert ax.images


def test_a_table_without_holes_has_an_empty_imputation():
    given = np.ones((4, 2))
    draws = Draws.of_cells(given, np.zeros((10, 0)))
    assert draws.n_cells == 0
    assert len(draws.frame()) == 0
    np.testing.assert_array_equal(draws.completed(), given)
    np.testing.assert_array_equal(draws.interval()[..., 1], given)
    draws.plot()


def test_plots_show_what_they_say(draws):
    _, frame = draws.plot()
    assert len(frame) == 5
    assert "5 missing cells" in repr(draws)
    assert "<table" in draws._repr_html_()


def test_parts_are_put_below_each_other(table):
    given, cells = table
    whole = Draws.of_cells(given, cells)
    parts = [
        Draws.of_cells(given[:3], cells[:, :4]),
        Draws.of_cells(given[3:], cells[:, 4:], max_megabytes=0.0005),
    ]
    joined = Draws.concatenate(parts)
    np.testing.assert_allclose(joined.mean, whole.mean)
    assert joined.cells is None
    np.testing.assert_array_equal(Draws.concatenate([parts[0]]).cells, cells[:, :4])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.interval(90), "strictly between 0 and 1"),
        (lambda d: d.interval(0.9, "credible"), "prediction intervals"),
        (lambda d: d.draw(400), "there are 400"),
        (lambda d: Draws.of_cells(d.given, d.cells[:, :2]), "5 cells are NaN"),
    ],
)
def test_wrong_questions_are_answered_clearly(draws, call, message):
    with pytest.raises(InputError, match=message):
        call(draws)
