"""Edge probabilities as a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from aetia.plots.axes import new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_edge_matrix"]


def plot_edge_matrix(
    probabilities: Float[np.ndarray, "d d"], names: Sequence[str], *, ax: Axes | None = None
) -> tuple[Axes, pd.DataFrame]:
    """Draw the matrix of edge probabilities, causes in rows.

    Args:
        probabilities: Edge probabilities.
        names: Column names.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame that was drawn.
    """
    import pandas as pd

    d = len(names)
    side = min(max(0.42 * d + 1.8, 3.6), 13.0)
    ax = new_axes(ax, (side + 0.6, side))
    image = ax.imshow(probabilities, cmap="Blues", vmin=0, vmax=1)
    short = [n if len(n) <= 16 else n[:14] + "…" for n in names]
    font = 9 if d <= 15 else 7
    ax.set_xticks(range(d), short, rotation=90, fontsize=font)
    ax.set_yticks(range(d), short, fontsize=font)
    ax.set_xlabel("effect")
    ax.set_ylabel("cause")
    if d <= 16:
        for i in range(d):
            for j in range(d):
                if i != j and probabilities[i, j] >= 0.005:
                    dark = probabilities[i, j] > 0.6
                    ax.text(
                        j,
                        i,
                        f"{probabilities[i, j]:.2f}",
                        ha="center",
                        va="center",
                        fontsize=6.5,
                        color="white" if dark else "black",
                    )
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="probability")
    return ax, pd.DataFrame(probabilities, index=list(names), columns=list(names))
