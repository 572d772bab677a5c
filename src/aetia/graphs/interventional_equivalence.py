"""What data can tell about a DAG: its Markov class, and its class when one variable is set.

Two DAGs are Markov equivalent when they share skeleton and v-structures (Verma & Pearl, 1990).
They also agree about every perfect intervention on one variable when, in addition, all edges at
that variable have the same direction in both (Hauser & Bühlmann, 2012, theorem 10, for the targets
"none" and "that variable").
"""

from __future__ import annotations

from jaxtyping import Bool, Int64
from torch import Tensor

from aetia.graphs.equivalence import skeleton

__all__ = ["equivalence_patterns", "interventional_cpdag"]


def equivalence_patterns(graphs: Bool[Tensor, "*batch d d"]) -> Bool[Tensor, "*batch d d"]:
    """Direct the edges of v-structures and leave all others undirected.

    Two DAGs have the same pattern exactly when they are Markov equivalent. The pattern costs one
    matrix product, so it is the way to group many graphs; :func:`aetia.graphs.cpdag` directs more
    edges of the same class.

    Args:
        graphs: Adjacency matrices of DAGs.

    Returns:
        ``out[i, j]`` and ``out[j, i]`` both True mean an undirected edge.
    """
    adjacent = skeleton(graphs)
    apart = ~adjacent & ~adjacent.new_ones(graphs.shape[-1]).diag()
    directed = graphs & ((apart.float() @ graphs.float()) > 0)
    return adjacent & ~directed.mT


def interventional_cpdag(
    classes: Bool[Tensor, "*batch d d"],
    graphs: Bool[Tensor, "*batch d d"],
    targets: Int64[Tensor, "*batch"],
) -> Bool[Tensor, "*batch d d"]:
    """Complete DAGs to the graphs of their classes when one variable is also set by intervention.

    The edges at the target take their direction in the DAG. Rules 1 and 2 of Meek (1995) then
    direct what follows; the undirected parts of a CPDAG are chordal and stay without
    v-structures, so the other two rules never apply.

    Args:
        classes: CPDAGs of ``graphs``.
        graphs: Adjacency matrices of DAGs.
        targets: The variable that is set, one for each graph.

    Returns:
        As ``classes``, with fewer undirected edges.
    """
    d = graphs.shape[-1]
    here = targets.unsqueeze(-1) == targets.new_tensor(range(d))
    at_target = here.unsqueeze(-1) | here.unsqueeze(-2)
    adjacent = skeleton(graphs)
    apart = (~adjacent).float()
    directed = (classes & ~classes.mT) | (graphs & at_target)
    while True:
        undirected = adjacent & ~directed & ~directed.mT
        known = directed.float()
        new = undirected & (((known.mT @ apart) > 0) | ((known @ known) > 0))
        if not new.any():
            return directed | undirected
        directed = directed | new
