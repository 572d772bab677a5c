"""How a method does on families of tasks, and how that changes with their distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from aetia.plots.axes import BLUE, GREY, ORANGE, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_families", "plot_shift"]


def plot_families(
    names: Sequence[str],
    means: Float[np.ndarray, " k"],
    errors: Float[np.ndarray, " k"],
    *,
    metric: str,
    is_shifted: Sequence[bool],
    chance: float | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw the mean of a metric for each family, with standard errors.

    Args:
        names: Names of the families.
        means: Mean of the metric on each family.
        errors: Standard errors; NaN for none.
        metric: Label of the axis.
        is_shifted: Whether the family differs from the training family; another colour.
        chance: Value of a guess, drawn as a line.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame that was drawn.
    """
    import pandas as pd

    frame = pd.DataFrame(
        {"family": list(names), "mean": means, "error": errors, "shifted": list(is_shifted)}
    )
    ax = new_axes(ax, (6.4, 0.9 + 0.34 * len(frame)))
    y = np.arange(len(frame))[::-1]
    colours = [ORANGE if s else BLUE for s in frame["shifted"]]
    ax.barh(y, frame["mean"], color=colours, alpha=0.85, height=0.7)
    ax.errorbar(
        frame["mean"], y, xerr=np.nan_to_num(frame["error"]), fmt="none", ecolor="#333", lw=1
    )
    if chance is not None:
        ax.axvline(chance, color=GREY, lw=1, ls=":")
    ax.set_yticks(y, frame["family"])
    ax.set_xlabel(f"{metric} (mean and standard error)")
    return ax, frame


def plot_shift(
    distance: Float[np.ndarray, " k"],
    change: Float[np.ndarray, " k"],
    names: Sequence[str],
    *,
    distance_label: str,
    metric: str,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw the change of a metric against the distance from the training family.

    Args:
        distance: Distance of each test family from the training family.
        change: Metric minus its mean on the training family.
        names: Names of the test families.
        distance_label: Label of the axis.
        metric: Label of the other.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame that was drawn.
    """
    import pandas as pd

    frame = pd.DataFrame({"family": list(names), "distance": distance, "change": change})
    ax = new_axes(ax, (5.4, 3.8))
    ax.axhline(0, color=GREY, lw=1, ls=":")
    ax.scatter(frame["distance"], frame["change"], color=BLUE, s=34)
    for name, x, y in zip(names, distance, change, strict=True):
        ax.annotate(
            name,
            (float(x), float(y)),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=7.5,
        )
    ax.set_xlabel(distance_label)
    ax.set_ylabel(f"change of {metric}")
    ax.margins(x=0.18, y=0.15)
    ax.set_xlim(left=0)
    ax.locator_params(axis="x", nbins=5)
    return ax, frame
