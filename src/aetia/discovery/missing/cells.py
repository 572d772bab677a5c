r"""Draws of the missing cells of every row, given the mechanisms of each chain.

With :math:`A = I - B`, noise variances :math:`\omega` and intercepts a, a row has log density
:math:`-\tfrac12 \sum_k (A^\top x - a)_k^2 / \omega_k`, where mechanisms that an intervention
replaced in this row are left out. Its missing numbers M are drawn together: precision
:math:`\Lambda_{MM}` with :math:`\Lambda = A \Omega^{-1} A^\top`, and mean
:math:`\Lambda_{MM}^{-1} (A \Omega^{-1} a - \Lambda x_O)_M`. A missing category is drawn over its
levels u with probability proportional to :math:`p_u\, N(u \mid \text{rest}) / N(u)`, with shares p
drawn from their posterior on the completed column: Bayes' rule for "the rest is Gaussian given the
level". Without the division rare levels, whose indicators lie far out, would hardly ever be drawn
even where nothing depends on the category. (The division makes the sweep a pseudo-Gibbs step: the
marginal density depends on the mechanisms, whose draw does not know of it.)
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.discovery.missing.columns import Levels, Numbers, VariableColumns
from aetia.discovery.missing.mechanisms import DrawnMechanisms
from aetia.discovery.missing.small_factors import cholesky_factor, solve_lower, solve_upper

__all__ = ["CellPlan", "NominalCells", "RowGroup"]


class RowGroup(NamedTuple):
    """Rows with the same number of missing numbers and the same interventions."""

    rows: slice
    missing: Bool[Tensor, "n w"]
    patterns: Int64[Tensor, "k p"]
    """Missing columns of each distinct pattern."""
    pattern: Int64[Tensor, " n"]
    """Pattern of each row."""
    acting: Float[Tensor, " w"]
    """1 for mechanisms that no intervention replaced."""


class NominalCells(NamedTuple):
    """Missing cells of one nominal variable."""

    rows: Int64[Tensor, " n"]
    block: slice
    levels: Levels
    acting: Float[Tensor, "n w"]


class CellPlan:
    """Which cells are drawn how: everything that depends on the pattern of missing cells only.

    Args:
        columns: The table.

    Attributes:
        rows: Rows with missing cells, in the order in which they are kept.
        observed_columns: True where a column of these rows was seen.
        groups: Rows whose missing numbers are drawn together.
        nominal: Missing categories.
    """

    def __init__(self, columns: VariableColumns) -> None:
        node = columns.node
        is_number = torch.tensor([isinstance(v, Numbers) for v in columns.variables])
        missing = ~columns.observed[:, node]
        numbers = missing & is_number[node]
        acting = torch.ones_like(columns.values)
        if columns.intervened is not None:
            acting = (~columns.intervened[:, node]).double()
        some = missing.any(-1).nonzero().flatten()
        counts = numbers[some].sum(-1)
        _, regime = acting[some].unique(dim=0, return_inverse=True)
        key = regime * (missing.shape[1] + 1) + counts
        order = torch.argsort(key, stable=True)
        self.rows, key = some[order], key[order]
        self.observed_columns = ~missing[self.rows]
        self.groups: list[RowGroup] = []
        ends = (key.diff() != 0).nonzero().flatten() + 1
        edges = [0, *ends.tolist(), len(key)] if len(key) else [0]
        for start, stop in pairwise(edges):
            group = numbers[self.rows[start:stop]]
            k = int(group[0].sum())
            if k == 0:
                continue
            distinct, pattern = group.unique(dim=0, return_inverse=True)
            where = distinct.nonzero()[:, 1].view(len(distinct), k).mT.contiguous()
            self.groups.append(
                RowGroup(slice(start, stop), group, where, pattern, acting[self.rows[start]])
            )
        self.nominal: list[NominalCells] = []
        for j, variable in enumerate(columns.variables):
            rows = (~columns.observed[self.rows, j]).nonzero().flatten()
            if isinstance(variable, Levels) and len(rows):
                self.nominal.append(
                    NominalCells(rows, columns.places[j], variable, acting[self.rows[rows]])
                )

    def begin(
        self, columns: VariableColumns, n_chains: int, generator: torch.Generator
    ) -> Float[Tensor, "c m w"]:
        """Fill the missing cells independently of everything: normal numbers, frequent levels.

        Args:
            columns: The table.
            n_chains: Number of chains, each with an imputation of its own.
            generator: Source of randomness.

        Returns:
            The rows with missing cells, in the order of ``rows``.
        """
        known = columns.values[self.rows]
        shape = (n_chains, *known.shape)
        noise = torch.randn(shape, dtype=torch.float64, generator=generator)
        x = torch.where(self.observed_columns, known, noise)
        for cells in self.nominal:
            picked = torch.multinomial(
                cells.levels.counts,
                n_chains * len(cells.rows),
                replacement=True,
                generator=generator,
            )
            x[:, cells.rows, cells.block] = cells.levels.rows[picked].view(
                n_chains, len(cells.rows), -1
            )
        return x

    def redraw(
        self, x: Float[Tensor, "c m w"], mechanisms: DrawnMechanisms, generator: torch.Generator
    ) -> Float[Tensor, "c m w"]:
        """Draw all missing cells once.

        Args:
            x: Rows with missing cells, completed; changed in place.
            mechanisms: Drawn mechanisms, one set for each chain.
            generator: Source of randomness.

        Returns:
            The rows with new values.
        """
        regime, precision, linear = None, None, None
        for group in self.groups:
            if precision is None or not torch.equal(regime, group.acting):  # pyright: ignore[reportArgumentType]
                regime = group.acting
                weighted = mechanisms.structure * (regime / mechanisms.variance).unsqueeze(1)
                precision = weighted @ mechanisms.structure.mT
                linear = (weighted @ mechanisms.intercept.unsqueeze(-1))[..., 0]
            assert linear is not None
            _draw_numbers(x, group, precision, linear, generator)
        for cells in self.nominal:
            _draw_levels(x, cells, mechanisms, generator)
        return x


def _draw_numbers(
    x: Float[Tensor, "c m w"],
    group: RowGroup,
    precision: Float[Tensor, "c w w"],
    linear: Float[Tensor, "c w"],
    generator: torch.Generator,
) -> None:
    """Draw the missing numbers of each row of a group together, chains in the last axis."""
    n_chains, _, width = x.shape
    rows = x[:, group.rows]
    n, k = len(group.missing), len(group.patterns)
    known = rows.masked_fill(group.missing, 0.0)
    right = torch.baddbmm(linear.unsqueeze(1), known, precision, alpha=-1.0)
    pairs = group.patterns.unsqueeze(1) * width + group.patterns.unsqueeze(0)
    inner = precision.reshape(n_chains, -1).mT.contiguous().index_select(0, pairs.view(-1))
    factor = cholesky_factor(inner.view(k, k, -1, n_chains))
    at = torch.arange(n) * width + group.patterns[:, group.pattern]  # [k, n]
    right = right.reshape(n_chains, -1).mT.contiguous().index_select(0, at.view(-1))
    factor = factor[:, :, group.pattern]
    noise = torch.randn(k, n, n_chains, dtype=x.dtype, generator=generator)
    drawn = solve_upper(factor, solve_lower(factor, right.view(k, n, n_chains)) + noise)
    begin = group.rows.start * width
    x.view(n_chains, -1).index_copy_(1, begin + at.view(-1), drawn.view(k * n, n_chains).mT)


def _draw_levels(
    x: Float[Tensor, "c m w"],
    cells: NominalCells,
    mechanisms: DrawnMechanisms,
    generator: torch.Generator,
) -> None:
    """Draw the levels of one variable given all other cells of each row."""
    levels = cells.levels
    rows = x[:, cells.rows]
    log_share = _draw_log_shares(rows[..., cells.block], levels, generator)
    rows[..., cells.block] = 0.0
    residual = torch.baddbmm(-mechanisms.intercept.unsqueeze(1), rows, mechanisms.structure)
    per_level = levels.rows @ mechanisms.structure[:, cells.block]  # [c, r, w]
    residual = residual * cells.acting / mechanisms.variance.unsqueeze(1)
    cross = residual @ per_level.mT
    scaled = per_level.square() / mechanisms.variance.unsqueeze(1)
    own = cells.acting @ scaled.mT
    on_their_own = _log_marginals(levels, cells.block, mechanisms)
    logits = (log_share - on_their_own).unsqueeze(1) - cross - 0.5 * own
    noise = torch.empty_like(logits).exponential_(generator=generator).log_()
    x[:, cells.rows, cells.block] = levels.rows[(logits - noise).argmax(-1)]


def _draw_log_shares(
    imputed: Float[Tensor, "c n m"], levels: Levels, generator: torch.Generator
) -> Float[Tensor, "c r"]:
    """Draw the shares of the levels from their Dirichlet posterior on the completed column."""
    drawn = torch.nn.functional.one_hot(levels.nearest(imputed), len(levels.values))
    counts = levels.counts + drawn.sum(1)
    gamma = torch._standard_gamma(counts + 0.5, generator)  # pyright: ignore[reportPrivateImportUsage]
    return gamma.log() - gamma.sum(-1, keepdim=True).log()


def _log_marginals(
    levels: Levels, block: slice, mechanisms: DrawnMechanisms
) -> Float[Tensor, "c r"]:
    """Log density of every level's indicators on their own, up to a constant."""
    total = torch.linalg.inv(mechanisms.structure)  # x^T = (intercept + noise)^T total
    into = total[..., block]
    mean = (mechanisms.intercept.unsqueeze(1) @ into)[:, 0]
    covariance = into.mT @ (mechanisms.variance.unsqueeze(-1) * into)
    gap = levels.rows - mean.unsqueeze(1)
    return -0.5 * (gap * torch.linalg.solve(covariance, gap.mT).mT).sum(-1)
