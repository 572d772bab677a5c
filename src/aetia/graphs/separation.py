"""d-separation: which conditional independences a DAG implies."""

from __future__ import annotations

from collections.abc import Iterable

import networkx as nx
from jaxtyping import Bool
from torch import Tensor

__all__ = ["d_separated"]


def d_separated(
    graph: Bool[Tensor, "d d"], a: Iterable[int], b: Iterable[int], given: Iterable[int] = ()
) -> bool:
    """Test whether the sets ``a`` and ``b`` are d-separated by ``given`` (Pearl, 2009).

    Args:
        graph: One DAG.
        a: Indices of variables.
        b: Indices of variables.
        given: Indices of the variables conditioned on.

    Returns:
        True when every path between the two sets is blocked.
    """
    dag = nx.from_numpy_array(graph.cpu().numpy(), create_using=nx.DiGraph)
    return bool(nx.is_d_separator(dag, set(a), set(b), set(given)))
