"""Checks of how dense a family is stated to be."""

from __future__ import annotations

from typing import Any

from aetia.errors import InputError

__all__ = ["at_most_one", "check_probabilities"]


def at_most_one(config: Any, *names: str) -> None:
    """Refuse two statements of the same thing.

    Args:
        config: A family.
        *names: Attributes of which at most one may be stated.

    Raises:
        InputError: Naming those that are.
    """
    stated = [n for n in names if getattr(config, n) is not None]
    if len(stated) > 1:
        raise InputError(f"{type(config).__name__}: state only one of {', '.join(stated)}.")


def check_probabilities(config: Any, *names: str) -> None:
    """Check that attributes are probabilities.

    Args:
        config: A family.
        *names: Its attributes.

    Raises:
        InputError: Naming one outside [0, 1].
    """
    for name in names:
        p = getattr(config, name)
        if not 0 <= p <= 1:
            raise InputError(f"{type(config).__name__}: {name} must lie in [0, 1], got {p!r}.")
