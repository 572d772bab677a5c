"""Remembered scores of parent sets, so that no set is scored twice."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["ParentSetScores"]

_WORD = 24  # bits that a float32 product of zeros and ones adds up exactly
_MIX = -7046029254386353131  # odd 64-bit constant (golden ratio), wraps around


class ParentSetScores:
    """A sorted table from (variable, parent set) to score, filled on demand.

    Keys are exact up to 48 variables. Above, they are 64-bit hashes: among k distinct sets two
    share a key with probability below k^2 / 2^64, or 6e-8 for a million.
    """

    def __init__(
        self,
        d: int,
        score: Callable[[Tensor, Tensor], Tensor],
        *,
        max_entries: int = 4_000_000,
    ) -> None:
        self.d = d
        self.score = score
        self.max_entries = max_entries
        self.n_scored = 0
        self._keys = torch.empty(0, dtype=torch.int64)
        self._scores = torch.empty(0, dtype=torch.float64)
        n_words = -(-d // _WORD)
        self._bits = torch.zeros(n_words, d)
        for i in range(d):
            self._bits[i // _WORD, i] = float(2 ** (i % _WORD))

    def __call__(self, graphs: Bool[Tensor, "*batch d d"]) -> Float[Tensor, "*batch d"]:
        """Score every variable of every graph.

        Args:
            graphs: Hard adjacency matrices.

        Returns:
            Scores in float64.
        """
        keys = self.keys(graphs)
        flat = keys.flatten()
        if self._keys.device != flat.device:
            self._keys, self._scores = self._keys.to(flat.device), self._scores.to(flat.device)
        at = self._find(flat)
        missing = (
            self._keys[at] != flat if len(self._keys) else torch.ones_like(flat, dtype=torch.bool)
        )
        if missing.any():
            self._add(graphs, flat, missing)
            at = self._find(flat)
        return self._scores[at].view(keys.shape)

    def keys(self, graphs: Bool[Tensor, "*batch d d"]) -> Int64[Tensor, "*batch d"]:
        """Encode each variable with its parent set as one integer.

        Args:
            graphs: Hard adjacency matrices.

        Returns:
            Keys, equal exactly when variable and parent set are (see the class).
        """
        if self._bits.device != graphs.device:
            self._bits = self._bits.to(graphs.device)
        words = (self._bits @ graphs.float()).long()  # [..., word, j]
        node = torch.arange(self.d, device=graphs.device)
        if len(self._bits) == 1:
            return words[..., 0, :] * 64 + node
        if len(self._bits) == 2:
            return (words[..., 1, :] * 2**_WORD + words[..., 0, :]) * 64 + node
        key = node * _MIX
        for k in range(len(self._bits)):
            key = (key ^ words[..., k, :]) * _MIX
            key = key ^ (key >> 29)
        return key

    def _find(self, keys: Tensor) -> Tensor:
        return torch.searchsorted(self._keys, keys).clamp_max(max(len(self._keys) - 1, 0))

    def _add(self, graphs: Tensor, keys: Tensor, missing: Tensor) -> None:
        if len(self._keys) + int(missing.sum()) > self.max_entries:
            # Start over, but keep what this very call needs.
            self._keys, self._scores = self._keys[:0], self._scores[:0]
            missing = torch.ones_like(missing)
        where = missing.nonzero().flatten()
        new, inverse = keys[where].unique(return_inverse=True)
        first = torch.empty_like(new).scatter_(0, inverse, where)  # any occurrence will do
        node = first % self.d
        parents = graphs.reshape(-1, self.d, self.d)[first // self.d, :, node]
        scores = self.score(parents, node)
        self.n_scored += len(new)
        all_keys = torch.cat([self._keys, new])
        all_scores = torch.cat([self._scores, scores])
        order = all_keys.argsort()
        self._keys, self._scores = all_keys[order], all_scores[order]
