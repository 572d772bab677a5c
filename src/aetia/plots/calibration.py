"""Stated probabilities against what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from aetia.plots.axes import BLUE, GREY, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_reliability"]


def plot_reliability(
    stated: Float[np.ndarray, " bins"],
    observed: Float[np.ndarray, " bins"],
    count: Int[np.ndarray, " bins"],
    *,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw a reliability curve; on the diagonal the probabilities are calibrated.

    Args:
        stated: Mean stated probability of each bin, as from ``diagnostics.reliability``.
        observed: Frequency of the event in each bin.
        count: Number of events in each bin; sets the size of the marks.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and a frame with ``stated``, ``observed``, ``count``.
    """
    import pandas as pd

    frame = pd.DataFrame({"stated": stated, "observed": observed, "count": count})
    ax = new_axes(ax, (4.6, 4.4))
    ax.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
    size = 30 + 170 * frame["count"] / frame["count"].max()
    ax.plot(frame["stated"], frame["observed"], color=BLUE, lw=1.2)
    ax.scatter(frame["stated"], frame["observed"], s=size, color=BLUE, alpha=0.7)
    ax.set_xlabel("stated probability")
    ax.set_ylabel("observed frequency")
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.03, 1.03)
    return ax, frame
