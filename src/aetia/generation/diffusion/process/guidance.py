"""Guidance: draws pushed further towards a condition than its distribution asks."""

from __future__ import annotations

from torch import Tensor

__all__ = ["guided"]


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Move draws away from what they would be without the condition.

    The result follows no conditional distribution unless the scale is 1.

    Args:
        conditional: Draws given the condition.
        unconditional: Draws without it, by the same noise.
        scale: 1 changes nothing.

    Returns:
        Guided draws.
    """
    return unconditional + scale * (conditional - unconditional)
