"""Where to put the nodes of a graph: causes to the left of effects."""

from __future__ import annotations

import shutil
import subprocess

import networkx as nx
import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from aetia.graphs import greedy_dag

__all__ = ["arc", "bend_around", "fitted_layout", "layered_layout", "strongest_dag"]

_ACROSS, _BESIDE, _DOWN = 1.9, 2.0, 0.85  # inches between layers, columns and rows
_NARROW = 3.0  # inches between the first and the last layer that fit everywhere
_HALF_BOX = (0.62, 0.2)  # inches, with some air
_BENDS = (0.0, 0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.45, -0.45)  # the first of equals is taken


def layered_layout(
    probabilities: Float[np.ndarray, "d d"], threshold: float
) -> Float[np.ndarray, "d 2"]:
    """Place causes to the left of effects.

    Uses Graphviz when its ``dot`` is installed; otherwise layers by the longest path in the
    strongest acyclic part of the graph, ordered within layers to reduce crossings.

    Args:
        probabilities: Edge probabilities.
        threshold: Pairs that are less probably adjacent do not count.

    Returns:
        Coordinates, one unit between layers.
    """
    d = len(probabilities)
    adjacent = probabilities + probabilities.T
    # The likelier direction of a pair comes first; the other then closes a cycle.
    rank = np.lexsort((-probabilities.ravel(), -adjacent.ravel()))
    graph = strongest_dag((adjacent >= max(threshold, 1e-12)) & ~np.eye(d, dtype=bool), rank)
    placed = _by_graphviz(graph)
    return placed if placed is not None else _by_layers(graph)


def strongest_dag(edges: Bool[np.ndarray, "d d"], rank: Int[np.ndarray, " n"]) -> nx.DiGraph:
    """Make a graph of the edges that close no cycle with those before them in a ranking.

    Args:
        edges: Edges to choose from.
        rank: Positions in the flattened matrix, the strongest edge first.

    Returns:
        An acyclic graph; its edges are in the order of the ranking.
    """
    d = len(edges)
    priority = torch.zeros(d * d, dtype=torch.float64)
    priority[torch.from_numpy(rank)] = torch.arange(d * d, 0, -1).double()
    dag = greedy_dag(torch.from_numpy(edges), priority.reshape(d, d)).numpy().ravel()
    graph = nx.DiGraph()
    graph.add_nodes_from(range(d))
    graph.add_edges_from(divmod(int(flat), d) for flat in rank if dag[flat])
    return graph


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
            # Shifting odd layers by part of a row keeps long edges off the boxes between.
            position[n] = x, -(height[n] - (len(layer) - 1) / 2) + 0.35 * (x % 2)
    return position


def fitted_layout(
    position: Float[np.ndarray, "d 2"],
) -> tuple[Float[np.ndarray, "d 2"], Float[np.ndarray, " 2"]]:
    """Turn a layout that is much wider than high: causes then stand above their effects.

    A narrow drawing can be read on a telephone too, where a wide one would be made small.

    Args:
        position: Coordinates of the nodes, as :func:`layered_layout` gives them.

    Returns:
        Coordinates, and inches per unit in both directions.
    """
    x, y = position.T
    across, beside = np.ptp(x) * _ACROSS, np.ptp(y) * _BESIDE
    if across <= _NARROW or beside > 0.6 * across:
        return position, np.array([_ACROSS, _DOWN])
    return np.column_stack([-y, -x]), np.array([_BESIDE, _DOWN])


def bend_around(inches: Float[np.ndarray, "d 2"], a: int, b: int) -> float:
    """Bend an edge that would run straight through the boxes of other nodes.

    Args:
        inches: Positions of the nodes.
        a: Node where the edge begins.
        b: Node where it ends.

    Returns:
        Curvature for ``arc3``: the least bent of those of which boxes hide least.
    """
    others = np.delete(inches, [a, b], axis=0)
    hidden = [_hidden(arc(inches[a], inches[b], bend), others) for bend in _BENDS]
    return _BENDS[int(np.argmin(hidden))]


def arc(
    start: Float[np.ndarray, " 2"], end: Float[np.ndarray, " 2"], bend: float
) -> Float[np.ndarray, "n 2"]:
    """Trace the curve that matplotlib draws for ``arc3``.

    Args:
        start: Where it begins.
        end: Where it ends.
        bend: Curvature.

    Returns:
        Points along the curve.
    """
    t = np.linspace(0.0, 1.0, 41)[:, None]
    x, y = end - start
    middle = (start + end) / 2 + bend * np.array([y, -x])
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end


def _hidden(curve: np.ndarray, centres: np.ndarray) -> int:
    """Count the points of a curve that lie in boxes."""
    near = np.abs(curve[:, None] - centres[None]) < _HALF_BOX
    return int(near.all(-1).any(-1).sum())
