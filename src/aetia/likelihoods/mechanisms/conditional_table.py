"""A variable with levels given parents with levels: Dirichlet posteriors of each cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.likelihoods.mechanisms.random_weights import standard_gamma

__all__ = ["ConditionalTable", "DrawnTable", "fit_table", "levels_at"]


def levels_at(
    probabilities: Float[Tensor, "n k m r"], uniform: Float[Tensor, "n m"]
) -> Float[Tensor, "n k m"]:
    """Look up the level at a quantile.

    Args:
        probabilities: Probabilities of the levels.
        uniform: Quantiles, the same at every dose.

    Returns:
        Codes of the levels.
    """
    passed = uniform[:, None, :, None] > probabilities.cumsum(-1)[..., :-1]
    return passed.sum(-1).to(probabilities.dtype)


class DrawnTable(NamedTuple):
    """Draws of a conditional probability table."""

    probabilities: Float[Tensor, "n cells r"]
    strides: tuple[int, ...]

    def mean(self, parents: Float[Tensor, "n k m p"]) -> Float[Tensor, "n k m r"]:
        """Look up the probabilities of the levels.

        Args:
            parents: Codes of the parents.

        Returns:
            One probability for each level.
        """
        n, k, m, _ = parents.shape
        cell = torch.zeros(n, k, m, dtype=torch.int64)
        for i, stride in enumerate(self.strides):
            cell += parents[..., i].long() * stride
        return self.probabilities[torch.arange(n)[:, None, None], cell]

    def value(
        self, mean: Float[Tensor, "n k m r"], uniform: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n k m"]:
        """Draw levels.

        Args:
            mean: What :meth:`mean` gave.
            uniform: Quantiles of the noise.

        Returns:
            Codes of the levels.
        """
        return levels_at(mean, uniform)


@dataclass(frozen=True, eq=False)
class ConditionalTable:
    """Posterior of a conditional probability table.

    Attributes:
        concentrations: Parameters of the Dirichlet posterior of each cell of the parents.
        strides: Step of each parent's code in the number of the cell.
    """

    concentrations: Float[Tensor, "cells r"]
    strides: tuple[int, ...]

    def draw(self, n: int, generator: torch.Generator) -> DrawnTable:
        """Draw tables.

        Args:
            n: Number of draws.
            generator: Source of randomness.

        Returns:
            The drawn tables.
        """
        shape = self.concentrations.expand(n, *self.concentrations.shape)
        gamma = standard_gamma(shape, generator).clamp_min(1e-300)
        return DrawnTable(gamma / gamma.sum(-1, keepdim=True), self.strides)


def fit_table(
    codes: Float[Tensor, " n"],
    n_levels: int,
    parents: Float[Tensor, "n p"],
    parent_levels: Sequence[int],
    *,
    sample_size: float = 1.0,
) -> ConditionalTable:
    """Compute the posterior of a conditional probability table.

    Args:
        codes: Codes of the variable.
        n_levels: Number of its levels.
        parents: Codes of the parents.
        parent_levels: Number of levels of each parent.
        sample_size: Rows that the prior is worth in all, spread evenly (as in BDeu).

    Returns:
        The posterior.
    """
    strides, cells = [], 1
    for levels in parent_levels:
        strides.append(cells)
        cells *= levels
    cell = torch.zeros(len(codes), dtype=torch.int64)
    for i, stride in enumerate(strides):
        cell += parents[:, i].long() * stride
    counts = torch.bincount(cell * n_levels + codes.long(), minlength=cells * n_levels)
    prior = sample_size / (cells * n_levels)
    return ConditionalTable(counts.view(cells, n_levels).double() + prior, tuple(strides))
