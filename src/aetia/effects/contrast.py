"""Which two levels of a treatment are compared, where the user left that open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from aetia.errors import InputError

__all__ = ["choose_contrast", "level_name"]


def choose_contrast(
    name: str,
    arms: Sequence[str] | None,
    received: Float[np.ndarray, " n"],
    treated: Any,
    control: Any,
    *,
    doses: Sequence[float] | None = None,
) -> tuple[Any, Any, list[str]]:
    """Choose the levels that are compared.

    Args:
        name: Name of the treatment.
        arms: Names of the arms, those that count as 0 and 1; None for doses.
        received: Doses that the units received.
        treated: Level to compare; None for the second arm, or for the dose 1.
        control: Level to compare with; None for the first arm, or for the dose 0.
        doses: Doses of a response, which arms have none of.

    Returns:
        Both levels, and what to tell the user.

    Raises:
        InputError: If the levels are the same or no numbers, or arms are asked for doses.
    """
    if arms is not None:
        if doses is not None:
            raise InputError(
                f"{name!r} has two arms ({', '.join(arms)}), no doses; leave the doses away, the "
                "response is of both arms."
            )
        first, second = (_code_or_number(arm, k) for k, arm in enumerate(arms))
        high = second if treated is None else treated
        low = first if control is None else control
        for level in (high, low):
            if level_name(level, arms) not in arms:
                shown = f"{level:g}" if isinstance(level, float) else repr(level)
                raise InputError(f"{name!r} has the arms {', '.join(arms)}, not {shown}.")
        if level_name(high, arms) == level_name(low, arms):
            raise InputError(
                f"treated and control are the same arm, {level_name(high, arms)!r}; the arms "
                f"are {', '.join(arms)}."
            )
        return high, low, []
    neither = treated is None and control is None
    high, low = 1.0 if treated is None else treated, 0.0 if control is None else control
    for level in (high, low):
        if isinstance(level, str):
            raise InputError(f"{name!r} is a dose, so levels are numbers, got {level!r}.")
    if high == low:
        raise InputError(f"treated and control are the same dose, {high:g}.")
    least, most = float(received.min()), float(received.max())
    if neither and not (least <= low <= most and least <= high <= most):
        low, high = (float(f"{q:.4g}") for q in np.quantile(received, [0.25, 0.75]))
        note = (
            f"The doses 0 and 1 are not both within those received ({name}: {least:.4g} to "
            f"{most:.4g}), so the quartiles {low:g} and {high:g} are compared; --control and "
            "--treated choose others."
        )
        return high, low, [note]
    return high, low, []


def _code_or_number(arm: str, code: int) -> Any:
    """Write an arm so that it cannot be taken for another one's code."""
    try:
        return float(arm)
    except ValueError:
        return code


def level_name(level: Any, arms: Sequence[str] | None) -> str:
    """Name a level of the treatment as the user does.

    Args:
        level: An arm, its code or a dose.
        arms: Names of the arms; None for doses.

    Returns:
        The name of the arm, or the dose as text.
    """
    if arms is None:
        return f"{float(level):g}"
    for arm in arms:
        if arm == str(level) or _code_or_number(arm, -1) == level:
            return arm
    return arms[int(level)] if level in (0, 1) else str(level)
