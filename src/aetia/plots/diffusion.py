"""Pictures of diffusion experiments: points in the plane, and how training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from aetia.plots.axes import BLUE, ORANGE, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_dynamics", "plot_points"]


def plot_points(
    points: Float[np.ndarray, "n 2"], *, limit: float = 8.0, ax: Axes | None = None
) -> tuple[Axes, pd.DataFrame]:
    """Draw points in the plane, on a window that does not depend on them.

    Args:
        points: Where they are.
        limit: The window reaches from minus this to this along both axes.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the points; the title counts those outside the window.
    """
    import pandas as pd

    ax = new_axes(ax, (4.8, 4.8))
    ax.scatter(points[:, 0], points[:, 1], s=3, alpha=0.4, color=BLUE, linewidths=0)
    ax.set_xlim(-limit, limit)
    ax.set_ylim(-limit, limit)
    ax.set_aspect("equal")
    n_outside = int((~(np.abs(points) <= limit).all(1)).sum())
    if n_outside:
        ax.set_title(f"{n_outside:,} of {len(points):,} points lie outside", fontsize=9)
    return ax, pd.DataFrame(points, columns=["x", "y"])


def plot_dynamics(
    history: Mapping[str, Sequence[float | None]], x: str = "step"
) -> tuple[Figure, pd.DataFrame]:
    """Draw recorded quantities, one panel for each; long ones with a running mean.

    Args:
        history: Lists of one length by name; None where nothing was measured. ``..._floor`` is a
            dashed line in the panel of its quantity.
        x: The name that is the horizontal axis.

    Returns:
        A figure, and the numbers.
    """
    import pandas as pd
    from matplotlib.figure import Figure

    frame = pd.DataFrame({k: np.asarray(v, dtype=float) for k, v in history.items()})
    measured = [k for k in history if k != x and not np.isnan(frame[k].to_numpy()).all()]
    shown = [k for k in measured if k.removesuffix("_floor") not in set(measured) - {k}]
    n_columns = max(min(len(shown), 4), 1)
    n_rows = max(-(-len(shown) // n_columns), 1)
    figure = Figure(figsize=(3.2 * n_columns, 2.5 * n_rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(n_rows, n_columns)).ravel()
    for ax in axes[len(shown) :]:
        ax.axis("off")
    for ax, name in zip(axes, shown, strict=False):
        known = ~np.isnan(frame[name].to_numpy())
        at, values = frame[x].to_numpy()[known], frame[name].to_numpy()[known]
        is_long = len(values) > 200
        marker = "" if len(values) > 30 else "o"
        ax.plot(at, values, color=BLUE, lw=0.8, marker=marker, ms=3, alpha=0.35 if is_long else 1)
        if f"{name}_floor" in measured:
            ax.plot(frame[x], frame[f"{name}_floor"], color=ORANGE, lw=1.2, ls="--")
        if is_long:
            width = len(values) // 40
            smooth = np.convolve(values, np.full(width, 1 / width), "valid")
            ax.plot(at[width - 1 :], smooth, color=ORANGE, lw=1.4)
            low, high = np.quantile(values, [0.005, 0.995])
            margin = 0.1 * (high - low) or 1.0
            ax.set_ylim(low - margin, high + margin)
        ax.set_title(name, fontsize=10)
        ax.set_xlabel(x, fontsize=9)
    return figure, frame
