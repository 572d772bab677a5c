"""Axes to draw on, without a display and without global state."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BLUE", "GREY", "ORANGE", "new_axes"]

BLUE, ORANGE, GREY = "#1f5fa8", "#d9822b", "#8a8f98"


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the given axes, or those of a new figure that pyplot does not know.

    Args:
        ax: Axes, or None.
        size: Width and height of a new figure, in inches.

    Returns:
        Axes to draw on; ``ax.figure.savefig(path)`` writes them.
    """
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained").subplots()
