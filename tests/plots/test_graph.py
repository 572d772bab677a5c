"""The drawing of a graph posterior: what is drawn, where, and how strong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import FancyArrowPatch

from aetia.plots import plot_graph
from aetia.plots.layered_layout import arc, bend_around, fitted_layout, layered_layout


def matrix(**edges):
    names = sorted({n for pair in edges for n in pair})
    p = np.zeros((len(names), len(names)))
    for (a, b), value in edges.items():
        p[names.index(a), names.index(b)] = value
    return p, names


def arrows(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def test_an_open_pair_is_one_line_with_two_heads():
    p, names = matrix(ab=0.43, ba=0.55, bc=0.9)
    ax, frame = plot_graph(p, names)
    assert frame[["source", "target"]].to_numpy().tolist() == [["b", "a"], ["b", "c"]]
    np.testing.assert_allclose(frame["adjacent"], [0.98, 0.9])
    np.testing.assert_allclose(frame["reverse_probability"], [0.43, 0.0])
    lines = [a for a in arrows(ax) if a.get_linewidth() > 0]
    heads = [a for a in arrows(ax) if a.get_linewidth() == 0]
    assert (len(lines), len(heads)) == (2, 3)
    assert max(a.get_linewidth() for a in lines) == pytest.approx(0.6 + 2.4 * 0.98)


def test_more_probable_directions_have_larger_and_darker_heads():
    p, names = matrix(ab=0.2, ba=0.7)
    ax, _ = plot_graph(p, names)
    weak, strong = sorted(
        (a for a in arrows(ax) if a.get_linewidth() == 0), key=lambda a: a.get_mutation_scale()
    )
    assert weak.get_mutation_scale() < strong.get_mutation_scale()
    assert sum(strong.get_facecolor()[:3]) < sum(weak.get_facecolor()[:3])


def test_pairs_are_drawn_by_their_adjacency():
    """Neither direction reaches the threshold, the pair does."""
    p, names = matrix(ab=0.07, ba=0.06)
    assert len(plot_graph(p, names, threshold=0.1)[1]) == 1
    assert plot_graph(p, names, threshold=0.2)[1].empty


def test_nothing_to_draw_is_no_error():
    ax, frame = plot_graph(np.zeros((3, 3)), ["a", "b", "c"])
    assert frame.empty
    assert len(ax.texts) == 3


@given(st.integers(0, 10_000), st.integers(2, 9))
def test_no_two_boxes_lie_on_each_other(seed, d):
    rng = np.random.default_rng(seed)
    p = rng.random((d, d)) * (rng.random((d, d)) < 0.4) * 0.5
    np.fill_diagonal(p, 0)
    position, inches = fitted_layout(layered_layout(p, 0.1))
    at = position * inches
    apart = np.abs(at[:, None] - at[None])
    clear = (apart[..., 0] >= 1.2) | (apart[..., 1] >= 0.4)
    assert clear[~np.eye(d, dtype=bool)].all()


def test_a_chain_of_many_layers_stands_upright():
    p = np.diag(np.ones(11), 1)
    position, inches = fitted_layout(layered_layout(p, 0.1))
    across, down = np.ptp(position * inches, axis=0)
    assert down > across
    assert position[0, 1] == position[:, 1].max()  # the first cause is at the top


def test_an_edge_bends_around_the_box_between():
    at = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]])
    assert bend_around(at, 0, 1) == 0.0
    bend = bend_around(at, 0, 2)
    curve = arc(at[0], at[2], bend)
    assert not ((np.abs(curve - at[1]) < [0.62, 0.2]).all(-1)).any()
    np.testing.assert_allclose(curve[[0, -1]], at[[0, 2]])
