"""When the learning rate falls because validation does not improve."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

__all__ = ["Plateau", "follow"]


class Plateau(NamedTuple):
    """What is remembered between validations.

    Attributes:
        best: Best metric so far, None before the first.
        n_bad: Validations in a row that did not improve on it.
        cooldown: Validations for which bad ones are not counted yet.
        n_reductions: How often the rate fell.
    """

    best: float | None = None
    n_bad: int = 0
    cooldown: int = 0
    n_reductions: int = 0


def follow(
    state: Plateau,
    value: float,
    *,
    patience: int,
    cooldown: int,
    threshold: float,
    mode: Literal["min", "max"],
) -> Plateau:
    """Take the metric of one validation, as ``torch.optim.lr_scheduler.ReduceLROnPlateau`` does.

    It differs for metrics below zero alone: torch's relative threshold points the wrong way there,
    so that equal values pass for improvements; here a gain is a share of the best one's size. A
    metric that is not finite never improves.

    Args:
        state: So far.
        value: The metric.
        patience: Bad validations that are forgiven; the next one lowers the rate.
        cooldown: Validations after a fall that do not count.
        threshold: Gain that counts as an improvement, as a share of the best value.
        mode: Whether the metric should be small or large.

    Returns:
        The next state.
    """
    best, n_bad = state.best, state.n_bad
    sign = 1.0 if mode == "min" else -1.0
    is_better = math.isfinite(value) and (
        best is None or sign * value < sign * best - threshold * abs(best)
    )
    best, n_bad = (value, 0) if is_better else (best, n_bad + 1)
    left = state.cooldown
    if left > 0:
        left, n_bad = left - 1, 0
    if n_bad > patience:
        return Plateau(best, 0, cooldown, state.n_reductions + 1)
    return Plateau(best, n_bad, left, state.n_reductions)
