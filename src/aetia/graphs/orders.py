"""Acyclicity tests, topological orders and reachability, batched over graphs."""

from __future__ import annotations

from jaxtyping import Bool, Int64
from torch import Tensor

from aetia.errors import InputError

__all__ = ["is_acyclic", "on_cycle", "topological_order", "transitive_closure"]


def transitive_closure(graphs: Bool[Tensor, "*batch d d"]) -> Bool[Tensor, "*batch d d"]:
    """Find which variables reach which along at least one edge.

    Args:
        graphs: Hard adjacency matrices.

    Returns:
        ``closure[..., i, j]`` is True when a directed path of length 1 or more leads
        from i to j; the diagonal is True exactly for variables on a cycle.
    """
    reach = graphs
    for _ in range(max(graphs.shape[-1] - 1, 1).bit_length()):
        walks = reach.float() @ reach.float()
        reach = reach | (walks > 0)
    return reach


def on_cycle(graphs: Bool[Tensor, "*batch d d"]) -> Bool[Tensor, "*batch d"]:
    """Mark the variables that lie on a directed cycle.

    Args:
        graphs: Hard adjacency matrices.

    Returns:
        True where the variable reaches itself.
    """
    return transitive_closure(graphs).diagonal(dim1=-2, dim2=-1)


def is_acyclic(graphs: Bool[Tensor, "*batch d d"]) -> Bool[Tensor, "*batch"]:
    """Test whether each graph is a DAG.

    Args:
        graphs: Hard adjacency matrices.

    Returns:
        True for graphs without a directed cycle.
    """
    return ~on_cycle(graphs).any(-1)


def topological_order(graphs: Bool[Tensor, "*batch d d"]) -> Int64[Tensor, "*batch d"]:
    """Sort the variables so that causes come before effects.

    Args:
        graphs: Hard adjacency matrices.

    Returns:
        ``order[..., k]`` is the k-th variable; ties are broken by index.

    Raises:
        InputError: If any graph has a directed cycle.
    """
    closure = transitive_closure(graphs)
    if closure.diagonal(dim1=-2, dim2=-1).any():
        raise InputError("topological_order needs acyclic graphs; keep only `posterior.dags()`.")
    # An ancestor always has strictly fewer ancestors than its descendants.
    return closure.sum(-2).argsort(dim=-1, stable=True)
