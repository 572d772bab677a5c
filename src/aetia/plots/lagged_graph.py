"""The graph of a time series on a circle: edges within the step, and from earlier steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float

from aetia.plots.axes import BLUE, GREY, ORANGE, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["circle_order", "plot_lagged_graph"]


def plot_lagged_graph(
    by_lag: Float[np.ndarray, "m d d"],
    names: Sequence[str],
    *,
    lags: Sequence[int] | None = None,
    threshold: float = 0.1,
    chosen: Bool[np.ndarray, "m d d"] | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw edges between different variables; legible up to about 20 variables.

    Variables stand on a circle in the order of :func:`circle_order`, so that drawings of several
    lags can be compared. Edges within the step are blue, lagged ones orange; width is probability.

    Args:
        by_lag: Edge probabilities within the step, at lag 1, 2, ...
        names: Column names.
        lags: Which lags to draw; None draws all.
        threshold: Leave out edges of smaller probability, unless they are chosen.
        chosen: Edges of the graph in force; the others are dashed. None takes all as chosen.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame of edges that was drawn.
    """
    import pandas as pd

    d = len(names)
    ax = new_axes(ax, (4.7, 4.2) if d <= 12 else (7.2, 6.4))
    at = _on_circle(circle_order(by_lag.max(0)))
    shown = (by_lag >= max(threshold, 1e-12)) & ~np.eye(d, dtype=bool)
    if chosen is not None:
        shown |= chosen & ~np.eye(d, dtype=bool)
    wanted = list(range(len(by_lag)) if lags is None else lags)
    shown[[lag for lag in range(len(by_lag)) if lag not in wanted]] = False
    lag, i, j = np.nonzero(shown)
    solid = np.ones(len(lag), dtype=bool) if chosen is None else chosen[lag, i, j]
    frame = pd.DataFrame(
        {
            "source": [names[k] for k in i.tolist()],
            "target": [names[k] for k in j.tolist()],
            "lag": lag,
            "probability": by_lag[lag, i, j],
            "chosen": solid,
        }
    ).sort_values("probability", ascending=False, ignore_index=True)
    boxes = _draw_names(ax, at, names)
    for k in np.argsort(by_lag[lag, i, j] + solid, kind="stable"):  # strong edges on top
        a, b, tau = int(i[k]), int(j[k]), int(lag[k])
        alone = int(shown[:, a, b].sum() + shown[:, b, a].sum()) == 1
        _draw_edge(
            ax,
            (boxes[a], boxes[b]),
            (at[a], at[b]),
            float(by_lag[tau, a, b]),
            bend=0.0 if alone else 0.12 + 0.16 * wanted.index(tau),
            colour=(BLUE if tau == 0 else ORANGE) if solid[k] else GREY,
            solid=bool(solid[k]),
            label=str(tau) if max(wanted, default=0) > 1 else "",
        )
    ax.set_xlim(-1.5, 1.5)
    ax.set_ylim(-1.2, 1.15)
    ax.set_aspect("equal")
    ax.axis("off")
    _explain(ax, sorted(set(lag.tolist())))
    return ax, frame


def circle_order(probabilities: Float[np.ndarray, "d d"]) -> list[int]:
    """Order variables clockwise, causes before effects as far as the graph has no cycle.

    Args:
        probabilities: Of edges at any lag; the diagonal does not count.

    Returns:
        Positions of the variables, the one at the top first.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(probabilities)))
    for flat in np.argsort(-probabilities, axis=None, kind="stable"):
        a, b = divmod(int(flat), len(probabilities))
        if probabilities[a, b] < 0.5:
            break
        if a != b and not nx.has_path(graph, b, a):
            graph.add_edge(a, b)
    return list(nx.lexicographical_topological_sort(graph))


def _on_circle(order: Sequence[int]) -> np.ndarray:
    position = np.zeros((len(order), 2))
    for k, n in enumerate(order):
        angle = 2 * np.pi * k / len(order)
        position[n] = 1.1 * np.sin(angle), np.cos(angle)
    return position


def _draw_names(ax: Axes, at: np.ndarray, names: Sequence[str]) -> list:
    d = len(names)
    font = 9.5 if d <= 12 else 8.5
    most = 16 if d <= 12 else 12
    return [
        ax.text(
            float(at[k, 0]),
            float(at[k, 1]),
            _short(name, most),
            ha="center",
            va="center",
            fontsize=font,
            zorder=4,
            bbox={"boxstyle": "round,pad=0.3", "fc": "white", "ec": GREY, "lw": 0.9},
        ).get_bbox_patch()
        for k, name in enumerate(names)
    ]


def _short(name: str, most: int) -> str:
    """Cut the middle out: names of sensors often differ at their end only."""
    if len(name) <= most:
        return name
    tail = (most - 1) // 2
    return name[: most - 1 - tail] + "…" + name[-tail:]


def _draw_edge(
    ax: Axes,
    boxes: tuple,
    ends: tuple[np.ndarray, np.ndarray],
    p: float,
    *,
    bend: float,
    colour: str,
    solid: bool,
    label: str,
) -> None:
    from matplotlib.patches import FancyArrowPatch

    ax.add_patch(
        FancyArrowPatch(
            tuple(ends[0]),
            tuple(ends[1]),
            patchA=boxes[0],
            patchB=boxes[1],
            arrowstyle="-|>",
            mutation_scale=8 + 8 * p,
            connectionstyle=f"arc3,rad={bend}",
            lw=0.4 + 2.8 * p if solid else 0.9,
            linestyle="-" if solid else (0, (3, 3)),
            color=colour,
            alpha=0.25 + 0.7 * p if solid else 0.7,
            shrinkA=2,
            shrinkB=2,
            zorder=1 + p + solid,
            clip_on=False,
        )
    )
    if label:
        dx, dy = ends[1] - ends[0]
        x, y = (ends[0] + ends[1]) / 2 + 0.5 * bend * np.array([dy, -dx])
        ax.text(
            x,
            y,
            label,
            fontsize=7.5,
            color=colour,
            ha="center",
            va="center",
            zorder=3.5,
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "none"},
        )


def _explain(ax: Axes, lags: Sequence[int]) -> None:
    from matplotlib.lines import Line2D

    if not lags or not (lags[0] == 0 and lags[-1] > 0):
        return
    lines = [Line2D([], [], color=c, lw=2) for c in (BLUE, ORANGE)]
    ax.legend(
        lines,
        ["within the step", "from earlier steps"],
        loc="lower center",
        bbox_to_anchor=(0.5, -0.06),
        ncols=2,
        frameon=False,
        fontsize=8.5,
    )
