r"""Step sizes by dual averaging (Hoffman & Gelman, 2014, section 3.2), one for every chain.

.. math:: \bar H_t = \left(1 - \frac{1}{t + t_0}\right) \bar H_{t-1}
          + \frac{\delta - \alpha_t}{t + t_0}, \qquad
          \log \epsilon_t = \mu - \frac{\sqrt t}{\gamma} \bar H_t

.. math:: \log \bar\epsilon_t = t^{-\kappa} \log \epsilon_t
          + (1 - t^{-\kappa}) \log \bar\epsilon_{t-1}
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["DualAveraging", "dual_averaging_start", "dual_averaging_update"]

_GAMMA, _T0, _KAPPA = 0.05, 10.0, 0.75


class DualAveraging(NamedTuple):
    """State of the adaptation."""

    log_step: Float[Tensor, "*chains"]
    """Logarithm of the next step size, which explores."""
    log_average: Float[Tensor, "*chains"]
    """Logarithm of the step size that is used once adaptation ends."""
    shortfall: Float[Tensor, "*chains"]
    """Running mean of target minus acceptance."""
    centre: Float[Tensor, "*chains"]
    n_updates: int


def dual_averaging_start(step_size: Float[Tensor, "*chains"]) -> DualAveraging:
    """Begin at a guess.

    Args:
        step_size: The guess; steps shrink towards ten times it, so that early ones are bold.

    Returns:
        The state.
    """
    log_step = step_size.log()
    zero = torch.zeros_like(log_step)
    return DualAveraging(log_step, zero, zero, log_step + math.log(10.0), 0)


def dual_averaging_update(
    state: DualAveraging, acceptance: Float[Tensor, "*chains"], target: float
) -> DualAveraging:
    """Adapt the step sizes after one step.

    Args:
        state: State of the adaptation before the step.
        acceptance: Probability with which each chain accepted.
        target: What it should be on average.

    Returns:
        The next state.
    """
    t = state.n_updates + 1
    weight = 1.0 / (t + _T0)
    shortfall = (1 - weight) * state.shortfall + weight * (target - acceptance)
    log_step = state.centre - math.sqrt(t) / _GAMMA * shortfall
    share = t**-_KAPPA
    average = share * log_step + (1 - share) * state.log_average
    return DualAveraging(log_step, average, shortfall, state.centre, t)
