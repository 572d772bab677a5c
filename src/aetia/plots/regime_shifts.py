"""Which mechanisms behave differently in which regime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from aetia.plots.axes import ORANGE, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_regime_shifts"]

_SMALLEST = 1e-6


def plot_regime_shifts(
    p_values: Float[np.ndarray, "k d"],
    changed: Bool[np.ndarray, "k d"],
    names: Sequence[str],
    regimes: Sequence[str],
    *,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw how differently the residuals of each variable are distributed in each regime.

    Args:
        p_values: p-value of each variable in each regime, small where its residuals are distributed
            otherwise than in all other regimes.
        changed: Whose weights differ; marked by a dot.
        names: Column names.
        regimes: Labels of the regimes.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and a frame of the p-values, regimes in rows.
    """
    import pandas as pd

    k, d = p_values.shape
    ax = new_axes(ax, (min(max(0.5 * d + 2.2, 4.5), 13.0), min(0.42 * k + 1.9, 9.0)))
    strength = -np.log10(np.clip(p_values, _SMALLEST, 1.0))
    image = ax.imshow(strength, cmap="Blues", vmin=0, vmax=6, aspect="auto")
    at, j = np.nonzero(changed)
    ax.plot(j, at, "o", color=ORANGE, ms=7, mec="white")
    short = [n if len(n) <= 14 else n[:13] + "…" for n in names]
    ax.set_xticks(range(d), short, rotation=90 if d > 6 else 30, fontsize=8.5)
    ax.set_yticks(range(k), list(regimes), fontsize=8.5)
    ax.set_ylabel("regime", fontsize=9)
    bar = ax.figure.colorbar(image, ax=ax, ticks=[0, 2, 4, 6])
    bar.ax.set_yticklabels(["1", "0.01", "0.0001", "≤ 1e-6"], fontsize=8)
    bar.set_label("p-value", fontsize=8.5)
    return ax, pd.DataFrame(p_values, index=list(regimes), columns=list(names))
