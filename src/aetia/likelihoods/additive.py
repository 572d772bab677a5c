r"""Nonlinear additive likelihoods: effects of parents add up, noise is Gaussian and constant.

.. math:: x_j = \mu_j + \sum_{i \in Pa_j} f_{ij}(x_i) + \sigma_j \varepsilon_j .

Three versions differ in the scale of x and in the functions that they hold likely; all average,
where they can, over a linear and a nonlinear model for each variable and parent set, so that a
linear truth costs log 2 and no more. Directions come from the residuals. If the noise is *not*
additive and constant, these likelihoods give wrong directions with great confidence:
:mod:`aetia.likelihoods.variance_test` is the guard.

Rows in which a variable was set by intervention do not enter its own score. Splines and ranks are
computed on all rows: they describe the variable as a parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.basis_scores import (
    AveragedScores,
    BasisScores,
    ridge_scores,
    zellner_scores,
)
from aetia.likelihoods.bge import BGe
from aetia.likelihoods.column_bases import normal_scores, rank_cosines, spline_columns
from aetia.likelihoods.column_codes import check_columns
from aetia.options import check_literals, check_positive

__all__ = ["Additive", "NormalScores", "RankBasis", "on_normal_scores"]

_REMEDY = "likelihood='block' takes columns of any kind."


@dataclass(frozen=True, kw_only=True)
class Additive:
    """Options of the average of BGe and additive splines.

    Attributes:
        n_columns: Spline columns of a parent; the first is linear. More columns follow rougher
            functions and cost each parent more evidence. 4 suits 100 to 10,000 rows.
        g: Variance of the weights under Zellner's prior, in rows: ``"n"`` makes the prior worth
            one row. A larger number favours fewer parents.
        alpha_mu: Option of the BGe part.
        max_parents: Parent sets above this size are scored by the linear part alone.
    """

    n_columns: int = 4
    g: float | Literal["n"] = "n"
    alpha_mu: float = 0.1
    max_parents: int = 5
    name = "additive"
    kinds = ("continuous", "count", "binary")
    scaling = "standardise"
    """The spline part does not change with the units, the BGe part does."""

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "alpha_mu")
        if self.g != "n":
            check_positive(self, "g")
        _check_counts(self, "n_columns", "max_parents")

    def local_scores(self, data: Dataset) -> AveragedScores:
        """Bind to a table.

        Args:
            data: Complete, standardised columns.

        Returns:
            Log mean of both evidences.
        """
        check_columns(data, self.kinds, self.name, _REMEDY)
        return _linear_and_spline(data, self)


@dataclass(frozen=True, kw_only=True)
class NormalScores:
    """Options of the same average on normal scores of every column.

    The columns are taken as monotone functions of variables with additive effects. Outliers and
    skewed columns do less harm than on the scale of the table.

    Attributes:
        n_columns: Spline columns of a parent; the first is linear.
        g: Variance of the weights under Zellner's prior, in rows.
        alpha_mu: Option of the BGe part.
        max_parents: Parent sets above this size are scored by the linear part alone.
    """

    n_columns: int = 4
    g: float | Literal["n"] = "n"
    alpha_mu: float = 0.1
    max_parents: int = 5
    name = "normal-scores"
    kinds = ("continuous", "count", "binary")
    scaling = "standardise"

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "alpha_mu")
        if self.g != "n":
            check_positive(self, "g")
        _check_counts(self, "n_columns", "max_parents")

    def local_scores(self, data: Dataset) -> AveragedScores:
        """Bind to a table.

        Args:
            data: Complete columns in any scale.

        Returns:
            Log mean of both evidences.
        """
        check_columns(data, self.kinds, self.name, _REMEDY)
        return _linear_and_spline(on_normal_scores(data), self)


@dataclass(frozen=True, kw_only=True)
class RankBasis:
    """Options of rough additive functions of ranks.

    The response is a normal score; each parent enters by its normal score and cosines of its
    rank, whose weights fall as those of a Brownian function. It finds effects that are far from
    smooth, which splines miss.

    Attributes:
        n_columns: Columns of a parent: the normal score and ``n_columns - 1`` cosines.
        variances: Prior variances of the weights, in units of the noise variance; the evidence
            is averaged over them. Larger values expect stronger effects.
        max_parents: Larger parent sets are ruled out.
    """

    n_columns: int = 8
    variances: Sequence[float] = (0.03, 0.3)
    max_parents: int = 5
    name = "rank-basis"
    kinds = ("continuous", "count", "binary")
    scaling = "standardise"

    def __post_init__(self) -> None:
        _check_counts(self, "n_columns", "max_parents")
        object.__setattr__(self, "variances", tuple(self.variances))
        if not self.variances or not all(v > 0 for v in self.variances):
            raise InputError(
                f"RankBasis: variances must be numbers larger than 0, got {self.variances!r}."
            )

    def local_scores(self, data: Dataset) -> BasisScores:
        """Bind to a table.

        Args:
            data: Complete columns in any scale.

        Returns:
            Log mean of the evidence over the variances.
        """
        check_columns(data, self.kinds, self.name, _REMEDY)
        x = torch.from_numpy(data.values).double()
        features = [rank_cosines(column, self.n_columns) for column in x.unbind(1)]
        score = partial(ridge_scores, variances=self.variances)
        return BasisScores(features, normal_scores(x), data.intervened, score, self.max_parents)


def on_normal_scores(data: Dataset) -> Dataset:
    """Replace every column by its normal scores.

    Args:
        data: A complete table.

    Returns:
        The table on which :class:`NormalScores` works.
    """
    return replace(data, values=normal_scores(torch.from_numpy(data.values)).numpy())


def _linear_and_spline(data: Dataset, options: Additive | NormalScores) -> AveragedScores:
    x = torch.from_numpy(data.values).double()
    features = [spline_columns(column, options.n_columns) for column in x.unbind(1)]
    score = partial(zellner_scores, g=None if options.g == "n" else float(options.g))
    spline = BasisScores(features, x, data.intervened, score, options.max_parents)
    linear = BGe(alpha_mu=options.alpha_mu).local_scores(data)
    return AveragedScores([linear, spline], linear.empty)


def _check_counts(options: Additive | NormalScores | RankBasis, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(
                f"{type(options).__name__}: {name} must be a whole number of at least 1, "
                f"got {value!r}."
            )
