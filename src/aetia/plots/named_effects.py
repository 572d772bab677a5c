"""Effects that have names, one below the other: levels of an outcome, or of a treatment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetia.plots.axes import BLUE, GREY, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_named_effects"]


def plot_named_effects(
    frame: pd.DataFrame,
    *,
    outcome: str,
    title: str = "",
    level: float = 0.9,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw means and intervals by name, and those of the most probable graph below each.

    Args:
        frame: Columns ``quantity``, ``mean``, ``lower``, ``upper``, and perhaps
            ``best_graph_mean``, ``best_graph_lower`` and ``best_graph_upper``.
        outcome: Label of the horizontal axis.
        title: Title of the axes.
        level: Probability inside the intervals, for the legend.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame.
    """
    ax = new_axes(ax, (6.4, 1.7 + 0.45 * len(frame)))
    at = [float(k) for k in range(len(frame))]
    interval = f"mean and {100 * level:g} % interval"
    ax.hlines(at, frame["lower"], frame["upper"], color=BLUE, lw=4, alpha=0.5, label=interval)
    ax.plot(frame["mean"], at, "o", color=BLUE)
    if "best_graph_mean" in frame:
        below = [k + 0.25 for k in at]
        low, high = frame["best_graph_lower"], frame["best_graph_upper"]
        ax.hlines(below, low, high, color="black", lw=1.5, label="most probable graph alone")
        ax.plot(frame["best_graph_mean"], below, "o", color="black", ms=4)
    ax.axvline(0, color=GREY, lw=0.8)
    ax.set_yticks(at, list(frame["quantity"]))
    ax.set_ylim(len(frame) - 0.4, -0.6)
    ax.set_xlabel(f"change of {outcome}")
    ax.set_title(title, fontsize=10)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "borderaxespad": 5.0}
    ax.legend(**below, ncol=2, frameon=False, fontsize=8)
    return ax, frame
