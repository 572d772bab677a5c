r"""Block BGe scores of all parent sets for many completed tables at once.

A variable is a block of columns (one for a number, r - 1 for a category with r levels), and the
columns of a block form a complete graph. With ld(S) the log determinant of the posterior scale
matrix R over the columns of the variables in S, p columns in S, m in block j, and
:math:`e = n + \alpha_w - D`, the determinants inside the block cancel:

.. math:: s_j(S) = \sum_{k<m} c_{p+k} + \tfrac{e+p}{2} ld(S) - \tfrac{e+p+m}{2} ld(S \cup j),

so one log determinant for each subset of variables gives every table. With interventions the rows
that explain a variable differ from variable to variable, and so do R and n.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from aetia.discovery.missing.subset_lattice import subset_lattice
from aetia.likelihoods.schur_walk import subset_determinants

__all__ = ["DenseBlockScores", "column_constants", "prior_scale"]


def prior_scale(alpha_mu: float, alpha_w: float, width: int) -> float:
    """Compute t of the prior scale matrix t I, so that prior and data agree in expectation.

    Args:
        alpha_mu: Rows that the prior mean is worth.
        alpha_w: Degrees of freedom of the Wishart prior.
        width: Number of columns D.

    Returns:
        ``alpha_mu (alpha_w - D - 1) / (alpha_mu + 1)``.
    """
    return alpha_mu * (alpha_w - width - 1) / (alpha_mu + 1)


class DenseBlockScores:
    """The parts of the score that do not depend on the values, for a fixed layout.

    Args:
        blocks: Number of columns of each variable.
        n_rows: Rows that explain each variable.
        group: Which matrix R belongs to each variable.
        alpha_mu: Rows that the prior mean is worth.
        alpha_w: Degrees of freedom of the Wishart prior.
    """

    def __init__(
        self,
        blocks: tuple[int, ...],
        n_rows: Float[Tensor, " d"],
        group: Int64[Tensor, " d"],
        *,
        alpha_mu: float,
        alpha_w: float,
    ) -> None:
        d, width = len(blocks), sum(blocks)
        self.blocks = blocks
        lattice = subset_lattice(d)
        columns = torch.zeros(1, dtype=torch.int64)
        for size in blocks:
            columns = torch.cat([columns, columns + size])
        own = torch.tensor(blocks).unsqueeze(-1)
        without = lattice.without_node
        with_node = without | (1 << torch.arange(d).unsqueeze(-1))
        p = columns[without]
        free = n_rows.unsqueeze(-1) + alpha_w - width + p
        constants = column_constants(n_rows, width, alpha_mu, alpha_w)
        summed = torch.cat([torch.zeros(d, 1, dtype=torch.float64), constants.cumsum(1)], dim=1)
        explained = (n_rows > 0).double().unsqueeze(-1)  # nothing seen: every set is as good
        self._constant = (summed.gather(1, p + own) - summed.gather(1, p)) * explained
        self._factor = 0.5 * free * explained
        self._factor_with = 0.5 * (free + own) * explained
        offset = group.unsqueeze(-1) << d
        self._at, self._at_with = (offset + without).view(-1), (offset + with_node).view(-1)

    def tables(self, scales: Float[Tensor, "c g w w"]) -> Float[Tensor, "d half c"]:
        """Score every parent set of every variable.

        Args:
            scales: Posterior scale matrices R of each chain, one for each group of variables.

        Returns:
            Log scores, chains last.
        """
        log_det = subset_determinants(scales, self.blocks).flatten(1).mT.contiguous()
        shape = (*self._constant.shape, len(scales))
        lower = log_det.index_select(0, self._at).view(shape)
        upper = log_det.index_select(0, self._at_with).view(shape)
        lower.mul_(self._factor.unsqueeze(-1)).add_(self._constant.unsqueeze(-1))
        return lower.sub_(upper.mul_(self._factor_with.unsqueeze(-1)))


def column_constants(
    n: Float[Tensor, " d"], width: int, alpha_mu: float, alpha_w: float
) -> Float[Tensor, "d w"]:
    """Compute the terms of BGe for a column with l = 0, 1, ... parent columns.

    Args:
        n: Rows that explain each variable.
        width: Number of columns D.
        alpha_mu: Rows that the prior mean is worth.
        alpha_w: Degrees of freedom of the Wishart prior.

    Returns:
        The part of a column's score that does not depend on the values.
    """
    l = torch.arange(width, dtype=torch.float64)
    n = n.unsqueeze(-1)
    prior = alpha_w - width + l + 1
    return (
        0.5 * (math.log(alpha_mu) - (n + alpha_mu).log())
        + torch.lgamma(0.5 * (n + prior))
        - torch.lgamma(0.5 * prior)
        - 0.5 * n * math.log(math.pi)
        + 0.5 * (prior + l) * math.log(prior_scale(alpha_mu, alpha_w, width))
    )
