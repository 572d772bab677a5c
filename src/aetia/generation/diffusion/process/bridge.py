r"""The Gaussian bridge p(x_s | x_0, x_t) (De Bortoli et al., 2025, eq. 4).

In noise coordinates :math:`x_u = \alpha_u x_0 + \sigma_u e_u`, every bridge that keeps the
marginals fixes one number, the correlation k of :math:`e_s` and :math:`e_t`:

.. math:: e_s = k e_t + \sqrt{1 - k^2} z, \qquad k = \epsilon^2 \rho + (1 - \epsilon^2), \quad
          \rho = \frac{\alpha_t}{\alpha_s} \frac{\sigma_s}{\sigma_t}

Churn :math:`\epsilon = 0` is the deterministic bridge (DDIM), 1 the Markov one (DDPM). It
interpolates the correlation, not, as the eta of DDIM does, the standard deviation.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from aetia.errors import InputError
from aetia.generation.diffusion.process.schedule import NoiseSchedule

__all__ = ["Bridge", "bridge"]


class Bridge(NamedTuple):
    """x_s given x_0 and x_t is N(x_t * x_t_weight + x_0 * x_0_weight, variance I)."""

    x_t_weight: float
    x_0_weight: float
    variance: float


def bridge(schedule: NoiseSchedule, s: float, t: float, churn: float) -> Bridge:
    """Compute the coefficients of one step, in double precision.

    Args:
        schedule: alpha and sigma.
        s: Where the step goes.
        t: Where it comes from.
        churn: Share of the noise that is renewed, 0 to 1.

    Returns:
        Weights of x_t and x_0, and the variance.

    Raises:
        InputError: Unless 0 <= s < t <= 1 and 0 <= churn <= 1.
    """
    if not 0 <= s < t <= 1:
        raise InputError(f"a step goes from t to s with 0 <= s < t <= 1; got t={t}, s={s}.")
    if not 0 <= churn <= 1:
        raise InputError(f"churn must lie between 0 and 1, got {churn}.")
    times = torch.tensor([s, t], dtype=torch.float64)
    (alpha_s, alpha_t), (sigma_s, sigma_t) = (
        schedule.alpha(times).tolist(),
        schedule.sigma(times).tolist(),
    )
    ratio = sigma_s / sigma_t
    # 1 - k first: k itself is close to 1 for small steps.
    away = churn**2 * (1 - alpha_t / alpha_s * ratio)
    x_t_weight = (1 - away) * ratio
    return Bridge(x_t_weight, alpha_s - alpha_t * x_t_weight, sigma_s**2 * away * (2 - away))
