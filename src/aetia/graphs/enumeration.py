"""All directed acyclic graphs on a few variables, and how many there are on many."""

from __future__ import annotations

import functools
from math import comb

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from aetia.errors import InputError

__all__ = ["MAX_ENUMERATED", "all_dags", "n_dags"]

MAX_ENUMERATED = 5
"""Largest number of variables for which all DAGs are enumerated (29,281 of them)."""


@functools.lru_cache(maxsize=MAX_ENUMERATED)
def all_dags(d: int) -> Bool[Tensor, "s d d"]:
    """Enumerate every labelled DAG on d variables.

    Each graph is d bit masks of parents. Variables whose parents are all removed are removed
    in rounds; what remains after d rounds is on or below a cycle.

    Args:
        d: Number of variables, 1 to 5.

    Returns:
        All 1, 3, 25, 543 or 29,281 graphs, ordered by their bit code; the tensor is cached,
        so treat it as read-only.

    Raises:
        InputError: If d is not between 1 and 5.
    """
    if not 1 <= d <= MAX_ENUMERATED:
        raise InputError(
            f"all DAGs are enumerated for 1 to {MAX_ENUMERATED} variables, not for {d}: there are "
            f"{n_dags(d):,}. Use DiBS, or keep at most {MAX_ENUMERATED} columns."
            if d > MAX_ENUMERATED
            else f"a graph needs at least one variable, got d={d}."
        )
    codes = np.arange(1 << (d * (d - 1)), dtype=np.int32)
    parents = []
    for j in range(d):
        bits = (codes >> (j * (d - 1))) & ((1 << (d - 1)) - 1)
        below = bits & ((1 << j) - 1)
        parents.append((below | ((bits >> j) << (j + 1))).astype(np.uint8))  # skip bit j
    removed = np.zeros(len(codes), dtype=np.uint8)
    for _ in range(d):
        for j in range(d):
            removed |= ((parents[j] & ~removed) == 0).astype(np.uint8) << j
    kept = removed == (1 << d) - 1
    masks = np.stack([p[kept] for p in parents], axis=-1)  # [s, child]
    graphs = (masks[:, None, :] >> np.arange(d, dtype=np.uint8)[None, :, None]) & 1
    return torch.from_numpy(graphs.astype(bool))


def n_dags(d: int) -> int:
    """Count the labelled DAGs on d variables (Robinson, 1973).

    Args:
        d: Number of variables.

    Returns:
        The exact count, as a Python integer of any size.

    Example:
        >>> [n_dags(d) for d in range(6)]
        [1, 1, 3, 25, 543, 29281]
    """
    counts = [1]
    for n in range(1, d + 1):
        counts.append(
            sum(
                (-1) ** (k + 1) * comb(n, k) * 2 ** (k * (n - k)) * counts[n - k]
                for k in range(1, n + 1)
            )
        )
    return counts[d]
