r"""A continuous variable as a sum of functions of its parents plus noise of any shape.

With centred columns F of all parents, coefficients :math:`b \sim \mathcal N(0, \sigma^2 D_\tau)`,
a flat intercept and :math:`p(\sigma^2) \propto 1 / \sigma^2`,

.. math:: A = F^\top F + D_\tau^{-1}, \quad \hat b = A^{-1} F^\top y, \quad
          \sigma^2 \mid \tau \sim \mathrm{InvGamma}(\tfrac{n - 1}{2}, \tfrac{R}{2}), \quad
          b \mid \sigma^2, \tau \sim \mathcal N(\hat b, \sigma^2 A^{-1}),

with :math:`R = y^\top y - y^\top F \hat b`. Tau lies on a grid and is drawn by its evidence,
:math:`-\tfrac12 \log|D_\tau| - \tfrac12 \log|A| - \tfrac{n - 1}{2} \log R`. The noise is not taken
for Gaussian: residuals are resampled by the Bayesian bootstrap and scaled to the drawn variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.likelihoods.mechanisms.columns import DrawnCurve, RegressionColumns
from aetia.likelihoods.mechanisms.random_weights import standard_gamma
from aetia.likelihoods.mechanisms.root import DrawnQuantiles, drawn_quantiles

__all__ = ["AdditivePosterior", "DrawnAdditive", "fit_additive"]

TAU_GRID = torch.logspace(-4.0, 4.0, 17, dtype=torch.float64)
"""Variances of the smooth terms that are weighed, in units of the noise variance."""


class DrawnAdditive(NamedTuple):
    """Draws of an additive mechanism."""

    intercept: Float[Tensor, " n"]
    curves: tuple[DrawnCurve, ...]
    noise: DrawnQuantiles
    noise_centre: Float[Tensor, " n"]
    noise_scale: Float[Tensor, " n"]

    def mean(self, parents: Float[Tensor, "n k m p"]) -> Float[Tensor, "n k m 1"]:
        """Compute the mean given the parents.

        Args:
            parents: Values of the parents.

        Returns:
            The sum of intercept and curves.
        """
        total = self.intercept[:, None, None].expand(parents.shape[:-1])
        for i, curve in enumerate(self.curves):
            total = total + curve.at(parents[..., i])
        return total.unsqueeze(-1)

    def value(
        self, mean: Float[Tensor, "n k m 1"], uniform: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n k m"]:
        """Add noise.

        Args:
            mean: What :meth:`mean` gave.
            uniform: Quantiles of the noise.

        Returns:
            Values of the variable.
        """
        noise = self.noise.at(uniform) - self.noise_centre.unsqueeze(-1)
        return mean.squeeze(-1) + (self.noise_scale.unsqueeze(-1) * noise).unsqueeze(1)


@dataclass(frozen=True, eq=False)
class AdditivePosterior:
    """Posterior of an additive mechanism, for every tau of a grid.

    Attributes:
        parents: Columns of each parent, centred.
        centre: Mean of the variable.
        n: Number of rows.
        log_weights: Log posterior weight of each tau.
        coefficients: Posterior means of the coefficients.
        roots: Factors M with M M' the inverse of A.
        rates: R of the formula.
        residuals: Residuals at the mean over tau.
    """

    parents: tuple[RegressionColumns, ...]
    centre: Float[Tensor, ""]
    n: int
    log_weights: Float[Tensor, " t"]
    coefficients: Float[Tensor, "t p"]
    roots: Float[Tensor, "t p p"]
    rates: Float[Tensor, " t"]
    residuals: Float[Tensor, " rows"]

    def draw(self, n: int, generator: torch.Generator) -> DrawnAdditive:
        """Draw tau, noise variance, coefficients and the shape of the noise.

        Args:
            n: Number of draws.
            generator: Source of randomness.

        Returns:
            The drawn mechanisms.
        """
        which = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=generator)
        shape = torch.full((n,), (self.n - 1) / 2, dtype=torch.float64)
        variance = self.rates[which] / 2 / standard_gamma(shape, generator)
        sd = variance.sqrt()
        p = self.coefficients.shape[-1]
        normal = torch.randn(n, p + 1, dtype=torch.float64, generator=generator)
        spread = (self.roots[which] @ normal[:, :p].unsqueeze(-1)).squeeze(-1)
        coefficients = self.coefficients[which] + sd.unsqueeze(-1) * spread
        parts = coefficients.split([c.at_points.shape[-1] for c in self.parents], dim=-1)
        curves = tuple(
            DrawnCurve(c.points, part @ c.at_points.mT, c.has_levels)
            for c, part in zip(self.parents, parts, strict=True)
        )
        noise = drawn_quantiles(self.residuals, n, generator)
        middle = noise.weights @ noise.values
        square = noise.weights @ noise.values.square() - middle.square()
        return DrawnAdditive(
            intercept=self.centre + sd * normal[:, p] / self.n**0.5,
            curves=curves,
            noise=noise,
            noise_centre=middle,
            noise_scale=sd / square.clamp_min(1e-300).sqrt(),
        )


def fit_additive(y: Float[Tensor, " n"], parents: Sequence[RegressionColumns]) -> AdditivePosterior:
    """Compute the posterior of an additive mechanism.

    Args:
        y: Values of the variable.
        parents: Columns of each parent, in the same rows, centred.

    Returns:
        The posterior.
    """
    centre = y.mean()
    target = y - centre
    design = torch.cat([c.at_rows for c in parents], -1)
    variances = torch.cat([c.variances for c in parents])
    smooth = torch.cat([c.is_smooth for c in parents])
    grid = TAU_GRID if smooth.any() else TAU_GRID.new_ones(1)
    prior = torch.where(smooth, grid.unsqueeze(-1) * variances, variances)  # [t, p]
    gram, cross = design.mT @ design, design.mT @ target
    factor = torch.linalg.cholesky(gram + torch.diag_embed(1.0 / prior))
    half = torch.linalg.solve_triangular(factor, cross.expand_as(prior).unsqueeze(-1), upper=False)
    rates = target @ target - half.square().sum((-2, -1))
    rates = rates.clamp_min(1e-12 * float(target @ target) + 1e-300)  # of a constant: no noise
    eye = torch.eye(len(variances), dtype=y.dtype).expand_as(factor)
    roots = torch.linalg.solve_triangular(factor.mT, eye, upper=True)
    log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) + prior.log().sum(-1)
    evidence = -0.5 * log_det - 0.5 * (len(y) - 1) * rates.log()
    log_weights = evidence - evidence.logsumexp(0)
    coefficients = (roots @ half).squeeze(-1)
    residuals = target - design @ (log_weights.exp() @ coefficients)
    return AdditivePosterior(
        parents=tuple(parents),
        centre=centre,
        n=len(y),
        log_weights=log_weights,
        coefficients=coefficients,
        roots=roots,
        rates=rates,
        residuals=residuals,
    )
