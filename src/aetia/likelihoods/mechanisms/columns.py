r"""How a parent enters a regression: columns, and the points at which its effect is tabulated.

A continuous parent enters as a line plus a smooth function with a Gaussian process prior, expanded
in columns whose coefficients :math:`w_k \sim \mathcal N(0, \tau \sigma^2 \lambda_k)` fall with
:math:`\lambda_k`. Enough columns and a variance :math:`\tau` from the evidence keep what a few
columns could not express inside the posterior variance. Three families, measured by
``benchmarks/graph_effects.py`` with the true graph given: the cubic smoothing spline (the default),
cosines of the rank, and a few unpenalised spline columns. A parent with levels enters as
indicators. Because effects are additive, a draw of a function is a table of its values.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = [
    "DrawnCurve",
    "RegressionColumns",
    "cosine_columns",
    "level_columns",
    "smoothing_columns",
    "spline_columns",
]

_MAX_POINTS = 160
_VAGUE = 100.0
"""Prior variance of a linear term in units of the noise variance: next to no shrinkage."""


class RegressionColumns(NamedTuple):
    """A parent as columns of a regression."""

    points: Float[Tensor, " g"]
    """Values of the parent at which its effect is tabulated, ascending."""
    at_rows: Float[Tensor, "n p"]
    at_points: Float[Tensor, "g p"]
    variances: Float[Tensor, " p"]
    """Prior variance of each coefficient in units of the noise variance."""
    is_smooth: Bool[Tensor, " p"]
    """Columns whose variance is multiplied by tau, which the evidence weighs."""
    has_levels: bool
    """Whether values are codes of levels, between which nothing is interpolated."""

    def of_rows(self, rows: Bool[Tensor, " n"]) -> RegressionColumns:
        """Keep some rows and centre every column over them.

        Args:
            rows: Rows to keep.

        Returns:
            Columns with mean zero over the rows kept.
        """
        kept = self.at_rows[rows]
        mean = kept.mean(0)
        return self._replace(at_rows=kept - mean, at_points=self.at_points - mean)


class DrawnCurve(NamedTuple):
    """Draws of the effect of one parent, as tables."""

    points: Float[Tensor, " g"]
    table: Float[Tensor, "n g"]
    has_levels: bool

    def at(self, x: Float[Tensor, "n k m"]) -> Float[Tensor, "n k m"]:
        """Evaluate each drawn curve.

        Args:
            x: Values of the parent.

        Returns:
            The effects: interpolated linearly between points and continued beyond the outermost
            two; of levels looked up.
        """
        flat = x.reshape(len(x), -1).contiguous()
        if self.has_levels or len(self.points) == 1:
            place = flat.long().clamp(0, len(self.points) - 1)
            return self.table.gather(1, place).view(x.shape)
        right = torch.searchsorted(self.points, flat).clamp(1, len(self.points) - 1)
        left_point = self.points[right - 1]
        share = (flat - left_point) / (self.points[right] - left_point)
        left = self.table.gather(1, right - 1)
        return (left + share * (self.table.gather(1, right) - left)).view(x.shape)


def cosine_columns(
    x: Float[Tensor, " n"], *, n_cosines: int = 12, decay: float = 2.0
) -> RegressionColumns:
    r"""Build a line and cosines of the rank :math:`u \in (0, 1)`, :math:`\sqrt 2 \cos(\pi k u)`.

    Decay 1 is a Brownian function of the rank, 2 a smoother one.

    Args:
        x: Values of the parent.
        n_cosines: Number of cosines, fewer where the parent has few distinct values.
        decay: The standard deviation of the k-th coefficient falls as k to the minus this.

    Returns:
        A linear column, whose coefficient is hardly shrunk, and the cosines.
    """
    distinct, place, counts = x.unique(return_inverse=True, return_counts=True)
    counts = counts.double()
    middle = (counts.cumsum(0) - counts / 2) / len(x)
    points = _tabulated(distinct)
    n_cosines = max(0, min(n_cosines, len(distinct) - 2))
    k = torch.arange(1, n_cosines + 1, dtype=torch.float64)
    centre, scale = x.mean(), x.std(correction=0)

    def columns(value: Tensor, rank: Tensor) -> Tensor:
        cosines = math.sqrt(2.0) * (math.pi * rank.unsqueeze(-1) * k).cos()
        return torch.cat([((value - centre) / scale).unsqueeze(-1), cosines], -1)

    return RegressionColumns(
        points=points,
        at_rows=columns(x, middle[place]),
        at_points=columns(points, _interpolate(distinct, middle, points)),
        variances=torch.cat([torch.tensor([_VAGUE], dtype=torch.float64), k.pow(-2 * decay)]),
        is_smooth=torch.arange(n_cosines + 1) > 0,
        has_levels=False,
    )


def smoothing_columns(x: Float[Tensor, " n"], *, n_columns: int = 12) -> RegressionColumns:
    r"""Build the columns of a cubic smoothing spline (Wahba, 1978).

    The departure from a straight line is an integrated Wiener process, with covariance
    :math:`k(s, t) = m^2 (3 M - m) / 6` for :math:`m = \min(s, t), M = \max(s, t)` measured from
    the smallest value. Its leading eigenfunctions over the values seen, straight lines projected
    out, are the columns; their eigenvalues, which fall as the fourth power, the variances.

    Args:
        x: Values of the parent.
        n_columns: Number of eigenfunctions, fewer where the parent has few distinct values.

    Returns:
        A linear column, whose coefficient is hardly shrunk, and the eigenfunctions.
    """
    distinct = x.unique()
    points = _tabulated(distinct)
    centre, scale = x.mean(), x.std(correction=0)
    z = (points - centre) / scale
    shifted = z - z[0]
    low, high = torch.minimum(shifted[:, None], shifted), torch.maximum(shifted[:, None], shifted)
    covariance = low.square() * (3 * high - low) / 6
    line = torch.linalg.qr(torch.stack([torch.ones_like(z), z], -1)).Q
    curved = covariance - line @ (line.mT @ covariance)
    curved = curved - (curved @ line) @ line.mT
    n_columns = max(0, min(n_columns, len(points) - 2))
    values, vectors = torch.linalg.eigh((curved + curved.mT) / 2)
    keep = torch.arange(len(points) - 1, len(points) - 1 - n_columns, -1)
    at_points = torch.cat([z.unsqueeze(-1), vectors[:, keep] * math.sqrt(len(points))], -1)
    variances = values[keep].clamp_min(1e-12) / values[-1].clamp_min(1e-12)
    at_rows = torch.stack([_interpolate(points, column, x) for column in at_points.mT], -1)
    return RegressionColumns(
        points=points,
        at_rows=at_rows,
        at_points=at_points,
        variances=torch.cat([variances.new_tensor([_VAGUE]), variances]),
        is_smooth=torch.arange(n_columns + 1) > 0,
        has_levels=False,
    )


def spline_columns(x: Float[Tensor, " n"], *, n_columns: int = 4) -> RegressionColumns:
    """Build natural cubic spline columns with the prior of Zellner (1986), g = n.

    Args:
        x: Values of the parent.
        n_columns: Number of columns; knots lie between the 2 % and 98 % quantiles.

    Returns:
        Orthonormal columns (times root n), the first of them linear.
    """
    knots = x.quantile(torch.linspace(0.02, 0.98, n_columns + 1, dtype=torch.float64)).unique()
    distinct = x.unique()
    points = _tabulated(distinct)

    def hinge(value: Tensor, k: int) -> Tensor:
        above = (value - knots[k]).clamp_min(0) ** 3 - (value - knots[-1]).clamp_min(0) ** 3
        return above / (knots[-1] - knots[k])

    def raw(value: Tensor) -> Tensor:
        inner = range(len(knots) - 2)
        curved = [hinge(value, k) - hinge(value, len(knots) - 2) for k in inner]
        return torch.stack([value, *curved], -1)

    rows = raw(x)
    mean = rows.mean(0)
    triangle = torch.linalg.qr(rows - mean).R
    root = math.sqrt(len(x))

    def orthonormal(value: Tensor) -> Tensor:
        centred = raw(value) - mean
        return root * torch.linalg.solve_triangular(triangle.mT, centred.mT, upper=False).mT

    p = rows.shape[-1]
    return RegressionColumns(
        points=points,
        at_rows=orthonormal(x),
        at_points=orthonormal(points),
        variances=torch.ones(p, dtype=torch.float64),
        is_smooth=torch.zeros(p, dtype=torch.bool),
        has_levels=False,
    )


def level_columns(codes: Float[Tensor, " n"], n_levels: int) -> RegressionColumns:
    """Build the indicators of a parent with levels.

    Args:
        codes: Codes 0, 1, ... of the levels.
        n_levels: Number of levels, seen or not.

    Returns:
        One indicator for each level, mildly shrunk to their common mean.
    """
    eye = torch.eye(n_levels, dtype=torch.float64)
    return RegressionColumns(
        points=torch.arange(n_levels, dtype=torch.float64),
        at_rows=eye[codes.long()],
        at_points=eye,
        variances=torch.full((n_levels,), 10.0, dtype=torch.float64),
        is_smooth=torch.zeros(n_levels, dtype=torch.bool),
        has_levels=True,
    )


def _tabulated(distinct: Tensor) -> Tensor:
    if len(distinct) <= _MAX_POINTS:
        return distinct
    places = torch.linspace(0, len(distinct) - 1, _MAX_POINTS, dtype=torch.float64).round().long()
    return distinct[places]


def _interpolate(x: Tensor, y: Tensor, at: Tensor) -> Tensor:
    if len(x) == 1:
        return y.expand(at.shape)
    right = torch.searchsorted(x, at.contiguous()).clamp(1, len(x) - 1)
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    return y[right - 1] + share * (y[right] - y[right - 1])
