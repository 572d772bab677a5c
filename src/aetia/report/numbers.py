"""Numbers as people read them."""

from __future__ import annotations

from typing import Any

__all__ = ["percent", "show"]


def show(value: Any) -> str:
    """Write a value for people.

    Args:
        value: A number, a text, anything.

    Returns:
        Four digits of a float, thousands separated, a dash for what is not known, the rest as it
        is.
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return "–" if value != value else f"{value:.4g}"
    if isinstance(value, int) and abs(value) < 10**9:
        return f"{value:,}"
    return str(value)


def percent(probability: float) -> str:
    """Write a probability so that only certainty reads as 0 or 100 %.

    Args:
        probability: A number between 0 and 1.

    Returns:
        Whole per cent, ``"<1 %"`` or ``">99 %"``, with a space that does not break.
    """
    if 1e-9 < probability < 0.01:
        return "<1\u00a0%"
    if 0.99 < probability < 1.0 - 1e-9:
        return ">99\u00a0%"
    return f"{100 * probability:.0f}\u00a0%"
