"""Drawings of time series: graphs with lags, imputed values, regimes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch

from aetia.plots import circle_order, plot_imputed_series, plot_lagged_graph, plot_regime_shifts
from aetia.plots.axes import BLUE, GREY, ORANGE


def arrows(ax):
    """Lines between variables, without their heads."""
    return [p for p in ax.patches if isinstance(p, FancyArrowPatch) and p.get_linewidth() > 0]


def hue(arrow):
    """The colour whose paler shades stand for less probable edges."""
    rgb = np.array(to_rgb(arrow.get_edgecolor()))
    shade = (1 - rgb) / (1 - rgb).max()
    for colour in (BLUE, ORANGE, GREY):
        full = 1 - np.array(to_rgb(colour))
        if np.allclose(shade, full / full.max(), atol=1e-6):
            return colour
    raise AssertionError(arrow.get_edgecolor())


def by_lag():
    p = np.zeros((2, 3, 3))
    p[0, 0, 1], p[1, 1, 0], p[1, 0, 2], p[1, 2, 2] = 1.0, 0.8, 0.3, 1.0
    return p


def test_lags_have_their_colours_and_frequencies_their_widths():
    ax, frame = plot_lagged_graph(by_lag(), ["a", "b", "c"])
    assert frame["probability"].tolist() == [1.0, 0.8, 0.3]
    assert {hue(a) for a in arrows(ax)} == {BLUE, ORANGE}
    assert len(arrows(ax)) == 3
    widths = sorted(a.get_linewidth() for a in arrows(ax))
    np.testing.assert_allclose(widths, [0.6 + 2.4 * p for p in (0.3, 0.8, 1.0)])


def test_one_lag_alone_can_be_drawn():
    _, frame = plot_lagged_graph(by_lag(), ["a", "b", "c"], lags=(1,))
    assert frame["lag"].tolist() == [1, 1]


def test_edges_outside_the_graph_are_dashed_and_chosen_ones_always_there():
    chosen = np.zeros((2, 3, 3), dtype=bool)
    chosen[0, 0, 1] = chosen[1, 0, 2] = True
    ax, frame = plot_lagged_graph(by_lag(), ["a", "b", "c"], chosen=chosen, threshold=0.5)
    assert frame.set_index(["source", "target"])["chosen"].to_dict() == {
        ("a", "b"): True,
        ("b", "a"): False,
        ("a", "c"): True,
    }
    assert sorted(map(hue, arrows(ax))) == sorted([BLUE, ORANGE, GREY])


def test_both_directions_within_a_step_are_one_line():
    p = np.zeros((2, 2, 2))
    p[0, 0, 1], p[0, 1, 0] = 0.3, 0.6
    ax, frame = plot_lagged_graph(p, ["a", "b"])
    assert len(frame) == 2
    (line,) = arrows(ax)
    assert line.get_linewidth() == pytest.approx(0.6 + 2.4 * 0.9)
    assert len([a for a in ax.patches if isinstance(a, FancyArrowPatch)]) == 3


def test_opposite_edges_bend_apart():
    ax, _ = plot_lagged_graph(by_lag(), ["a", "b", "c"])
    bends = {a.get_connectionstyle().rad for a in arrows(ax)}
    assert 0.0 in bends
    assert len(bends) == 3


@given(st.integers(1, 7), st.integers(0, 2**31))
def test_causes_come_before_effects_on_the_circle(d, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(d)
    dag = np.triu(rng.random((d, d)) < 0.5, 1)[np.ix_(np.argsort(order), np.argsort(order))]
    place = np.argsort(circle_order(dag.astype(float)))
    i, j = np.nonzero(dag)
    assert (place[i] < place[j]).all()


def spans():
    reading = [1.0, np.nan, np.nan, 2.0, 2.5]
    imputed = [1.0, 1.2, 1.6, 2.0, 2.5]
    gap = np.isnan(reading)
    return pd.DataFrame(
        {
            "sensor": "flow",
            "recording": "",
            "step": range(5),
            "reading": reading,
            "flagged_outliers": False,
            "imputed": imputed,
            "lower": np.where(gap, np.array(imputed) - 0.5, np.nan),
            "upper": np.where(gap, np.array(imputed) + 0.5, np.nan),
        }
    )


def test_gaps_are_joined_to_the_readings_beside_them():
    figure, frame = plot_imputed_series(spans())
    line, dots = figure.axes[0].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [1.0, 1.2, 1.6, 2.0, np.nan])
    assert dots.get_ydata().tolist() == [1.0, 2.0, 2.5]
    assert len(figure.axes[0].collections) == 1
    assert len(frame) == 5


def test_flagged_outliers_are_crosses_that_do_not_stretch_the_axis():
    table = spans()
    table.loc[4, ["reading", "imputed", "flagged_outliers"]] = [900.0, 900.0, True]
    ax = plot_imputed_series(table)[0].axes[0]
    dots, crosses = ax.get_lines()[1:]
    assert dots.get_ydata().tolist() == [1.0, 2.0]
    assert crosses.get_marker() == "x"
    assert ax.get_ylim()[1] < 5
    assert ax.get_ylim()[0] < crosses.get_ydata()[0] < ax.get_ylim()[1]


def test_without_a_band_there_is_none():
    figure, _ = plot_imputed_series(spans().assign(lower=np.nan, upper=np.nan))
    assert len(figure.axes[0].collections) == 0


def test_regimes_are_rows_and_changed_mechanisms_have_dots():
    p = np.array([[1.0, 1e-9], [0.01, 0.5]])
    changed = np.array([[False, True], [False, False]])
    ax, frame = plot_regime_shifts(p, changed, ["flow", "heat"], ["day", "night"])
    assert frame.loc["night", "flow"] == 0.01
    assert ax.get_lines()[0].get_xydata().tolist() == [[1.0, 0.0]]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0, 6], [2, -np.log10(0.5)]])
