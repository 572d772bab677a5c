r"""Block BGe: the BGe score of tables in which a variable is a block of columns.

The columns of all variables are jointly Gaussian with the prior of the BGe score; inside a block
they form a complete graph. The determinants inside a block cancel, so that with D columns in all,
e = n + alpha_w - D, p columns in the blocks of S and m in the block of j,

.. math::
    s_j(S) = \sum_{k=p}^{p+m-1} c_k + \tfrac{e + p}{2} \log|R_S|
             - \tfrac{e + p + m}{2} \log|R_{S \cup j}|,

with R as in :mod:`aetia.likelihoods.bge` and

.. math::
    c_l = \tfrac12 \log\tfrac{\alpha_\mu}{n + \alpha_\mu}
      + \log\Gamma\tfrac{e + l + 1}{2} - \log\Gamma\tfrac{\alpha_w - D + l + 1}{2}
      - \tfrac n2 \log\pi + \tfrac{\alpha_w - D + 2l + 1}{2} \log t .

It is a difference of one function of a set of variables, so equivalent graphs have equal scores
and one determinant for each subset gives the tables of all variables. The score asserts
dependence and conditional independence of whatever kind the columns can express, and it never
takes a direction from the shape of residuals. That is its strength where the noise is neither
additive nor Gaussian, and on tables of mixed kinds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.column_blocks import ColumnBlocks, column_blocks
from aetia.likelihoods.column_codes import check_columns
from aetia.likelihoods.row_groups import rows_of_variables
from aetia.likelihoods.schur_walk import subset_determinants
from aetia.likelihoods.subsets import subset_totals
from aetia.options import check_positive

__all__ = ["BlockBGe", "BlockScores"]

_SHARED_VARIABLES = 20
"""Up to this many variables, one walk over all their subsets gives every table."""


@dataclass(frozen=True, kw_only=True)
class BlockBGe:
    """Options of the block BGe score, for tables of any kinds of columns.

    Attributes:
        n_columns: Columns of a continuous variable: 1 takes it as it is, 3 adds curvature by a
            spline of its normal score. Each column costs evidence, so more need more rows.
        alpha_mu: Rows that the prior mean (zero) is worth.
        alpha_w: Degrees of freedom of the Wishart prior; ``"auto"`` is D + 2 for D columns in
            all, and it must exceed D + 1.
        ordinal: Categorical columns whose levels are in order: their codes are taken as numbers.
            Other categorical columns become one block of indicators.
    """

    n_columns: int = 1
    alpha_mu: float = 0.1
    alpha_w: float | Literal["auto"] = "auto"
    ordinal: tuple[str, ...] = ()
    name = "block"
    kinds = ("continuous", "binary", "count", "categorical")
    scaling = "standardise"

    def __post_init__(self) -> None:
        check_positive(self, "n_columns", "alpha_mu", "alpha_w")
        if self.n_columns != int(self.n_columns):
            raise InputError(f"BlockBGe: n_columns must be a whole number, got {self.n_columns!r}.")

    def local_scores(self, data: Dataset) -> BlockScores:
        """Bind the score to a table.

        Args:
            data: A complete table, its continuous columns standardised.

        Returns:
            The scores of all parent sets; ``notes`` says which rare levels were merged.
        """
        check_columns(data, self.kinds, self.name, "Declare the kinds of these columns.")
        blocks = column_blocks(data, self.n_columns, ordinal=self.ordinal)
        return BlockScores(self, blocks, data.intervened)


class BlockScores:
    """Block BGe bound to data."""

    empty: Float[Tensor, " d"]

    def __init__(
        self,
        options: BlockBGe,
        blocks: ColumnBlocks,
        intervened: Bool[np.ndarray, "n d"] | None = None,
    ) -> None:
        n, width = blocks.columns.shape
        self.blocks = blocks
        self.notes = blocks.notes
        self.sizes = np.array(blocks.sizes)
        self.ends = np.cumsum(self.sizes)
        self.alpha_mu = float(options.alpha_mu)
        self.alpha_w = float(width + 2 if options.alpha_w == "auto" else options.alpha_w)
        if self.alpha_w <= width + 1:
            raise InputError(
                f"BlockBGe: alpha_w must exceed the number of columns + 1 = {width + 1} "
                f"({len(self.sizes)} variables), got {self.alpha_w:g}; 'auto' takes {width + 2}."
            )
        self.row_groups = rows_of_variables((n, len(self.sizes)), intervened)
        self.scales = [self._posterior_scale(rows) for rows, _ in self.row_groups]
        self.empty = torch.zeros(len(self.sizes), dtype=torch.float64)
        for (rows, nodes), scale in zip(self.row_groups, self.scales, strict=True):
            for j in nodes:
                own = self._columns_of([j])
                log_det = torch.logdet(scale[own][:, own])
                n_columns = torch.tensor([len(own)])
                self.empty[j] = self._set_score(len(rows), n_columns, log_det)[0]

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Score every subset of the candidates, see :class:`LocalScores`.

        Args:
            candidates: Indices of k possible parents of each variable.
            max_parents: Sets with more parents score minus infinity.

        Returns:
            Scores relative to the empty set.
        """
        d, k = candidates.shape
        out = torch.full((d, 1 << k), -torch.inf, dtype=torch.float64)
        small = subset_totals(np.ones(k, dtype=np.int64)) <= max_parents
        kept = torch.from_numpy(np.flatnonzero(small))
        for (rows, nodes), scale in zip(self.row_groups, self.scales, strict=True):
            if k == d - 1 and d <= _SHARED_VARIABLES and len(nodes) > 1:
                scores = self._all_set_scores(len(rows), scale, max_parents + 1)
                for j in nodes:
                    bits = 1 << candidates[j].numpy()
                    sets = torch.from_numpy(subset_totals(bits))[kept]
                    out[j, kept] = scores[sets | (1 << j)] - scores[sets]
            else:
                for j in nodes:
                    row = candidates[j].tolist()
                    out[j, kept] = self._table_of(j, row, len(rows), scale, max_parents)[kept]
        return out - out[:, :1]

    def _all_set_scores(
        self, n: int, scale: Float[Tensor, "c c"], max_variables: int
    ) -> Float[Tensor, " sets"]:
        log_det = subset_determinants(scale, self.blocks.sizes, max_variables)
        return self._set_score(n, torch.from_numpy(subset_totals(self.sizes)), log_det)

    def _table_of(
        self, j: int, candidates: list[int], n: int, scale: Float[Tensor, "c c"], max_parents: int
    ) -> Float[Tensor, " sets"]:
        """Score the parent sets of j by one walk without and one walk given the block of j."""
        sizes = [int(self.sizes[i]) for i in candidates]
        own, others = self._columns_of([j]), self._columns_of(candidates)
        matrix = scale[others][:, others]
        factor = torch.linalg.cholesky(scale[own][:, own])
        half = torch.linalg.solve_triangular(factor, scale[own][:, others], upper=False)
        without = subset_determinants(matrix, sizes, max_parents)
        given = subset_determinants(matrix - half.mT @ half, sizes, max_parents)
        log_det = given + 2.0 * factor.diagonal().log().sum()
        n_columns = torch.from_numpy(subset_totals(np.array(sizes, dtype=np.int64)))
        family = self._set_score(n, n_columns + len(own), log_det)
        return family - self._set_score(n, n_columns, without)

    def _set_score(
        self, n: int, n_columns: Int64[Tensor, " m"], log_det: Float[Tensor, "*m"]
    ) -> Float[Tensor, " m"]:
        """Compute the log evidence of sets of columns from their number and determinant."""
        if n == 0:
            return torch.zeros(len(n_columns), dtype=torch.float64)
        free = self.alpha_w - self.blocks.columns.shape[1]
        l = torch.arange(self.blocks.columns.shape[1], dtype=torch.float64)
        t = self.prior_scale
        terms = (
            0.5 * (math.log(self.alpha_mu) - math.log(n + self.alpha_mu))
            + torch.lgamma(0.5 * (n + free + l + 1))
            - torch.lgamma(0.5 * (free + l + 1))
            - 0.5 * n * math.log(math.pi)
            + 0.5 * (free + 2 * l + 1) * math.log(t)
        )
        sums = torch.cat([terms.new_zeros(1), terms.cumsum(0)])
        return sums[n_columns] - 0.5 * (n + free + n_columns.double()) * log_det

    @property
    def prior_scale(self) -> float:
        """The diagonal t of the prior's scale matrix."""
        width = self.blocks.columns.shape[1]
        return self.alpha_mu * (self.alpha_w - width - 1) / (self.alpha_mu + 1)

    def _posterior_scale(self, rows: Int64[np.ndarray, " r"]) -> Float[Tensor, "c c"]:
        x = self.blocks.columns[torch.from_numpy(rows)]
        prior = self.prior_scale * torch.eye(x.shape[1], dtype=torch.float64)
        if len(x) == 0:
            return prior
        mean = x.mean(0)
        centred = x - mean
        weight = len(x) * self.alpha_mu / (len(x) + self.alpha_mu)
        return prior + centred.mT @ centred + weight * torch.outer(mean, mean)

    def _columns_of(self, variables: list[int]) -> Int64[Tensor, " c"]:
        parts = [torch.arange(self.ends[i] - self.sizes[i], self.ends[i]) for i in variables]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)
