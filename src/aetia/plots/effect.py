"""The posterior of one causal effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from aetia.plots.axes import BLUE, GREY, ORANGE, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_effect"]


def plot_effect(
    draws: Float[np.ndarray, " s"],
    *,
    label: str,
    title: str = "",
    level: float = 0.9,
    zero: float | None = None,
    best_graph: Float[np.ndarray, " r"] | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw a histogram with mean and interval; the mass at exactly zero is a bar of its own.

    Args:
        draws: Draws of the effect.
        label: Name of the outcome.
        title: Title of the axes.
        level: Probability inside the interval.
        zero: Probability that there is no effect; None takes the share of draws at zero.
        best_graph: Draws given the single most probable graph, shown as an interval below.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and a frame of the draws.
    """
    import pandas as pd

    ax = new_axes(ax, (5.6, 3.4))
    acting = draws[draws != 0]
    if zero is None:
        zero = 1.0 - len(acting) / len(draws)
    if len(acting):
        weights = np.full(len(acting), (1.0 - zero) / len(acting))
        bins = int(np.clip(len(acting) // 15, 8, 60))
        ax.hist(acting, bins=bins, weights=weights, color=BLUE, alpha=0.75)
    if zero >= 0.005:  # a smaller one would only stretch the axis
        # The atom is probability, not density: a line over the full height, with its number.
        ax.axvline(0, color=GREY, lw=3)
        ax.annotate(
            f"no effect: {zero:.0%}",
            (0, 0.95),
            xycoords=("data", "axes fraction"),
            xytext=(5, 0),
            textcoords="offset points",
            fontsize=9,
            color=GREY,
            va="top",
        )
    ax.set_ylim(top=1.12 * ax.get_ylim()[1])  # room for the words at the top
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    ax.axvspan(low, high, color=ORANGE, alpha=0.12)
    ax.axvline(draws.mean(), color=ORANGE, lw=1.6, label=f"mean and {100 * level:g} % interval")
    if best_graph is not None:
        ends = np.quantile(best_graph, [(1 - level) / 2, (1 + level) / 2])
        height = 0.03 * ax.get_ylim()[1]
        ax.plot(ends, [height, height], color="black", lw=2, label="most probable graph alone")
        ax.plot(best_graph.mean(), height, "o", color="black", ms=5)
        # Below the axes: inside, it would cover bars wherever they happen to be.
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "borderaxespad": 5.0}
        ax.legend(**below, ncol=2, frameon=False, fontsize=8)
    ax.set_xlabel(f"change of {label}")
    ax.set_ylabel("probability")
    ax.set_title(title, fontsize=10)
    return ax, pd.DataFrame({"effect": draws})
