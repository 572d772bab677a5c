"""From graphs with cycles to acyclic ones: two ways, both from a priority of the edges.

:func:`greedy_dag` adds edges from the highest priority down, unless they close a cycle with those
already in; :func:`without_cycles` removes, again and again, the edge of lowest priority that lies
on a cycle. The two differ: an edge may lie on a cycle only with edges that are themselves left
out, and then the second removes it all the same. With distinct priorities the first keeps every
edge that the second keeps. Ties are broken in the order of rows, then columns.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.graphs.orders import is_acyclic, transitive_closure

__all__ = ["greedy_dag", "without_cycles"]


def greedy_dag(
    graphs: Bool[Tensor, "*batch d d"], priority: Float[Tensor, "d d"]
) -> Bool[Tensor, "*batch d d"]:
    """Add edges from the highest priority down, leaving out those that would close a cycle.

    Args:
        graphs: Hard adjacency matrices, which may have cycles and self-loops.
        priority: Priority of each edge; of equal ones the first in the order of rows enters first.

    Returns:
        Acyclic graphs; edges that lie on no cycle are all kept. The cost is ``O(d^2)`` for each
        edge that lies on a cycle in some graph.

    Example:
        >>> both = torch.tensor([[False, True], [True, False]])
        >>> greedy_dag(both, torch.tensor([[0.0, 0.3], [0.6, 0.0]])).int().tolist()
        [[0, 0], [1, 0]]
    """
    d = graphs.shape[-1]
    flat = graphs.reshape(-1, d, d)
    on_cycle = flat & transitive_closure(flat).mT  # i -> j lies on a cycle when j reaches i
    kept = flat & ~on_cycle
    # Only edges between nodes of one strongly connected part can close a cycle with each other.
    reach = torch.eye(d, dtype=torch.bool, device=graphs.device).expand(flat.shape).clone()
    candidates = on_cycle.any(0).nonzero()
    strength = priority[candidates[:, 0], candidates[:, 1]]
    for i, j in candidates[strength.argsort(descending=True, stable=True)].tolist():
        add = on_cycle[:, i, j] & ~reach[:, j, i]
        kept[:, i, j] |= add
        # Whatever reaches i now reaches whatever j reaches.
        reach |= add[:, None, None] & reach[:, :, i, None] & reach[:, None, j, :]
    return kept.reshape(graphs.shape)


def without_cycles(
    graph: Bool[Tensor, "d d"],
    priority: Float[Tensor, "d d"],
    held: Bool[Tensor, "d d"],
) -> Bool[Tensor, "d d"]:
    """Remove the edge of lowest priority that lies on a cycle until there is no cycle.

    Args:
        graph: A hard adjacency matrix.
        priority: Priority of each edge; of equal ones the first in the order of rows goes first.
        held: Edges that must stay; they are acyclic among themselves.

    Returns:
        An acyclic graph that holds every edge of ``held`` that ``graph`` holds.
    """
    graph = graph.clone(memory_format=torch.contiguous_format)
    while not bool(is_acyclic(graph)):
        on_cycle = graph & transitive_closure(graph).mT & ~held
        weakest = torch.where(on_cycle, priority, torch.inf).argmin()
        graph.view(-1)[weakest] = False
    return graph
