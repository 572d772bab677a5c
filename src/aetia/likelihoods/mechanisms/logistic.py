r"""A variable with levels given parents of any kind: multinomial logistic regression.

Coefficients of every level but the first are Gaussian a priori, with the variances of the columns
(times tau for smooth ones, which lies on a grid and is weighed by the Laplace evidence). Draws
come from the Gaussian at the mode with the curvature there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.likelihoods.mechanisms.columns import DrawnCurve, RegressionColumns
from aetia.likelihoods.mechanisms.conditional_table import levels_at

__all__ = ["DrawnLogistic", "LogisticPosterior", "fit_logistic"]

TAU_GRID = (0.01, 0.1, 1.0, 10.0)
_LARGEST_VARIANCE = 10.0
"""Keeps separated levels finite: three standard deviations are a logit of about 10."""
_N_STEPS = 50


class DrawnLogistic(NamedTuple):
    """Draws of a logistic mechanism."""

    intercepts: Float[Tensor, "n levels"]
    curves: tuple[tuple[DrawnCurve, ...], ...]
    """For each level but the first, the curve of each parent."""

    def mean(self, parents: Float[Tensor, "n k m p"]) -> Float[Tensor, "n k m r"]:
        """Compute the probabilities of the levels.

        Args:
            parents: Values of the parents.

        Returns:
            One probability for each level.
        """
        logits = [parents.new_zeros(parents.shape[:-1])]
        for level, curves in enumerate(self.curves):
            total = self.intercepts[:, level, None, None].expand(parents.shape[:-1])
            for i, curve in enumerate(curves):
                total = total + curve.at(parents[..., i])
            logits.append(total)
        return torch.stack(logits, -1).softmax(-1)

    def value(
        self, mean: Float[Tensor, "n k m r"], uniform: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n k m"]:
        """Draw levels.

        Args:
            mean: What :meth:`mean` gave.
            uniform: Quantiles of the noise.

        Returns:
            Codes of the levels.
        """
        return levels_at(mean, uniform)


@dataclass(frozen=True, eq=False)
class LogisticPosterior:
    """Laplace approximation of the posterior, for every tau of a grid.

    Attributes:
        parents: Columns of each parent, centred.
        log_weights: Log posterior weight of each tau.
        modes: Coefficients, intercept first, for each level but the first.
        roots: Factors M with M M' the inverse curvature.
    """

    parents: tuple[RegressionColumns, ...]
    log_weights: Float[Tensor, " t"]
    modes: Float[Tensor, "t levels p"]
    roots: Float[Tensor, "t q q"]

    def draw(self, n: int, generator: torch.Generator) -> DrawnLogistic:
        """Draw tau and coefficients.

        Args:
            n: Number of draws.
            generator: Source of randomness.

        Returns:
            The drawn mechanisms.
        """
        which = torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=generator)
        normal = torch.randn(n, self.roots.shape[-1], 1, dtype=torch.float64, generator=generator)
        spread = (self.roots[which] @ normal).squeeze(-1)
        drawn = self.modes[which] + spread.view(n, *self.modes.shape[1:])
        widths = [c.at_points.shape[-1] for c in self.parents]
        curves = []
        for level in range(drawn.shape[1]):
            parts = drawn[:, level, 1:].split(widths, dim=-1)
            curves.append(
                tuple(
                    DrawnCurve(c.points, part @ c.at_points.mT, c.has_levels)
                    for c, part in zip(self.parents, parts, strict=True)
                )
            )
        return DrawnLogistic(drawn[:, :, 0], tuple(curves))


def fit_logistic(
    codes: Float[Tensor, " n"], n_levels: int, parents: Sequence[RegressionColumns]
) -> LogisticPosterior:
    """Compute the posterior of a logistic mechanism.

    Args:
        codes: Codes of the variable.
        n_levels: Number of its levels.
        parents: Columns of each parent, in the same rows, centred.

    Returns:
        The posterior.
    """
    n = len(codes)
    ones = torch.ones(n, 1, dtype=torch.float64)
    design = torch.cat([ones, *(c.at_rows for c in parents)], -1)
    variances = torch.cat([c.variances for c in parents]).clamp_max(_LARGEST_VARIANCE)
    smooth = torch.cat([c.is_smooth for c in parents])
    seen = torch.eye(n_levels, dtype=torch.float64)[codes.long()][:, 1:]
    modes, roots, evidence = [], [], []
    coefficients = design.new_zeros(n_levels - 1, design.shape[-1])
    for tau in TAU_GRID if smooth.any() else (1.0,):
        scaled = torch.where(smooth, tau * variances, variances)
        prior = torch.cat([scaled.new_tensor([_LARGEST_VARIANCE]), scaled])
        coefficients, factor, log_joint = _mode(design, seen, prior, coefficients)
        log_det = 2 * factor.diagonal().log().sum() + (n_levels - 1) * prior.log().sum()
        eye = torch.eye(len(factor), dtype=torch.float64)
        modes.append(coefficients)
        roots.append(torch.linalg.solve_triangular(factor.mT, eye, upper=True))
        evidence.append(log_joint - 0.5 * log_det)
    log_evidence = torch.stack(evidence)
    return LogisticPosterior(
        parents=tuple(parents),
        log_weights=log_evidence - log_evidence.logsumexp(0),
        modes=torch.stack(modes),
        roots=torch.stack(roots),
    )


def _mode(
    design: Tensor, seen: Tensor, prior: Tensor, coefficients: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the mode by Newton steps, halved while they do not improve (it is concave)."""
    levels, p = coefficients.shape
    precision = torch.diag((1.0 / prior).repeat(levels))
    value, probabilities = _log_joint(design, seen, prior, coefficients)
    for _ in range(_N_STEPS):
        slope = (seen - probabilities).mT @ design - coefficients / prior
        factor = torch.linalg.cholesky(_curvature(design, probabilities) + precision)
        step = torch.cholesky_solve(slope.reshape(-1, 1), factor).view(levels, p)
        size = 1.0
        while True:
            moved = coefficients + size * step
            new, moved_probabilities = _log_joint(design, seen, prior, moved)
            if new >= value or size < 1e-4:
                break
            size /= 2
        gain = float(new - value)
        coefficients, value, probabilities = moved, new, moved_probabilities
        if gain < 1e-9:
            break
    factor = torch.linalg.cholesky(_curvature(design, probabilities) + precision)
    return coefficients, factor, value


def _log_joint(
    design: Tensor, seen: Tensor, prior: Tensor, coefficients: Tensor
) -> tuple[Tensor, Tensor]:
    logits = design @ coefficients.mT
    total = torch.cat([torch.zeros_like(logits[:, :1]), logits], -1).logsumexp(-1)
    fit = (seen * logits).sum() - total.sum()
    return fit - 0.5 * (coefficients.square() / prior).sum(), (logits - total[:, None]).exp()


def _curvature(design: Tensor, probabilities: Tensor) -> Tensor:
    levels, p = probabilities.shape[-1], design.shape[-1]
    spread = torch.diag_embed(probabilities) - probabilities[:, :, None] * probabilities[:, None, :]
    blocks = torch.einsum("nab,ni,nj->aibj", spread, design, design)
    return blocks.reshape(levels * p, levels * p)
