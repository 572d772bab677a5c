"""Columns of two tables next to each other, and how their columns go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from aetia.plots.axes import BLUE, GREY, ORANGE, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_correlations", "plot_marginals"]


def plot_marginals(
    columns: Mapping[str, tuple[np.ndarray, np.ndarray]], *, labels: tuple[str, str]
) -> tuple[Figure, pd.DataFrame]:
    """Draw two histograms of every column, each of area one.

    Args:
        columns: Name to two arrays of values.
        labels: What the arrays are.

    Returns:
        A figure with one panel for each column, and a frame of means and deviations.
    """
    import pandas as pd
    from matplotlib.figure import Figure

    n_columns = min(max(len(columns), 1), 4)
    n_rows = max(-(-len(columns) // n_columns), 1)
    figure = Figure(figsize=(2.6 * n_columns, 2.0 * n_rows + 0.4), layout="constrained")
    axes = np.atleast_1d(figure.subplots(n_rows, n_columns)).ravel()
    for ax in axes[len(columns) :]:
        ax.axis("off")
    rows = []
    for ax, (name, pair) in zip(axes, columns.items(), strict=False):
        low, high = np.quantile(np.concatenate(pair), [0.002, 0.998])
        if high <= low:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, 25).tolist()
        for values, label, colour in zip(pair, labels, (BLUE, ORANGE), strict=True):
            inside = np.clip(values, low, high)
            ax.hist(inside, bins=edges, density=True, alpha=0.5, color=colour, label=label)
            rows.append(
                {"column": name, "values": label, "mean": values.mean(), "sd": values.std()}
            )
        ax.set_title(name if len(name) < 28 else name[:26] + "…", fontsize=9)
        ax.set_yticks([])
        ax.tick_params(labelsize=8)
    if columns:
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure, pd.DataFrame(rows, columns=["column", "values", "mean", "sd"])


def plot_correlations(
    real: Float[np.ndarray, "d d"], generated: Float[np.ndarray, "d d"], *, ax: Axes | None = None
) -> tuple[Axes, pd.DataFrame]:
    """Draw the correlations of all pairs of columns in one table against those in another.

    Args:
        real: Correlations in the one ...
        generated: ... and in the other.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and a frame with a row for each pair.
    """
    import pandas as pd

    i, j = np.triu_indices(len(real), 1)
    frame = pd.DataFrame({"i": i, "j": j, "real": real[i, j], "generated": generated[i, j]})
    ax = new_axes(ax, (4.6, 4.2))
    ax.plot([-1, 1], [-1, 1], color=GREY, lw=1)
    ax.scatter(frame["real"], frame["generated"], s=14, color=BLUE, alpha=0.6, lw=0)
    ax.set_xlim(-1.05, 1.05)
    ax.set_ylim(-1.05, 1.05)
    ax.set_aspect("equal")
    ax.set_xlabel("correlation in the table")
    ax.set_ylabel("correlation in generated rows")
    return ax, frame
