"""Markov equivalence: skeletons, v-structures and completed partially directed graphs."""

from __future__ import annotations

from jaxtyping import Bool
from torch import Tensor

from aetia.errors import InputError
from aetia.graphs.orders import is_acyclic

__all__ = ["cpdag", "markov_equivalent", "skeleton", "v_structures"]


def skeleton(graphs: Bool[Tensor, "*batch d d"]) -> Bool[Tensor, "*batch d d"]:
    """Forget the directions of the edges.

    Args:
        graphs: Hard adjacency matrices.

    Returns:
        The symmetric adjacency.
    """
    return graphs | graphs.mT


def v_structures(graphs: Bool[Tensor, "*batch d d"]) -> Bool[Tensor, "*batch d d d"]:
    """Find the unshielded colliders a -> c <- b with a and b not adjacent.

    Args:
        graphs: Hard adjacency matrices of DAGs.

    Returns:
        ``out[..., a, b, c]``, symmetric in a and b.
    """
    d = graphs.shape[-1]
    into = graphs.unsqueeze(-2) & graphs.unsqueeze(-3)  # a -> c and b -> c
    apart = ~skeleton(graphs)
    apart = apart & ~apart.new_ones(d).diag()
    return into & apart.unsqueeze(-1)


def cpdag(graphs: Bool[Tensor, "*batch d d"]) -> Bool[Tensor, "*batch d d"]:
    """Complete each DAG to the graph of its Markov equivalence class.

    Directs the v-structures, then applies the first three rules of Meek (1995) until nothing
    changes; without background knowledge the fourth rule never applies.

    Args:
        graphs: Hard adjacency matrices of DAGs.

    Returns:
        ``out[i, j]`` and ``out[j, i]`` both True mean an undirected edge i - j; only
        ``out[i, j]`` means that every DAG of the class has i -> j.

    Raises:
        InputError: If a graph has a directed cycle, which has no equivalence class.
    """
    if not is_acyclic(graphs).all():
        raise InputError("cpdag needs acyclic graphs; keep only `posterior.dags()`.")
    adjacent = skeleton(graphs)
    directed = graphs & v_structures(graphs).any(-2)
    while True:
        undirected = adjacent & ~directed & ~directed.mT
        new = undirected & (
            _chain_to_apart(directed, adjacent)
            | _two_step_path(directed)
            | _two_kites(directed, undirected, adjacent)
        )
        if not new.any():
            return directed | undirected
        directed = directed | new


def _chain_to_apart(directed: Tensor, adjacent: Tensor) -> Tensor:
    """Rule 1: a -> b - c with a, c apart gives b -> c."""
    apart = ~adjacent  # the diagonal is harmless: a = c would make b - c directed already
    return (directed.mT.float() @ apart.float()) > 0


def _two_step_path(directed: Tensor) -> Tensor:
    """Rule 2: a -> b -> c with a - c gives a -> c."""
    return (directed.float() @ directed.float()) > 0


def _two_kites(directed: Tensor, undirected: Tensor, adjacent: Tensor) -> Tensor:
    """Rule 3: a - b -> c, a - e -> c, with b, e apart and a - c, gives a -> c."""
    d = directed.shape[-1]
    apart = ~adjacent & ~adjacent.new_ones(d).diag()
    legs = undirected.unsqueeze(-1) & directed.unsqueeze(-3)  # [a, b, c]: a - b -> c
    flat = legs.transpose(-2, -1).float()  # [a, c, b]
    return ((flat @ apart.unsqueeze(-3).float()) * flat).sum(-1) > 0


def markov_equivalent(
    first: Bool[Tensor, "*batch d d"], second: Bool[Tensor, "*batch d d"]
) -> Bool[Tensor, "*batch"]:
    """Test whether two DAGs imply the same conditional independences (Verma & Pearl, 1990).

    Args:
        first: DAGs.
        second: DAGs, of the same shape.

    Returns:
        True where skeletons and v-structures agree.
    """
    same_skeleton = (skeleton(first) == skeleton(second)).flatten(-2).all(-1)
    same_colliders = (v_structures(first) == v_structures(second)).flatten(-3).all(-1)
    return same_skeleton & same_colliders
