"""Mean outcomes of two arms, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aetia.plots.axes import BLUE, GREY, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_arms"]


def plot_arms(
    frame: pd.DataFrame,
    arms: Sequence[str],
    *,
    treatment: str,
    outcome: str,
    level: float = 0.9,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw mean potential outcomes of the arms with credible and prediction intervals.

    Args:
        frame: A row for each arm: ``mean``, ``lower``, ``upper`` and perhaps ``prediction_lower``
            and ``prediction_upper``.
        arms: Names of the rows.
        treatment: Label of the horizontal axis.
        outcome: Label of the vertical axis.
        level: Probability inside the intervals, for the legend.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame.
    """
    ax = new_axes(ax, (6.4, 3.8))
    at = list(range(len(frame)))
    if "prediction_lower" in frame:
        low, high = frame["prediction_lower"], frame["prediction_upper"]
        ax.vlines(
            at,
            low,
            high,
            color=GREY,
            alpha=0.3,
            lw=14,
            label=f"{100 * level:g} % of single outcomes",
        )
    ax.vlines(
        at, frame["lower"], frame["upper"], color=BLUE, lw=4, label=f"{100 * level:g} % of the mean"
    )
    ax.plot(at, frame["mean"], "o-", color=BLUE, lw=1, label="mean outcome")
    ax.set_xticks(at, [f"{treatment} = {arm}" for arm in arms])
    ax.set_xlim(-0.5, len(frame) - 0.5)
    ax.set_xlabel("set for everybody")
    ax.set_ylabel(outcome)
    ax.legend(frameon=False, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax, frame
