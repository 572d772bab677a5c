"""Pictures of diffusion experiments."""

import numpy as np

from aetia.plots import plot_dynamics, plot_points


def test_points_outside_the_window_are_counted_not_shown():
    points = np.array([[0.0, 1.0], [9.0, 0.0], [3.0, -8.5]])
    ax, frame = plot_points(points)
    assert ax.get_xlim() == ax.get_ylim() == (-8.0, 8.0)
    assert ax.get_title() == "2 of 3 points lie outside"
    np.testing.assert_array_equal(frame.to_numpy(), points)


def test_what_was_never_measured_has_no_panel_and_floors_share_one():
    history = {
        "epoch": [1, 2, 3],
        "fid": [None, None, None],
        "mmd": [0.3, None, 0.1],
        "mmd_floor": [0.05, 0.05, 0.05],
    }
    figure, frame = plot_dynamics(history, "epoch")
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == ["mmd"]
    drawn, floor = panels[0].get_lines()
    assert drawn.get_xydata().tolist() == [[1, 0.3], [3, 0.1]]
    assert floor.get_linestyle() == "--"
    assert frame["fid"].isna().all()


def test_long_curves_have_a_running_mean_over_a_fortieth_of_them():
    n = 400
    figure, _ = plot_dynamics({"step": list(range(n)), "loss": [float(k) for k in range(n)]})
    raw, smooth = figure.axes[0].get_lines()
    assert len(raw.get_xdata()) == n
    width = n // 40
    assert len(smooth.get_xdata()) == n - width + 1
    assert np.isclose(smooth.get_ydata()[0], np.mean(range(width)))
