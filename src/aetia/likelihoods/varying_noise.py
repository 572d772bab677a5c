r"""The additive model with noise whose variance may depend on the parents, as a wider model.

Each variable and parent set has local evidence :math:`s_j + \log \tfrac12 (1 + e^{V_j})`, with
:math:`s_j` that of :class:`~aetia.likelihoods.additive.Additive` and :math:`V_j` of
:mod:`aetia.likelihoods.variance_test`. Its log evidence over all graphs less that of the additive
model is V, without the error of a finite number of draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.additive import Additive
from aetia.likelihoods.local_scores import LocalScores
from aetia.likelihoods.variance_test import SplineTable

__all__ = ["VaryingNoise", "VaryingNoiseScores"]


@dataclass(frozen=True, kw_only=True)
class VaryingNoise:
    """Options of the wider model: noise variances that may depend on the parents.

    It finds such noise, but its directions are not better than those of the block score, so it is
    a test and not a likelihood to report graphs with.

    Attributes:
        additive: The model of the means.
        max_parents: Variances of larger parent sets are held constant; 2 are enough to find noise
            that varies with one cause, and keep the number of regressions small.
    """

    additive: Additive = field(default_factory=Additive)
    max_parents: int = 2
    name = "varying-noise"
    kinds = ("continuous", "count", "binary")
    scaling = "standardise"

    def __post_init__(self) -> None:
        if self.max_parents < 1:
            raise InputError(
                f"VaryingNoise: max_parents must be at least 1, got {self.max_parents!r}."
            )

    def local_scores(self, data: Dataset) -> VaryingNoiseScores:
        """Bind to a table.

        Args:
            data: Complete, standardised columns.

        Returns:
            Scores of the additive model plus those of the variances.
        """
        means = self.additive.local_scores(data)
        columns = SplineTable(data, self.additive.n_columns)
        return VaryingNoiseScores(means, columns, self.max_parents)


class VaryingNoiseScores:
    """Tables of the wider model."""

    def __init__(self, means: LocalScores, columns: SplineTable, max_parents: int) -> None:
        """Join both parts.

        Args:
            means: Scores of the additive model.
            columns: The table that the residuals come from.
            max_parents: Largest set whose variance may vary.
        """
        self.means = means
        self.columns = columns
        self.max_parents = max_parents
        self.empty = means.empty

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Score every subset of the candidates of each variable, relative to the empty set.

        Args:
            candidates: Possible parents of each variable.
            max_parents: Sets with more parents score minus infinity.

        Returns:
            Log mean of the evidences with constant and with varying noise.
        """
        d, k = candidates.shape
        # Sets that are too large have constant noise: half of the evidence.
        out = self.means.tables(candidates, max_parents) - math.log(2.0)
        position = _small_subsets(k, min(self.max_parents, max_parents))
        holds = ((position.unsqueeze(1) >> torch.arange(k)) & 1).bool()
        for j in range(d):
            sets = torch.zeros(len(position), d, dtype=torch.bool)
            sets[:, candidates[j]] = holds
            out[j, position] += self.columns.log_mean_gain(j, sets) + math.log(2.0)
        out[:, 0] = 0.0  # free of rounding
        return out


def _small_subsets(k: int, largest: int) -> Int64[Tensor, " m"]:
    """List the bits of the subsets of k elements with at most ``largest`` of them."""
    bits = torch.zeros(1, dtype=torch.int64)
    sizes = torch.zeros(1, dtype=torch.int64)
    for b in range(k):
        room = sizes < largest
        bits = torch.cat([bits, bits[room] | (1 << b)])
        sizes = torch.cat([sizes, sizes[room] + 1])
    return bits
