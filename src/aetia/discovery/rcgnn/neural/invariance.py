"""What should not differ between regimes."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.recordings.regimes import means_by_regime

__all__ = ["disentanglement", "irm_penalty", "residual_penalty", "variance_penalty"]


def irm_penalty(
    deviation: Float[Tensor, "n steps d"],
    prediction: Float[Tensor, "n steps d"],
    weight: Float[Tensor, "n steps 1"],
    regime: Int[Tensor, " n"],
    n_regimes: int,
) -> Float[Tensor, ""]:
    r"""IRMv1: :math:`\sum_e \|\nabla_{c=1} R_e(c \cdot f)\|^2` (Arjovsky et al., 2019, eq. IRMv1).

    Each mechanism has a factor c of its own. Its gradient is in closed form, for
    :math:`R_e = \tfrac12 E_e (y - c f)^2` it is :math:`-E_e (y - f) f` at c = 1.

    Args:
        deviation: Standardised residuals y - f.
        prediction: f, in the same units.
        weight: 0 for steps that do not exist.
        regime: Code of the regime of each block.
        n_regimes: Number of regimes.

    Returns:
        Sum over regimes, mean over sensors.
    """
    slope = _averages(-deviation * prediction, weight, regime, n_regimes)
    return slope.square().sum(0).mean()


def variance_penalty(
    deviation: Float[Tensor, "n steps d"],
    weight: Float[Tensor, "n steps 1"],
    regime: Int[Tensor, " n"],
    n_regimes: int,
) -> Float[Tensor, ""]:
    """Variance of the risks over regimes (V-REx, Krueger et al., 2021).

    Args:
        deviation: Residuals in units that are common to all regimes.
        weight: 0 for steps that do not exist.
        regime: Code of the regime of each block.
        n_regimes: Number of regimes.

    Returns:
        Mean over sensors.
    """
    risks = _averages(0.5 * deviation.square(), weight, regime, n_regimes)
    return risks.var(0, correction=0).mean()


def residual_penalty(
    deviation: Float[Tensor, "n steps d"],
    weight: Float[Tensor, "n steps 1"],
    regime: Int[Tensor, " n"],
    n_regimes: int,
) -> Float[Tensor, ""]:
    """Differences between regimes of mean and variance of the residuals.

    Args:
        deviation: Residuals in units that are common to all regimes.
        weight: 0 for steps that do not exist.
        regime: Code of the regime of each block.
        n_regimes: Number of regimes.

    Returns:
        Mean squared difference from the average over regimes; 0 for one regime.
    """
    mean = _averages(deviation, weight, regime, n_regimes)
    second = _averages(deviation.square(), weight, regime, n_regimes) - mean.square()
    return mean.var(0, correction=0).mean() + second.var(0, correction=0).mean()


def disentanglement(
    states: Float[Tensor, "n time d"],
    drift: Float[Tensor, "n time d"],
    weight: Float[Tensor, "n time 1"],
) -> Float[Tensor, ""]:
    """Mean squared correlation between states and drift; zero when uncorrelated.

    Args:
        states: Clean states.
        drift: Slow errors of the sensors.
        weight: 0 for rows that do not exist.

    Returns:
        A value in [0, 1]. Drift far below a hundredth of a standard deviation counts as none.
    """
    total = weight.sum().clamp_min(1.0)

    def centred(x: Tensor) -> Tensor:
        return (x - (x * weight).sum((0, 1)) / total) * weight

    a, b = centred(states).flatten(0, 1), centred(drift).flatten(0, 1)
    sizes = (a.square().sum(0).unsqueeze(-1) / total + 1e-4) * (b.square().sum(0) / total + 1e-4)
    return ((a.mT @ b / total).square() / sizes).mean()


def _averages(values: Tensor, weight: Tensor, regime: Tensor, n_regimes: int) -> Tensor:
    """Average over steps; regimes that are not in the batch get the mean of those that are."""
    means, counts = means_by_regime((values * weight).sum(1), weight.sum(1), regime, n_regimes)
    here = counts > 0
    average = torch.where(here, means, 0.0).sum(0) / here.sum()
    return torch.where(here, means, average)
