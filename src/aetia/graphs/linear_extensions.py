r"""Exact numbers of linear extensions: how many topological orders a DAG has.

A sampler over orders meets each DAG once for every order that is compatible with it, so the
weight 1 / L(G) turns its draws into draws of graphs. Counting is hard in general and easy for the
posets that occur: unrelated parts of a poset interleave freely, which gives a multinomial
coefficient, and an element that is comparable to all others has one place only. Splitting and
removing until nothing changes solves forests completely (the hook length formula); what is left
is counted part by part, by dynamic programming over its down-sets.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int8
from torch import Tensor

from aetia.graphs.distinct import row_codes
from aetia.graphs.orders import transitive_closure

__all__ = ["log_linear_extensions"]

_POSETS_AT_ONCE = 4096


def log_linear_extensions(graphs: Bool[Tensor, "s d d"]) -> Float[Tensor, " s"]:
    """Count the topological orders of each DAG, exactly.

    Args:
        graphs: Acyclic adjacency matrices of at most 62 variables.

    Returns:
        Log of the number of orders, in float64.

    Example:
        >>> chain_and_loner = torch.tensor([[[0, 1, 0], [0, 0, 0], [0, 0, 0]]]).bool()
        >>> float(log_linear_extensions(chain_and_loner).exp().round())
        3.0
    """
    closure = transitive_closure(graphs)
    related = closure | closure.mT
    s, d = graphs.shape[:2]
    part = torch.zeros(s, d, dtype=torch.int8)  # a label is an index below 62
    alive = torch.ones(s, d, dtype=torch.bool)
    log_count = torch.zeros(s, dtype=torch.float64)
    while True:
        before = _log_factorials(part, alive)
        part = _connected_parts(related, part, alive)
        log_count += before - _log_factorials(part, alive)
        together = (part.unsqueeze(-1) == part.unsqueeze(-2)) & alive.unsqueeze(-2)
        n_related = (related & together).sum(-1)
        fixed = alive & (n_related == together.sum(-1) - 1)
        if not fixed.any():
            break
        alive &= ~fixed
    return log_count + _count_parts(closure, part, alive)


def _connected_parts(
    related: Bool[Tensor, "s d d"], part: Int8[Tensor, "s d"], alive: Bool[Tensor, "s d"]
) -> Int8[Tensor, "s d"]:
    """Label each element by the smallest index in its connected part of its present part."""
    linked = related & (part.unsqueeze(-1) == part.unsqueeze(-2))
    linked = linked & alive.unsqueeze(-1) & alive.unsqueeze(-2)
    itself = torch.eye(part.shape[-1], dtype=torch.bool)
    return (transitive_closure(linked) | itself).to(torch.int8).argmax(-1).to(torch.int8)


def _log_factorials(part: Tensor, alive: Tensor) -> Float[Tensor, " s"]:
    """Sum the log factorials of the sizes of the parts."""
    sizes = torch.zeros(part.shape, dtype=torch.float64)
    sizes.scatter_add_(-1, part.long(), alive.double())
    return torch.lgamma(sizes + 1).sum(-1)


def _count_parts(closure: Tensor, part: Tensor, alive: Tensor) -> Float[Tensor, " s"]:
    """Sum the log numbers of extensions of the parts that could not be split."""
    s, d = part.shape
    total = torch.zeros(s, dtype=torch.float64)
    members = (part.unsqueeze(-2) == torch.arange(d).unsqueeze(-1)) & alive.unsqueeze(-2)
    graph, label = (members.sum(-1) > 0).nonzero(as_tuple=True)
    if not len(graph):
        return total
    members = members[graph, label]  # [parts, d]
    sizes = members.sum(-1)
    for size in sizes.unique().tolist():
        rows = (sizes == size).nonzero().flatten()
        inside = members[rows].nonzero()[:, 1].view(len(rows), size)
        own = closure[graph[rows, None, None], inside[:, :, None], inside[:, None, :]]
        counts = _log_extensions_of_posets(own)
        total.index_add_(0, graph[rows], counts)
    return total


def _log_extensions_of_posets(posets: Bool[Tensor, "p m m"]) -> Float[Tensor, " p"]:
    """Count the extensions of posets of one size, each distinct one once."""
    m = posets.shape[-1]
    below = posets.mT.long() @ (1 << torch.arange(m))
    code = row_codes(below, m)
    first = np.unique(code.numpy(), return_index=True)[1]
    chunks = np.array_split(below[first].numpy(), -(-len(first) // _POSETS_AT_ONCE))
    counts = np.concatenate([_count_down_sets(chunk) for chunk in chunks])
    return torch.from_numpy(np.log(counts))[code]


def _count_down_sets(below: np.ndarray) -> np.ndarray:
    """Count paths from the empty to the full down-set, level by level, for many posets at once.

    ``below[p, j]`` holds the bits of the elements below j in poset p.
    """
    n, m = below.shape
    owner, down_set, count = np.arange(n), np.zeros(n, dtype=np.int64), np.ones(n)
    for _ in range(m):
        owners, sets, counts = [], [], []
        for j in range(m):
            under = below[owner, j]
            can = ((down_set >> j) & 1 == 0) & (under & ~down_set == 0)
            owners.append(owner[can])
            sets.append(down_set[can] | (1 << j))
            counts.append(count[can])
        key = (np.concatenate(owners) << m) | np.concatenate(sets)
        key, inverse = np.unique(key, return_inverse=True)
        count = np.bincount(inverse, weights=np.concatenate(counts))
        owner, down_set = key >> m, key & ((1 << m) - 1)
    return count
