"""The average of the weights along training."""

from __future__ import annotations

__all__ = ["ema_for"]


def ema_for(decay: float, n_steps: int) -> float | None:
    """Shorten the memory of the average of the weights where it would still know the start.

    Args:
        decay: What was asked for; 0 for no average.
        n_steps: Steps of the training.

    Returns:
        At most 1 - 8 / steps; None for no average.
    """
    return min(decay, max(1 - 8 / n_steps, 0.0)) or None
