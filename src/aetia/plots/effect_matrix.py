"""Total effects of all pairs as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aetia.plots.axes import new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_effect_matrix"]


def plot_effect_matrix(frame: pd.DataFrame, *, ax: Axes | None = None) -> tuple[Axes, pd.DataFrame]:
    """Draw total effects, causes in rows; colours fade as the probability of no effect grows.

    Args:
        frame: Columns ``treatment``, ``outcome``, ``standardised`` (colour) and ``zero``
            (probability of no effect), as ``GraphPosterior.total_effects()`` gives. Of an outcome
            with levels, the row of largest absolute ``mean`` is shown.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame.
    """
    names = list(dict.fromkeys([*frame["treatment"], *frame["outcome"]]))
    at = {name: k for k, name in enumerate(names)}
    d = len(names)
    colour, zero = np.full((d, d), np.nan), np.ones((d, d))
    for row in frame.to_dict("records"):
        i, j = at[row["treatment"]], at[row["outcome"]]
        shown = row["standardised"] if np.isfinite(row["standardised"]) else row["mean"]
        if np.isnan(colour[i, j]) or abs(shown) > abs(colour[i, j]):
            colour[i, j], zero[i, j] = shown, row["zero"]
    side = min(max(0.5 * d + 1.8, 3.8), 13.0)
    ax = new_axes(ax, (side + 0.8, side))
    finite = np.abs(colour[np.isfinite(colour)])
    largest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    image = ax.imshow(colour, cmap="RdBu_r", vmin=-largest, vmax=largest)
    image.set_alpha(np.where(np.isfinite(colour), np.clip(1.05 - zero, 0.05, 1.0), 0.0))
    short = [n if len(n) <= 16 else n[:14] + "…" for n in names]
    font = 9 if d <= 15 else 7
    ax.set_xticks(range(d), short, rotation=90, fontsize=font)
    ax.set_yticks(range(d), short, fontsize=font)
    ax.set_xlabel("outcome")
    ax.set_ylabel("treatment")
    if d <= 16:
        for i, j in zip(*np.nonzero(np.isfinite(colour) & (zero < 0.995)), strict=True):
            strong = abs(colour[i, j]) > 0.6 * largest and zero[i, j] < 0.4
            ax.text(
                j,
                i,
                f"{colour[i, j]:.2f}\n{1 - zero[i, j]:.0%}",
                ha="center",
                va="center",
                fontsize=6.5,
                color="white" if strong else "black",
            )
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="mean effect in sd of the outcome")
    ax.set_title("below: probability of an effect", fontsize=8)
    return ax, frame
