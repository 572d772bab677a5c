"""The posterior graph as a drawing: the line shows adjacency, the heads show direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from aetia.plots.axes import GREY, new_axes
from aetia.plots.layered_layout import arc, bend_around, fitted_layout, layered_layout
from aetia.plots.pair_line import draw_pair

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_graph"]


def plot_graph(
    probabilities: Float[np.ndarray, "d d"],
    names: Sequence[str],
    *,
    threshold: float = 0.1,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw one line for each pair of variables; legible up to about 30 variables.

    The line is wider and darker the more probable it is that the two are adjacent. Each end has a
    head for the direction that points there, larger and darker the more probable it is: two heads
    of the same size mean that the direction is open.

    Args:
        probabilities: Edge probabilities.
        names: Column names.
        threshold: Leave out pairs that are less probably adjacent.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame of pairs that was drawn: ``source``, ``target``, ``probability``
        of the more probable direction, ``reverse_probability``, ``adjacent``.
    """
    d = len(names)
    frame, pairs = _pairs(probabilities, names, threshold)
    position, inches = fitted_layout(layered_layout(probabilities, threshold))
    at = position * inches
    bends = [bend_around(at, a, b) for a, b in pairs]
    curves = [arc(at[a], at[b], bend) for (a, b), bend in zip(pairs, bends, strict=True)]
    low, high = _extent(np.concatenate([at, *curves]))
    ax = new_axes(ax, tuple(np.maximum(high - low, [4.0, 1.6]).tolist()))
    boxes = _draw_names(ax, at, names, 10 if d <= 12 else 9 if d <= 20 else 8)
    for (a, b), bend in list(zip(pairs, bends, strict=True))[::-1]:  # strong edges on top
        heads = float(probabilities[b, a]), float(probabilities[a, b])
        draw_pair(ax, (tuple(at[a]), tuple(at[b])), (boxes[a], boxes[b]), heads, bend=bend)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    ax.set_aspect("equal")
    ax.axis("off")
    return ax, frame


def _extent(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of what is drawn, with room for half a box."""
    margin = np.array([0.85, 0.3])
    return points.min(0) - margin, points.max(0) + margin


def _pairs(
    probabilities: np.ndarray, names: Sequence[str], threshold: float
) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """List the pairs to draw, those most probably adjacent first, the likelier cause first."""
    import pandas as pd

    adjacent = np.minimum(probabilities + probabilities.T, 1.0)
    i, j = np.nonzero(np.triu(adjacent >= max(threshold, 1e-12), 1))
    turned = probabilities[i, j] < probabilities[j, i]
    a, b = np.where(turned, j, i), np.where(turned, i, j)
    order = np.argsort(-adjacent[a, b], kind="stable")
    a, b = a[order], b[order]
    frame = pd.DataFrame(
        {
            "source": [names[k] for k in a.tolist()],
            "target": [names[k] for k in b.tolist()],
            "probability": probabilities[a, b],
            "reverse_probability": probabilities[b, a],
            "adjacent": adjacent[a, b],
        }
    )
    return frame, list(zip(a.tolist(), b.tolist(), strict=True))


def _draw_names(ax: Axes, position: np.ndarray, names: Sequence[str], font: float) -> list[Any]:
    return [
        ax.text(
            float(position[k, 0]),
            float(position[k, 1]),
            name if len(name) <= 18 else name[:16] + "…",
            ha="center",
            va="center",
            fontsize=font,
            zorder=4,
            bbox={"boxstyle": "round,pad=0.35", "fc": "white", "ec": GREY, "lw": 0.9},
        ).get_bbox_patch()
        for k, name in enumerate(names)
    ]
