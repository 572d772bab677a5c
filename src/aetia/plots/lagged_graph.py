"""The graph of a time series on a circle: edges within the step, and from earlier steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float

from aetia.plots.axes import BLUE, GREY, ORANGE, new_axes
from aetia.plots.layered_layout import strongest_dag
from aetia.plots.pair_line import draw_pair

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
    lags can be compared. Edges within the step are blue, lagged ones orange; the line shows
    adjacency and its heads direction, as in :func:`aetia.plots.plot_graph`.

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
        p, back = float(by_lag[tau, a, b]), float(by_lag[0, b, a]) if tau == 0 else 0.0
        if tau == 0 and shown[0, b, a] and (back, b) > (p, a):
            continue  # the pair is drawn once, from its likelier cause
        is_solid = bool(solid[k] or (tau == 0 and chosen is not None and chosen[0, b, a]))
        within = shown[0] | shown[0].T
        alone = within[a, b] + shown[1:, a, b].sum() + shown[1:, b, a].sum() == 1
        bend = 0.0 if alone else 0.12 + 0.16 * wanted.index(tau)
        colour = (BLUE if tau == 0 else ORANGE) if is_solid else GREY
        draw_pair(
            ax,
            (tuple(at[a]), tuple(at[b])),
            (boxes[a], boxes[b]),
            # An edge that is required and was never selected still has a head.
            (back, max(p, 0.1) if solid[k] else p),
            bend=bend,
            colour=colour,
            solid=is_solid,
        )
        if max(wanted, default=0) > 1:
            _write_lag(ax, (at[a], at[b]), tau, bend=bend, colour=colour)
    ax.set_xlim(-1.5, 1.5)
    ax.set_ylim(-1.2, 1.15)
    ax.set_aspect("equal")
    ax.axis("off")
    _explain(ax, sorted(set(lag.tolist())))
    return ax, frame


def circle_order(probabilities: Float[np.ndarray, "d d"]) -> list[int]:
    """Order variables clockwise, causes before effects as far as the graph has no cycle.

    Args:
        probabilities: Probability of an edge i -> j at any lag; the diagonal does not count.

    Returns:
        Positions of the variables, the one at the top first.
    """
    edges = (probabilities >= 0.5) & ~np.eye(len(probabilities), dtype=bool)
    graph = strongest_dag(edges, np.argsort(-probabilities, axis=None, kind="stable"))
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


def _write_lag(
    ax: Axes, ends: tuple[np.ndarray, np.ndarray], lag: int, *, bend: float, colour: str
) -> None:
    dx, dy = ends[1] - ends[0]
    x, y = (ends[0] + ends[1]) / 2 + 0.5 * bend * np.array([dy, -dx])
    ax.text(
        x,
        y,
        str(lag),
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
