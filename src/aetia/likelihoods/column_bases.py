r"""Columns of functions of one variable: natural cubic splines, cosines of ranks, normal scores.

Each function maps one column of a table to columns that are linear combinations of smooth (or
rough) functions of it, so that a nonlinear additive model is linear in them. All of them are
unchanged, up to the sign of odd functions, when the units of the variable change. Equal values
get equal ranks, the mean of the ranks that they share.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["mean_ranks", "normal_scores", "rank_cosines", "spline_columns"]

_OUTER = 0.02
"""Share of the values beyond each outermost knot, where the natural spline is linear."""
_COLLINEAR = 1e-6
"""A column with a smaller share of its length left, given those before it, is left out."""


def mean_ranks(values: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rank every column from 0 to n - 1; equal values share the mean of their ranks.

    Args:
        values: Columns of numbers.

    Returns:
        Ranks in float64.
    """
    out = torch.empty(values.shape, dtype=torch.float64, device=values.device)
    for j in range(values.shape[1]):
        _, which, counts = values[:, j].unique(return_inverse=True, return_counts=True)
        last = counts.cumsum(0).double()
        out[:, j] = (last - 0.5 * (counts.double() + 1.0))[which]
    return out


def normal_scores(values: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    r"""Replace every value by the normal quantile of its rank, :math:`\Phi^{-1}((r+1/2)/n)`.

    Args:
        values: Columns of numbers.

    Returns:
        Columns with mean 0 and variance 1, except that a constant column becomes 0.
    """
    z = torch.special.ndtri((mean_ranks(values) + 0.5) / len(values))
    z = z - z.mean(0)
    spread = z.std(0, correction=0)
    return z / torch.where(spread > 0, spread, 1.0)


def spline_columns(values: Float[Tensor, " n"], n_columns: int) -> Float[Tensor, "n b"]:
    """Span the natural cubic splines of one variable.

    The ``n_columns + 1`` knots are at equally spaced quantiles, the outer ones at 2 % and 98 %.
    Each column is the part of a basis function that the columns before it do not span, so the
    first is the variable itself.

    Args:
        values: One column of numbers.
        n_columns: Columns wanted. A variable with few distinct values gets fewer: one when two
            values are all it has.

    Returns:
        Centred orthogonal columns of length sqrt(n). A constant variable has none.
    """
    x = values.double()
    n = len(x)
    spread = x.std(correction=0)
    x = (x - x.mean()) / torch.where(spread > 0, spread, 1.0)
    at = torch.linspace(_OUTER, 1.0 - _OUTER, n_columns + 1, dtype=x.dtype, device=x.device)
    knots = torch.quantile(x, at).unique()
    columns = [x]
    if n_columns > 1 and len(knots) >= 3:
        hinges = (x.unsqueeze(1) - knots).clamp_min(0.0) ** 3
        curved = (hinges[:, :-1] - hinges[:, -1:]) / (knots[-1] - knots[:-1])
        columns += list((curved[:, :-1] - curved[:, -1:]).unbind(1))
    return _orthogonal(torch.stack(columns, dim=1)) * math.sqrt(n)


def rank_cosines(values: Float[Tensor, " n"], n_columns: int) -> Float[Tensor, "n b"]:
    r"""Span rough functions of the rank of one variable.

    The normal score, then :math:`\sqrt2 \cos(\pi k u) / k` for k = 2, ..., ``n_columns`` of the
    rank u in (0, 1). Independent standard normal weights make the cosines a Brownian function of
    the rank, cut off after ``n_columns`` terms.

    Args:
        values: One column of numbers.
        n_columns: Number of columns.

    Returns:
        Centred columns; their lengths carry the prior, so they must not be rescaled.
    """
    u = (mean_ranks(values.unsqueeze(1)).squeeze(1) + 0.5) / len(values)
    k = torch.arange(2, n_columns + 1, dtype=u.dtype, device=u.device)
    cosines = math.sqrt(2.0) * torch.cos(math.pi * k * u.unsqueeze(1)) / k
    columns = torch.cat([torch.special.ndtri(u).unsqueeze(1), cosines], dim=1)
    return columns - columns.mean(0)


def _orthogonal(columns: Float[Tensor, "n c"]) -> Float[Tensor, "n b"]:
    """Centre and make orthonormal from left to right, without what earlier columns span."""
    kept: list[Tensor] = []
    for column in columns.unbind(1):
        rest = column - column.mean()
        length = rest.norm()
        for _ in range(2):  # the second pass removes the rounding of the first
            for q in kept:
                rest = rest - (q @ rest) * q
        if rest.norm() > _COLLINEAR * length and length > 0:
            kept.append(rest / rest.norm())
    return torch.stack(kept, dim=1) if kept else columns.new_zeros(len(columns), 0)
