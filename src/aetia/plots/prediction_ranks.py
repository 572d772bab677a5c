"""Whether prediction intervals hold what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from aetia.plots.axes import BLUE, GREY, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_prediction_ranks"]


def plot_prediction_ranks(
    ranks: Float[np.ndarray, " n"], *, n_bins: int = 10, ax: Axes | None = None
) -> tuple[Axes, pd.DataFrame]:
    """Draw the histogram of ranks of outcomes in their predicted distributions; flat is calibrated.

    Args:
        ranks: Probability integral transforms in [0, 1].
        n_bins: Bars.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and a frame of the bars.
    """
    import pandas as pd

    count, edges = np.histogram(ranks, bins=n_bins, range=(0.0, 1.0))
    share = count / len(ranks)
    even = 1 / n_bins
    spread = 1.96 * np.sqrt(even * (1 - even) / len(ranks))
    ax = new_axes(ax, (5.6, 3.2))
    ax.bar(edges[:-1], share, width=even, align="edge", color=BLUE, alpha=0.75, ec="white")
    ax.axhspan(even - spread, even + spread, color=GREY, alpha=0.25, lw=0)
    ax.axhline(even, color=GREY, lw=1)
    ax.set_xlim(0, 1)
    ax.set_xlabel("rank of the outcome in its predicted distribution")
    ax.set_ylabel("share of outcomes")
    return ax, pd.DataFrame({"rank": edges[:-1], "share": share})
