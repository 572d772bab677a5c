r"""The conditional Gaussian likelihood of mixed tables (Lauritzen & Wermuth, 1989).

A continuous variable has a linear regression on its continuous parents in every cell of its
discrete parents, with the conjugate prior :math:`b \mid v \sim N(0, v/k_0\, I)` (intercept
included) and :math:`v \sim \text{InvGamma}(\nu_0/2, \nu_0 v_0/2)`, so that a cell of n rows adds

.. math::
    -\tfrac n2 \log\pi + \tfrac p2 \log k_0 - \tfrac12 \log|k_0 I + F^\top F|
    + \log\Gamma\tfrac{\nu_0 + n}{2} - \log\Gamma\tfrac{\nu_0}{2}
    + \tfrac{\nu_0}{2} \log \nu_0 v_0 - \tfrac{\nu_0 + n}{2} \log(\nu_0 v_0 + RSS),

where F are the p regressors and RSS is the penalised residual sum of squares. A discrete variable
has discrete parents only, scored by BDeu; continuous parents of it score minus infinity. That
restriction makes directions between kinds an assumption and not a finding, so this likelihood is
chosen by name and never by default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.likelihoods.column_codes import check_columns, column_codes
from aetia.likelihoods.discrete import BDeu
from aetia.likelihoods.row_groups import rows_of_variables
from aetia.likelihoods.schur_walk import scatter_subsets, schur_walk
from aetia.likelihoods.subsets import subset_products, subset_totals
from aetia.options import check_positive

__all__ = ["ConditionalGaussian", "ConditionalGaussianScores", "cell_evidence"]

_STATES_PER_ROW = 4
"""As for discrete variables: larger sets of discrete parents are not scored."""
_BATCH = 1 << 22
"""Numbers in the last stage of the walk over the regressors of a batch of cells."""
_REMEDY = "Use likelihood='block', which takes counts, or declare them continuous."


@dataclass(frozen=True, kw_only=True)
class ConditionalGaussian:
    """Options of the conditional Gaussian likelihood.

    Sets of discrete parents with more than 4 combinations of levels for each row score minus
    infinity.

    Attributes:
        prior_df: Degrees of freedom of the noise variance's prior, in rows.
        prior_variance: Noise variance that the prior expects, in standardised units.
        prior_precision: Precision of the weights and the intercept, in units of one row;
            smaller values expect larger effects.
        equivalent_sample_size: Rows that the prior of discrete variables is worth.
    """

    prior_df: float = 3.0
    prior_variance: float = 1.0
    prior_precision: float = 1.0
    equivalent_sample_size: float = 1.0
    name = "conditional-gaussian"
    kinds = ("continuous", "binary", "categorical")
    scaling = "standardise"

    def __post_init__(self) -> None:
        check_positive(
            self, "prior_df", "prior_variance", "prior_precision", "equivalent_sample_size"
        )

    def local_scores(self, data: Dataset) -> ConditionalGaussianScores:
        """Bind the likelihood to a table.

        Args:
            data: A complete table, its continuous columns standardised.

        Returns:
            The scores of all parent sets.
        """
        check_columns(data, self.kinds, self.name, _REMEDY)
        return ConditionalGaussianScores(self, data)


class ConditionalGaussianScores:
    """The conditional Gaussian likelihood bound to data."""

    empty: Float[Tensor, " d"]

    def __init__(self, options: ConditionalGaussian, data: Dataset) -> None:
        self.options = options
        self.values = torch.from_numpy(data.values).double()
        self.discrete = [j for j in range(data.d) if data.kinds[j] != "continuous"]
        codes = column_codes(data, self.discrete)
        self.codes = np.zeros((data.n, data.d), dtype=np.int64)
        self.codes[:, self.discrete] = codes.codes
        self.levels = np.ones(data.d, dtype=np.int64)
        self.levels[self.discrete] = codes.levels
        bdeu = BDeu(equivalent_sample_size=options.equivalent_sample_size)
        part = data.select([data.names[j] for j in self.discrete])
        self.discrete_scores = bdeu.local_scores(part) if self.discrete else None
        self.rows = [np.arange(0)] * data.d
        for rows, nodes in rows_of_variables(self.codes.shape, data.intervened):
            for j in nodes:
                self.rows[j] = rows
        self.empty = torch.zeros(data.d, dtype=torch.float64)
        for j in range(data.d):
            if j not in self.discrete:
                self.empty[j] = self._regressions(j, [], [], 0)[0, 0]
        if self.discrete_scores is not None:
            self.empty[self.discrete] = self.discrete_scores.empty

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
        coded = [[b for b in range(k) if i[b] in self.discrete] for i in candidates.tolist()]
        parents = [candidates[j, coded[j]].tolist() for j in range(d)]
        of_discrete = self._discrete_tables(parents, max_parents)
        for j in range(d):
            coded_bits = torch.from_numpy(subset_totals(1 << np.array(coded[j], dtype=np.int64)))
            if j in of_discrete:
                out[j, coded_bits] = of_discrete[j]
                continue
            numeric = [b for b in range(k) if b not in coded[j]]
            bits = torch.from_numpy(subset_totals(1 << np.array(numeric, dtype=np.int64)))
            table = self._regressions(j, parents[j], candidates[j, numeric].tolist(), max_parents)
            out[j, coded_bits[:, None] | bits] = table - table[0, 0]
        return out

    def _discrete_tables(
        self, parents: list[list[int]], max_parents: int
    ) -> dict[int, Float[Tensor, " sets"]]:
        """Score the subsets of the discrete candidates of every discrete variable."""
        if self.discrete_scores is None:
            return {}
        place = {column: i for i, column in enumerate(self.discrete)}
        within = [[place[i] for i in parents[j]] for j in self.discrete]
        tables = self.discrete_scores.ragged_tables(within, max_parents)
        return dict(zip(self.discrete, tables, strict=True))

    def _regressions(
        self, j: int, coded: list[int], numeric: list[int], max_parents: int
    ) -> Float[Tensor, "coded_sets numeric_sets"]:
        """Score every pair of a subset of discrete and a subset of continuous candidates."""
        rows = self.rows[j]
        x = self.values[torch.from_numpy(rows)][:, [*numeric, j]]
        out = torch.full((1 << len(coded), 1 << len(numeric)), -torch.inf, dtype=torch.float64)
        n_coded = subset_totals(np.ones(len(coded), dtype=np.int64))
        states = subset_products(self.levels[coded])
        for m in range(1 << len(coded)):
            if n_coded[m] > max_parents or states[m] > _STATES_PER_ROW * len(self.values):
                continue
            members = [i for b, i in enumerate(coded) if m >> b & 1]
            cells = np.zeros(len(rows), dtype=np.int64)
            for i in members:
                cells = cells * self.levels[i] + self.codes[rows, i]
            out[m] = self._sum_over_cells(x, cells, max_parents - int(n_coded[m]))
        return out

    def _sum_over_cells(
        self, x: Float[Tensor, "n c"], cells: Int64[np.ndarray, " n"], max_parents: int
    ) -> Float[Tensor, " sets"]:
        """Add the evidence of the cells that some row has; empty cells have evidence 1."""
        k = x.shape[1] - 1
        found, which = np.unique(cells, return_inverse=True)
        small = torch.from_numpy(subset_totals(np.ones(k, dtype=np.int64)) <= max_parents)
        total = torch.zeros(1 << k, dtype=torch.float64).masked_fill(~small, -torch.inf)
        design = torch.cat([x.new_ones(len(x), 1), x], dim=1)
        order = torch.from_numpy(np.argsort(which, kind="stable"))
        counts = torch.from_numpy(np.bincount(which, minlength=len(found)))
        step = max(1, _BATCH >> (k + 2))
        ends = counts.cumsum(0)
        for at in range(0, len(found), step):
            chosen = slice(at, at + step)
            first = int(ends[at] - counts[at])
            rows = design[order[first : int(ends[chosen][-1])]]
            parts = rows.split(counts[chosen].tolist())
            gram = torch.stack([part.mT @ part for part in parts])
            total = total + cell_evidence(gram, counts[chosen], self.options, max_parents).sum(0)
        return total


def cell_evidence(
    gram: Float[Tensor, "cells c c"],
    counts: Int64[Tensor, " cells"],
    options: ConditionalGaussian,
    max_parents: int,
) -> Float[Tensor, "cells sets"]:
    """Compute the log evidence of regressions on every subset of the regressors.

    Args:
        gram: Sums of products of 1, the k continuous candidates and the response, in each cell.
        counts: Rows of each cell.
        options: The priors.
        max_parents: Subsets with more regressors are minus infinity.

    Returns:
        Log evidence of each cell and subset.
    """
    k = gram.shape[-1] - 2
    k0, df, scale = (
        options.prior_precision,
        options.prior_df,
        options.prior_df * options.prior_variance,
    )
    prior = torch.full((k + 2,), k0, dtype=torch.float64)
    prior[-1] = scale
    matrix = gram + torch.diag(prior)
    # The intercept is in every regression: eliminate it before the walk.
    lead = matrix[:, 0, 0]
    rest = matrix[:, 1:, 1:] - matrix[:, 1:, :1] * matrix[:, :1, 1:] / lead[:, None, None]
    walk = schur_walk(rest, [1] * k, max_parents)
    n = counts.double()[:, None]
    evidence = (
        -0.5 * n * math.log(math.pi)
        + 0.5 * (walk.sizes + 1).double() * math.log(k0)
        - 0.5 * (walk.log_det + lead.log()[:, None])
        + torch.lgamma(0.5 * (df + n))
        - math.lgamma(0.5 * df)
        + 0.5 * df * math.log(scale)
        - 0.5 * (df + n) * walk.rest[..., 0, 0].log()
    )
    return scatter_subsets(evidence, walk.subsets, k)
