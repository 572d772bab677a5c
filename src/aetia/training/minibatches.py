"""Passes over rows in random order, as batches of row numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from aetia.randomness import torch_generator

__all__ = ["minibatches"]


def minibatches(n: int, size: int, seed: int) -> Callable[[int], Iterator[Tensor]]:
    """Split all rows into minibatches, in a new order for each pass.

    Args:
        n: Number of rows.
        size: Rows of a minibatch; rows that are left over at the end of a pass, too few for one
            more, are dropped from that pass.
        seed: Seed of the orders.

    Returns:
        ``batches(k)`` iterates over row numbers from batch k on.
    """
    size = min(size, n)
    per_pass = n // size

    def batches(first: int) -> Iterator[Tensor]:
        k, of_pass, order = first, -1, torch.empty(0)
        while True:
            if k // per_pass != of_pass:
                of_pass = k // per_pass
                shuffle = torch_generator(np.random.SeedSequence([seed, of_pass]))
                order = torch.randperm(n, generator=shuffle)
            at = (k % per_pass) * size
            yield order[at : at + size]
            k += 1

    return batches
