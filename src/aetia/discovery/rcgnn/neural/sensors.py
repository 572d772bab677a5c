r"""How sensors read states: :math:`x_t^j = s_t^j + b_t^j + r_j \epsilon_t^j` with Student noise.

Gains are 1 and drifts have mean 0 in each regime, or states would be determined only up to a scale
and an offset. Noise is a scale and never a value: nothing is reconstructed through it.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from aetia.discovery.rcgnn.recordings.regimes import means_by_regime

__all__ = ["Sensors", "centred_by_regime", "student_nll"]

_SMALLEST_NOISE = 0.03
"""Standard deviation; nothing is gained below, where readings have standard deviation 1."""


def student_nll(
    residual: Float[Tensor, "*shape"],
    scale: Float[Tensor, " d"],
    degrees_of_freedom: Float[Tensor, " d"],
) -> Float[Tensor, "*shape"]:
    """Negative log density of Student's t.

    Args:
        residual: Deviations.
        scale: Scale of the noise of each sensor.
        degrees_of_freedom: One number for each sensor.

    Returns:
        One value for each cell.
    """
    nu = degrees_of_freedom
    half = 0.5 * (nu + 1)
    constant = torch.lgamma(0.5 * nu) - torch.lgamma(half) + 0.5 * (nu * math.pi).log()
    return constant + scale.log() + half * torch.log1p((residual / scale).square() / nu)


def centred_by_regime(
    values: Float[Tensor, "n time d"],
    weight: Float[Tensor, "n time 1"],
    regime: Int[Tensor, " n"],
    n_regimes: int,
) -> Float[Tensor, "n time d"]:
    """Subtract the mean over the blocks of each regime.

    Args:
        values: Values in every cell of the blocks.
        weight: 0 for rows that do not exist.
        regime: Code of the regime of each block.
        n_regimes: Number of regimes.

    Returns:
        Values with weighted mean 0 for each sensor and regime.
    """
    means, _ = means_by_regime((values * weight).sum(1), weight.sum(1), regime, n_regimes)
    return values - means[regime].unsqueeze(1)


class Sensors(nn.Module):
    """Noise of each sensor.

    Args:
        noise_sd: Initial standard deviations.
    """

    start: Float[Tensor, " d"]

    def __init__(self, noise_sd: Float[Tensor, " d"]) -> None:
        super().__init__()
        above = (noise_sd - _SMALLEST_NOISE).clamp_min(0.02)
        self.raw_scale = nn.Parameter(above.log())
        self.register_buffer("start", above + _SMALLEST_NOISE)
        self.raw_freedom = nn.Parameter(torch.full_like(noise_sd, 10.0))

    def scale(self) -> Float[Tensor, " d"]:
        """Scale r of the noise."""
        return self.raw_scale.exp() + _SMALLEST_NOISE

    def degrees_of_freedom(self) -> Float[Tensor, " d"]:
        """Degrees of freedom nu, above 2: the variance exists."""
        return 2.1 + nn.functional.softplus(self.raw_freedom)

    def nll(self, residual: Float[Tensor, "n time d"]) -> Float[Tensor, "n time d"]:
        """Negative log density of what the reading is off by."""
        return student_nll(residual, self.scale(), self.degrees_of_freedom())

    def departure(self) -> Float[Tensor, ""]:
        """Mean squared logarithm of the ratio of the scales to their initial values."""
        return (self.scale() / self.start).log().square().mean()
