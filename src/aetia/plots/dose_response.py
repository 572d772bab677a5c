"""Mean outcomes along the dose, effects of units, and overlap of the arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from aetia.plots.axes import BLUE, GREY, ORANGE, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_dose_response", "plot_overlap", "plot_unit_effects"]


def plot_dose_response(
    frame: pd.DataFrame,
    *,
    treatment: str,
    outcome: str,
    level: float = 0.9,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw mean potential outcomes with credible and prediction bands.

    Args:
        frame: Columns ``dose``, ``mean``, ``lower``, ``upper`` and perhaps ``prediction_lower``
            and ``prediction_upper``.
        treatment: Label of the horizontal axis.
        outcome: Label of the vertical axis.
        level: Probability inside the bands, for the legend.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame.
    """
    ax = new_axes(ax, (6.4, 3.8))
    if "prediction_lower" in frame:
        ax.fill_between(
            frame["dose"],
            frame["prediction_lower"],
            frame["prediction_upper"],
            color=GREY,
            alpha=0.18,
            lw=0,
            label=f"{100 * level:g} % of single outcomes",
        )
    ax.fill_between(
        frame["dose"],
        frame["lower"],
        frame["upper"],
        color=BLUE,
        alpha=0.3,
        lw=0,
        label=f"{100 * level:g} % of the mean",
    )
    ax.plot(frame["dose"], frame["mean"], color=BLUE, lw=1.8, label="mean outcome")
    ax.set_xlabel(f"{treatment}, set for everybody")
    ax.set_ylabel(outcome)
    ax.legend(frameon=False, fontsize=9)
    return ax, frame


def plot_unit_effects(
    frame: pd.DataFrame,
    *,
    outcome: str,
    title: str = "",
    level: float = 0.9,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw the effects of all units in rising order, with intervals.

    Args:
        frame: Columns ``mean``, ``lower`` and ``upper``.
        outcome: Label of the vertical axis.
        title: Title of the axes.
        level: Probability inside the intervals, for the legend.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame in the order of the plot.
    """
    ax = new_axes(ax, (6.4, 3.8))
    frame = frame.sort_values("mean", ignore_index=True)
    rank = np.arange(len(frame))
    ax.fill_between(
        rank,
        frame["lower"],
        frame["upper"],
        color=BLUE,
        alpha=0.2,
        lw=0,
        label=f"{100 * level:g} % interval",
    )
    ax.plot(rank, frame["mean"], color=BLUE, lw=1.6, label="effect of the unit")
    ax.axhline(0, color=GREY, lw=0.8)
    ax.axhline(
        float(np.mean(frame["mean"].to_numpy())),
        color=ORANGE,
        lw=1.2,
        ls="--",
        label="mean over units",
    )
    ax.set_xlabel("units, in order of their effect")
    ax.set_ylabel(f"change of {outcome}")
    ax.set_title(title, fontsize=10)
    ax.legend(frameon=False, fontsize=9)
    return ax, frame


def plot_overlap(
    propensity: Float[np.ndarray, " n"],
    treatment: Float[np.ndarray, " n"],
    *,
    arms: tuple[str, str] | None,
    name: str,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw who could have received what.

    Args:
        propensity: Probability of the second arm, or the dose expected from covariates.
        treatment: What was received.
        arms: Names of the two arms; None for doses.
        name: Name of the treatment.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame that was drawn.
    """
    import pandas as pd

    ax = new_axes(ax, (6.0, 3.6))
    frame = pd.DataFrame({"expected": propensity, "received": treatment})
    if arms is None:
        low, high = np.quantile(treatment, [0.01, 0.99])
        ax.scatter(propensity, treatment, s=5, color=BLUE, alpha=0.35, lw=0)
        ax.plot([low, high], [low, high], color=GREY, lw=1)
        ax.set_ylim(low, high)
        ax.set_xlim(*np.quantile(propensity, [0.005, 0.995]))
        ax.set_xlabel(f"{name} expected from the covariates")
        ax.set_ylabel(f"{name} received")
        return ax, frame
    bins = np.linspace(0, 1, 31).tolist()
    for code, colour in ((0, ORANGE), (1, BLUE)):
        some = propensity[treatment == code]
        ax.hist(
            some, bins=bins, density=True, alpha=0.5, color=colour, label=f"{name}={arms[code]}"
        )
    ax.set_xlabel(f"probability of {name}={arms[1]} given the covariates")
    ax.set_ylabel("density")
    ax.legend(frameon=False, fontsize=9)
    return ax, frame
