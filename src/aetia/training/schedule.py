"""Learning rates as a function of the step."""

from __future__ import annotations

import math

from aetia.training.config import TrainingConfig

__all__ = ["learning_rate"]


def learning_rate(config: TrainingConfig, step: int, n_reductions: int = 0) -> float:
    """Compute the learning rate of a step.

    Args:
        config: Schedule and its options.
        step: The step that is about to be made, from 0.
        n_reductions: How often a plateau was met.

    Returns:
        Linear warm-up, then the schedule, never below ``min_learning_rate`` after the warm-up.
    """
    peak, floor = config.learning_rate, config.min_learning_rate
    n_warmup = math.ceil(config.warmup * config.n_steps)
    if step < n_warmup:
        return peak * (step + 1) / n_warmup
    if config.schedule == "cosine":
        end = config.n_steps if config.cosine_steps is None else config.cosine_steps
        done = min((step - n_warmup) / max(end - n_warmup, 1), 1.0)
        return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * done))
    if config.schedule == "multistep":
        n_reductions = sum(step >= share * config.n_steps for share in config.milestones)
    elif config.schedule == "constant":
        n_reductions = 0
    return max(peak * config.decay**n_reductions, floor)
