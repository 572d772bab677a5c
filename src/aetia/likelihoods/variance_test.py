r"""A test of constant noise variance, as evidence over the graphs of an additive posterior.

Additive likelihoods take directions from the residuals, and are confidently wrong when the size of
the noise depends on the parents. For the residuals r of variable j on the spline columns
:math:`\Phi` of its parents S, the logarithm of a squared normal residual has variance
:math:`\pi^2 / 2` whatever its scale, so regressing :math:`\log r^2` on the same p columns, with
explained sum of squares E, under a g-prior with g = n gives

.. math::
    V_j(S) = -\tfrac p2 \log(1+n) + \frac{n}{1+n} \frac{E}{\pi^2},

the log evidence of a log-linear variance against a constant one. A model that holds both equally
likely for each variable has local evidence :math:`s_j(S) + \log \tfrac12 (1 + e^{V_j(S)})`. Its
total evidence, relative to that of the additive model, is a mean over the additive posterior,

.. math:: V = \log \operatorname{E}_{G \sim p(G \mid D)} \prod_j \tfrac12 (1 + e^{V_j(Pa_j)}),

so that draws of graphs give it (:func:`variance_evidence`, some hundredths of a second). With
finitely many draws the mean misses graphs that only the wider model finds likely: V comes out too
small, at worst by more than a hundred nats. :mod:`aetia.likelihoods.varying_noise` is
the wider model itself, whose evidence gives V without that error.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.likelihoods.column_bases import spline_columns
from aetia.likelihoods.row_groups import rows_of_variables

__all__ = ["VARIES_ABOVE", "SplineTable", "variance_evidence", "variance_gains", "variance_limit"]

VARIES_ABOVE = 20.0
"""Largest limit of V, in nats for the whole table."""
_LIMIT_OF_ONE = 5.0

_SMALLEST = 1e-4
"""Squared residuals count as at least this share of their mean: a zero has no logarithm."""
_RIDGE = 1e-9
"""Added to the correlation matrix of the columns, so that collinear ones can be factorised."""
_CELLS = 4_000_000
"""Largest number of entries of a temporary matrix."""


def variance_limit(d: int) -> float:
    """Say which V means that the noise is not additive.

    V is a sum over variables, so that small tables have a lower limit. On tables of 2 to 5
    columns with additive Gaussian noise, 2 of 720 were above it; of those with noise that varies,
    two thirds at 300 rows and 95 % at 1,000 rows (``benchmarks/likelihood_choice.py``).

    Args:
        d: Number of variables.

    Returns:
        5 nats and one for each variable, at most 20.
    """
    return min(VARIES_ABOVE, _LIMIT_OF_ONE + d)


def variance_evidence(
    data: Dataset,
    graphs: Bool[Tensor, "s d d"],
    log_weights: Float[Tensor, " s"],
    *,
    n_columns: int = 4,
    max_graphs: int = 2000,
) -> float:
    """Compute V, the evidence that noise variances depend on the parents.

    Args:
        data: Complete table, in any scale.
        graphs: Draws from the posterior under the additive likelihood.
        log_weights: Their log weights, up to a constant.
        n_columns: Spline columns of a parent.
        max_graphs: Draws to use; of more, as many are resampled by their weights.

    Returns:
        V in nats; compare with :func:`variance_limit`.
    """
    graphs, log_weights = _at_most(graphs, log_weights, max_graphs)
    columns = SplineTable(data, n_columns)
    total = torch.zeros(len(graphs), dtype=torch.float64)
    for j in range(data.d):
        sets, which = graphs[:, :, j].unique(dim=0, return_inverse=True)
        total += columns.log_mean_gain(j, sets)[which]
    return float((log_weights.log_softmax(0) + total).logsumexp(0))


class SplineTable:
    """The spline columns of a table, and how much variances vary with parent sets."""

    def __init__(self, data: Dataset, n_columns: int) -> None:
        self.values = torch.from_numpy(data.values).double()
        self.features = [spline_columns(column, n_columns) for column in self.values.unbind(1)]
        self.rows = {
            j: torch.from_numpy(rows)
            for rows, nodes in rows_of_variables(data.values.shape, data.intervened)
            for j in nodes
        }

    def log_mean_gain(self, j: int, sets: Bool[Tensor, "q d"]) -> Float[Tensor, " q"]:
        r"""Compare constant with varying noise of one variable.

        Args:
            j: The variable.
            sets: Parent sets.

        Returns:
            :math:`\log \tfrac12 (1 + e^{V_j})` of each set.
        """
        rows = self.rows[j]
        gains = variance_gains([f[rows] for f in self.features], self.values[rows, j], sets)
        return torch.logaddexp(torch.zeros_like(gains), gains) - math.log(2.0)


def variance_gains(
    features: list[Float[Tensor, "n _"]],
    response: Float[Tensor, " n"],
    sets: Bool[Tensor, "q d"],
) -> Float[Tensor, " q"]:
    """Compute V of one variable for some parent sets.

    Args:
        features: Columns that each variable contributes as a parent.
        response: The variable.
        sets: Parent sets.

    Returns:
        Log evidence of a variance that depends on the set; 0 for the empty set, and for sets that
        leave fewer than half of the rows as degrees of freedom, too few for a test.
    """
    n = len(response)
    design = _Design.of(features, response, sets)
    n_columns = design.member.sum(1)
    out = torch.zeros(len(sets), dtype=torch.float64)
    testable = (n_columns > 0) & (n_columns <= n // 2)
    for p in n_columns[testable].unique().tolist():
        rows = (testable & (n_columns == p)).nonzero().flatten()
        for chunk in rows.split(max(1, _CELLS // n)):
            explained = _explained_log_squares(design, chunk, int(p))
            out[chunk] = n / (n + 1.0) * explained / math.pi**2 - 0.5 * p * math.log1p(n)
    return out


class _Design(NamedTuple):
    """Standardised columns, the response and which columns each set holds."""

    columns: Float[Tensor, "n p"]
    correlation: Float[Tensor, "p p"]
    response: Float[Tensor, " n"]
    member: Bool[Tensor, "q p"]

    @classmethod
    def of(cls, features: list[Tensor], response: Tensor, sets: Tensor) -> _Design:
        """Centre and scale on the rows at hand."""
        columns = torch.cat(features, dim=1)
        columns = columns - columns.mean(0)
        spread = columns.std(0, correction=0)
        columns = columns / torch.where(spread > 0, spread, 1.0)
        widths = torch.tensor([f.shape[1] for f in features])
        member = sets.repeat_interleave(widths, dim=1)
        correlation = columns.mT @ columns / len(columns)
        return cls(columns, correlation, response - response.mean(), member)


def _explained_log_squares(
    design: _Design, which: Int64[Tensor, " q"], p: int
) -> Float[Tensor, " q"]:
    """Regress log squared residuals of each set on its p columns; explained sum of squares."""
    n = len(design.response)
    index = design.member[which].nonzero()[:, 1].view(len(which), p)
    gram = design.correlation[index.unsqueeze(2), index.unsqueeze(1)]
    gram = gram + _RIDGE * torch.eye(p, dtype=gram.dtype)
    factor = torch.linalg.cholesky(gram)
    cross = (design.columns.mT @ design.response / n)[index]
    weights = torch.cholesky_solve(cross.unsqueeze(2), factor).squeeze(2)
    # One product with a sparse weight matrix serves all sets.
    spread_out = weights.new_zeros(len(which), design.columns.shape[1])
    residual = design.response - spread_out.scatter_(1, index, weights) @ design.columns.mT
    square = residual.square()
    size = torch.maximum(square, _SMALLEST * square.mean(1, keepdim=True)).log()
    size = size - size.mean(1, keepdim=True)
    cross = (size @ design.columns / n).gather(1, index)
    half = torch.linalg.solve_triangular(factor, cross.unsqueeze(2), upper=False)
    return n * half.square().sum((1, 2))


def _at_most(graphs: Tensor, log_weights: Tensor, largest: int) -> tuple[Tensor, Tensor]:
    """Resample systematically, which needs no random numbers beyond the draws themselves."""
    if len(graphs) <= largest:
        return graphs, log_weights
    cumulative = log_weights.double().softmax(0).cumsum(0)
    at = (torch.arange(largest, dtype=torch.float64) + 0.5) / largest
    chosen = torch.searchsorted(cumulative, at).clamp_max(len(graphs) - 1)
    return graphs[chosen], log_weights.new_zeros(largest)
