"""The posterior graph as a drawing: the line shows adjacency, the heads show direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from aetia.plots.axes import BLUE, GREY, new_axes
from aetia.plots.layered_layout import arc, bend_around, fitted_layout, layered_layout

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_graph"]

_LEAST_HEAD = 0.05  # less probable directions get no head


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
        _draw_pair(ax, (tuple(at[a]), tuple(at[b])), (boxes[a], boxes[b]), heads, bend)
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
            zorder=3,
            bbox={"boxstyle": "round,pad=0.35", "fc": "white", "ec": GREY, "lw": 0.9},
        ).get_bbox_patch()
        for k, name in enumerate(names)
    ]


def _draw_pair(
    ax: Axes,
    ends: tuple[Any, Any],
    boxes: tuple[Any, Any],
    heads: tuple[float, float],
    bend: float,
) -> None:
    """Draw a line and a head at each end.

    Args:
        ax: Where to draw.
        ends: Positions of the two variables.
        boxes: Their boxes, at whose border the line ends.
        heads: Probability of the direction that points at each of them.
        bend: Curvature, seen from the first.
    """
    from matplotlib.patches import FancyArrowPatch

    adjacent = min(sum(heads), 1.0)
    lengths = [0.5 * _head_scale(p) if p >= _LEAST_HEAD else 0.0 for p in heads]
    ax.add_patch(
        FancyArrowPatch(
            *ends,
            patchA=boxes[0],
            patchB=boxes[1],
            arrowstyle="-",
            connectionstyle=f"arc3,rad={bend}",
            lw=0.6 + 2.4 * adjacent,
            color=_shade(adjacent),
            # The line stops inside its head, which may be paler than the line.
            shrinkA=2 + 0.8 * lengths[0],
            shrinkB=2 + 0.8 * lengths[1],
            capstyle="butt",
            zorder=1 + adjacent,
            clip_on=False,
        )
    )
    for at, p in enumerate(heads):
        if p < _LEAST_HEAD:
            continue
        ax.add_patch(
            FancyArrowPatch(
                ends[1 - at],
                ends[at],
                patchA=boxes[1 - at],
                patchB=boxes[at],
                arrowstyle="-|>,head_length=0.5,head_width=0.25",
                mutation_scale=_head_scale(p),
                connectionstyle=f"arc3,rad={bend if at else -bend}",
                lw=0,  # the head only
                color=_shade(p),
                shrinkA=2,
                shrinkB=2,
                zorder=1 + adjacent,
                clip_on=False,
            )
        )


def _head_scale(p: float) -> float:
    return 9 + 13 * p


def _shade(p: float) -> tuple[float, float, float]:
    """Mix the colour with white: unlike transparency, overlaps do not look more probable."""
    from matplotlib.colors import to_rgb

    strength = 0.25 + 0.75 * p
    red, green, blue = (1 - strength * (1 - c) for c in to_rgb(BLUE))
    return red, green, blue
