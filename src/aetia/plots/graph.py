"""The posterior graph as a drawing: edge width is probability."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from jaxtyping import Float

from aetia.plots.axes import BLUE, GREY, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["layered_layout", "plot_graph"]


def plot_graph(
    probabilities: Float[np.ndarray, "d d"],
    names: Sequence[str],
    *,
    threshold: float = 0.1,
    ax: Axes | None = None,
) -> tuple[Axes, pd.DataFrame]:
    """Draw a graph, edge width and darkness by probability; legible up to about 30 variables.

    Args:
        probabilities: Edge probabilities.
        names: Column names.
        threshold: Leave out edges of smaller probability.
        ax: Where to draw; None makes a figure.

    Returns:
        The axes, and the frame of edges that was drawn.
    """
    import pandas as pd
    from matplotlib.patches import FancyArrowPatch

    d = len(names)
    i, j = np.nonzero(probabilities >= max(threshold, 1e-12))
    frame = pd.DataFrame(
        {
            "source": [names[k] for k in i.tolist()],
            "target": [names[k] for k in j.tolist()],
            "probability": probabilities[i, j],
        }
    ).sort_values("probability", ascending=False, ignore_index=True)
    position = layered_layout(probabilities, threshold)
    width = 1.9 * max(1.0, len(np.unique(position[:, 0].round(6))))
    height = 0.85 * max(2.0, max(np.bincount(_layers(position))))
    ax = new_axes(ax, (min(max(width, 5.0), 16.0), min(max(height, 3.2), 14.0)))
    font = 10 if d <= 12 else 8.5 if d <= 20 else 7
    texts = []
    for k, name in enumerate(names):
        label = name if len(name) <= 18 else name[:16] + "…"
        texts.append(
            ax.text(
                float(position[k, 0]),
                float(position[k, 1]),
                label,
                ha="center",
                va="center",
                fontsize=font,
                zorder=3,
                bbox={"boxstyle": "round,pad=0.35", "fc": "white", "ec": GREY, "lw": 0.9},
            )
        )
    by_strength = np.argsort(probabilities[i, j], kind="stable")  # strong edges on top
    for a, b in zip(i[by_strength].tolist(), j[by_strength].tolist(), strict=True):
        p = float(probabilities[a, b])
        back = probabilities[b, a] >= threshold  # both directions: bend them apart
        ax.add_patch(
            FancyArrowPatch(
                tuple(position[a]),
                tuple(position[b]),
                patchA=texts[a].get_bbox_patch(),
                patchB=texts[b].get_bbox_patch(),
                arrowstyle="-|>",
                mutation_scale=8 + 8 * p,
                connectionstyle=f"arc3,rad={0.18 if back else _bend(position, a, b)}",
                lw=0.4 + 2.8 * p,
                color=BLUE,
                alpha=0.2 + 0.75 * p,
                shrinkA=2,
                shrinkB=2,
                zorder=1 + p,
                clip_on=False,
            )
        )
    # Bent edges bulge out of the box of the nodes; leave them room.
    span = np.ptp(position, axis=0)
    for axis, low, pad in (("x", 0, 0.5 + 0.06 * span[0]), ("y", 1, 0.55 + 0.08 * span[0])):
        ends = position[:, low].min() - pad, position[:, low].max() + pad
        (ax.set_xlim if axis == "x" else ax.set_ylim)(*ends)
    ax.axis("off")
    return ax, frame


def layered_layout(
    probabilities: Float[np.ndarray, "d d"], threshold: float
) -> Float[np.ndarray, "d 2"]:
    """Place causes to the left of effects.

    Uses Graphviz when its ``dot`` is installed; otherwise layers by the longest path in the
    strongest acyclic part of the graph, ordered within layers to reduce crossings.

    Args:
        probabilities: Edge probabilities.
        threshold: Edges of smaller probability do not count.

    Returns:
        Coordinates, one unit between layers.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(probabilities)))
    strong = np.argsort(-probabilities, axis=None, kind="stable")
    for flat in strong:
        a, b = divmod(int(flat), len(probabilities))
        if probabilities[a, b] < max(threshold, 1e-12):
            break
        if a != b and not nx.has_path(graph, b, a):
            graph.add_edge(a, b)
    placed = _by_graphviz(graph)
    return placed if placed is not None else _by_layers(graph)


def _by_graphviz(graph: nx.DiGraph) -> np.ndarray | None:
    dot = shutil.which("dot")
    if dot is None:
        return None
    lines = ["digraph{rankdir=LR;nodesep=0.35;ranksep=0.9;node[shape=box,width=1.3,height=0.4];"]
    lines += [f"{n};" for n in graph.nodes] + [f"{a}->{b};" for a, b in graph.edges] + ["}"]
    try:
        done = subprocess.run(
            [dot, "-Tplain"],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    position = np.zeros((len(graph), 2))
    for line in done.stdout.splitlines():
        part = line.split()
        if part and part[0] == "node":
            position[int(part[1])] = float(part[2]) / 1.6, float(part[3]) / 0.75
    return position


def _by_layers(graph: nx.DiGraph) -> np.ndarray:
    layers = [list(layer) for layer in nx.topological_generations(graph)]
    height = {n: k for layer in layers for k, n in enumerate(layer)}
    for _ in range(4):  # barycentres of the neighbours, back and forth
        for layer in layers:
            centre = {
                n: np.mean([height[m] for m in nx.all_neighbors(graph, n)] or [height[n]])
                for n in layer
            }
            for k, n in enumerate(sorted(layer, key=lambda n: centre[n])):
                height[n] = k
    position = np.zeros((len(graph), 2))
    for x, layer in enumerate(layers):
        for n in layer:
            # Shifting odd layers by half a row keeps long edges off the boxes between.
            position[n] = x, -(height[n] - (len(layer) - 1) / 2) + 0.25 * (x % 2)
    return position


def _layers(position: np.ndarray) -> np.ndarray:
    return np.unique(position[:, 0].round(6), return_inverse=True)[1]


def _bend(position: np.ndarray, a: int, b: int) -> float:
    """Bend an edge that would run straight through another box."""
    start, end = position[a], position[b]
    length = math.dist(start, end)
    if length == 0:
        return 0.0
    along = (end - start) / length
    for k in range(len(position)):
        if k in (a, b):
            continue
        offset = position[k] - start
        t = float(offset @ along)
        across = abs(float(offset[0] * along[1] - offset[1] * along[0]))
        if 0.1 * length < t < 0.9 * length and across < 0.25:
            return 0.22
    return 0.0
