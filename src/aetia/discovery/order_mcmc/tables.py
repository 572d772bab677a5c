"""Everything that a chain looks up: scores of parent sets, their sums, and coins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int8, Int64
from torch import Tensor

from aetia.discovery.order_mcmc.coins import parent_coins

__all__ = ["ChainTables", "graphs_of"]


@dataclass(frozen=True, eq=False)
class ChainTables:
    """Scores of the subsets of each variable's candidate parents, prior included.

    Attributes:
        candidates: Candidate parents; bit b of a mask stands for ``candidates[j, b]``.
        sets: Log score of every set.
        sums: Log of the sum over the subsets of every set.
        coins: Probabilities that draw a set; see ``coins.py``.
        own: ``own[j, i]`` is the bit of i among the candidates of j, or -1.
        other: Its transpose.
    """

    candidates: Int64[np.ndarray, "d k"]
    sets: Float[np.ndarray, "d sets"]
    sums: Float[np.ndarray, "d sets"]
    coins: Float32[np.ndarray, "d k half"]
    own: Int8[np.ndarray, "d d"]
    other: Int8[np.ndarray, "d d"]

    @classmethod
    def of(cls, candidates: Int64[Tensor, "d k"], sets: Float[Tensor, "d sets"]) -> ChainTables:
        """Sum the scores over subsets.

        Args:
            candidates: Candidate parents of each variable.
            sets: Log scores with the prior; minus infinity for impossible sets.

        Returns:
            The tables.
        """
        d, k = candidates.shape
        sums = torch.empty_like(sets)
        coins = torch.empty(d, k, sets.shape[-1] // 2, dtype=torch.float32)
        for j in range(d):
            sums[j], coins[j] = parent_coins(sets[j])
        own = torch.full((d, d), -1, dtype=torch.int8)
        own.scatter_(1, candidates, torch.arange(k, dtype=torch.int8).expand(d, k))
        return cls(
            candidates=candidates.numpy().copy(),
            sets=sets.numpy().copy(),
            sums=sums.numpy(),
            coins=coins.numpy(),
            own=own.numpy(),
            other=own.T.contiguous().numpy(),
        )

    @property
    def d(self) -> int:
        """Number of variables."""
        return len(self.candidates)

    def log_weight(self, order: Int64[np.ndarray, " d"]) -> float:
        """Compute the log of the summed scores of all graphs that an order allows.

        Args:
            order: Variables from first to last.

        Returns:
            Minus infinity for an order that no allowed graph has.
        """
        position = np.argsort(order)
        before = position[self.candidates] < position[:, None]
        masks = (before << np.arange(self.candidates.shape[1])).sum(-1)
        return float(self.sums[np.arange(self.d), masks].sum())


def graphs_of(
    draws: Int[np.ndarray, "*batch d"], candidates: Int64[np.ndarray, "d k"]
) -> Bool[np.ndarray, "*batch d d"]:
    """Turn masks of parents into adjacency matrices.

    Args:
        draws: Parent sets, as masks over the candidates.
        candidates: Candidate parents of each variable.

    Returns:
        True at [..., i, j] for i -> j.
    """
    d, k = candidates.shape
    graphs = np.zeros((*draws.shape, d), dtype=bool)
    for b in range(k):
        graphs[..., candidates[:, b], np.arange(d)] = (draws >> b) & 1
    return graphs
