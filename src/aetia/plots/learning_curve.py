"""Losses along the training of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aetia.plots.axes import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["plot_learning_curve"]

Panels = Mapping[str, Mapping[str, Sequence[float]]]


def plot_learning_curve(panels: Panels) -> tuple[Figure, pd.DataFrame]:
    """Draw recorded quantities against the step, one panel for each.

    Args:
        panels: Title to ``step`` and ``value``, and perhaps ``se`` of the value.

    Returns:
        A figure, and the frame that was drawn: ``panel``, ``step``, ``value``.
    """
    import pandas as pd
    from matplotlib.figure import Figure

    n_columns = min(len(panels), 3)
    n_rows = -(-len(panels) // n_columns)
    figure = Figure(figsize=(3.4 * n_columns, 2.5 * n_rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(n_rows, n_columns)).ravel()
    for ax in axes[len(panels) :]:
        ax.axis("off")
    for ax, (title, curve) in zip(axes, panels.items(), strict=False):
        step, value = np.asarray(curve["step"]), np.asarray(curve["value"], dtype=float)
        if "se" in curve:
            se = np.nan_to_num(np.asarray(curve["se"], dtype=float))
            ax.fill_between(step, value - se, value + se, color=GREY, alpha=0.25, lw=0)
        ax.plot(step, value, color=ORANGE if "held-out" in title else BLUE, lw=1.4)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("step", fontsize=9)
    rows = [
        {"panel": title, "step": s, "value": v}
        for title, curve in panels.items()
        for s, v in zip(curve["step"], curve["value"], strict=True)
    ]
    return figure, pd.DataFrame(rows, columns=["panel", "step", "value"])
