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
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw a histogram with mean and interval; the mass at exactly zero is stated apart.

    Args:
        draws: Draws of the effect.
        label: Name of the outcome.
        title: Title of the axes.
        level: Probability inside the interval.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and a frame of the draws.
    """
    import pandas as pd

    ax = new_axes(ax, (5.6, 3.4))
    zero = draws == 0
    if not zero.all():
        weights = np.full((~zero).sum(), 1.0 / len(draws))
        ax.hist(draws[~zero], bins=60, weights=weights, color=BLUE, alpha=0.75)
    if zero.any():
        ax.axvline(0, color=GREY, lw=2)
        ax.annotate(
            f"no effect: {zero.mean():.0%}",
            (0, 0.95),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=9,
            color=GREY,
            va="top",
        )
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    ax.axvspan(low, high, color=ORANGE, alpha=0.12)
    ax.axvline(draws.mean(), color=ORANGE, lw=1.6)
    ax.set_xlabel(f"change of {label}")
    ax.set_ylabel("probability")
    ax.set_title(title, fontsize=10)
    return ax, pd.DataFrame({"effect": draws})
