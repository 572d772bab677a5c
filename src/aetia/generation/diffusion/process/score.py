r"""The conditional score of a population of draws (De Bortoli et al., 2025, eqs. 12 to 14).

.. math:: \ell = \frac{1}{m} \sum_j \rho(\hat x_j, x_0)
          - \frac{\lambda}{2} \frac{1}{m (m - 1)} \sum_{j \neq k} \rho(\hat x_j, \hat x_k)

Both sums are U-statistics: the score is unbiased for every m of at least 2. With
:math:`\lambda = 1` it is proper; below, the best population is too narrow.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.generation.diffusion.process.distances import Distance

__all__ = ["ScoreTerms", "score_terms", "squared_distance"]


class ScoreTerms(NamedTuple):
    """The two terms of the score of each row."""

    confinement: Float[Tensor, "*rows"]
    """Mean distance of draws and truth."""
    interaction: Float[Tensor, "*rows"]
    """Mean distance of pairs of draws; zero for a single one."""

    def score(self, weight: float | Tensor = 1.0) -> Float[Tensor, "*rows"]:
        """Put them together.

        Args:
            weight: lambda.

        Returns:
            The score; lower is better.
        """
        return self.confinement - 0.5 * weight * self.interaction


def squared_distance(
    a: Float[Tensor, "*#rows d"],
    b: Float[Tensor, "*#rows d"],
    share: Float[Tensor, "*#rows d"] | None = None,
) -> Float[Tensor, "*out"]:
    """Compute squared distances by subtraction; products would lose the digits of close pairs.

    Args:
        a: Points.
        b: Points; both broadcast.
        share: Weight of each coordinate; None for 1.

    Returns:
        Squared distances.
    """
    squares = (a - b).square()
    return squares.sum(-1) if share is None else (squares * share).sum(-1)


def score_terms(
    distance: Distance,
    draws: Float[Tensor, "*rows m d"],
    target: Float[Tensor, "*rows d"],
    share: Float[Tensor, "*rows d"] | None = None,
    t: Float[Tensor, "*rows"] | None = None,
) -> ScoreTerms:
    """Compare a population with the truth and with itself.

    Args:
        distance: Function of squared Euclidean distances.
        draws: The population of each row.
        target: Its truth.
        share: Weight of each coordinate in the squared distance; None for 1.
        t: Time of each row, for distances that change with it.

    Returns:
        Both terms.
    """
    weight = None if share is None else share[..., None, :]
    at = None if t is None else t[..., None]
    confinement = distance(squared_distance(draws, target[..., None, :], weight), at).mean(-1)
    m = draws.shape[-2]
    if m < 2:
        return ScoreTerms(confinement, torch.zeros_like(confinement))
    # Every pair once, by slices: gathering with index tensors is slow to differentiate.
    gaps = torch.cat([draws[..., k:, :] - draws[..., : m - k, :] for k in range(1, m)], -2)
    squares = gaps.square() if weight is None else gaps.square() * weight
    return ScoreTerms(confinement, distance(squares.sum(-1), at).mean(-1))
