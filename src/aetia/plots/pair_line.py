"""The line between two variables: adjacency is its width, direction its heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aetia.plots.axes import BLUE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_pair"]

_LEAST_HEAD = 0.05  # less probable directions get no head


def draw_pair(
    ax: Axes,
    ends: tuple[Any, Any],
    boxes: tuple[Any, Any],
    heads: tuple[float, float],
    *,
    bend: float = 0.0,
    colour: str = BLUE,
    solid: bool = True,
) -> None:
    """Draw a line and a head at each end.

    Args:
        ax: Where to draw.
        ends: Positions of the two variables.
        boxes: Their boxes, at whose border the line ends.
        heads: Probability of the direction that points at each of them.
        bend: Curvature, seen from the first.
        colour: Full shade, of probability 1.
        solid: False makes a thin dashed line.
    """
    from matplotlib.patches import FancyArrowPatch

    adjacent = min(sum(heads), 1.0)
    lengths = [0.5 * _head_scale(p) if p >= _LEAST_HEAD else 0.0 for p in heads]
    ax.add_patch(
        FancyArrowPatch(
            ends[0],
            ends[1],
            patchA=boxes[0],
            patchB=boxes[1],
            arrowstyle="-",
            connectionstyle=f"arc3,rad={bend}",
            lw=0.6 + 2.4 * adjacent if solid else 0.9,
            linestyle=(0, ()) if solid else (0, (3, 3)),
            color=_shade(colour, adjacent),
            # The line stops inside its head, which may be paler than the line.
            shrinkA=2 + 0.8 * lengths[0],
            shrinkB=2 + 0.8 * lengths[1],
            capstyle="butt",
            zorder=1 + adjacent + solid,
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
                color=_shade(colour, p),
                shrinkA=2,
                shrinkB=2,
                zorder=1 + adjacent + solid,
                clip_on=False,
            )
        )


def _head_scale(p: float) -> float:
    return 9 + 13 * p


def _shade(colour: str, p: float) -> tuple[float, float, float]:
    """Mix the colour with white: unlike transparency, overlaps do not look more probable."""
    from matplotlib.colors import to_rgb

    strength = 0.25 + 0.75 * p
    red, green, blue = (1 - strength * (1 - c) for c in to_rgb(colour))
    return red, green, blue
