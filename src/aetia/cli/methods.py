"""Which methods each verb knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from aetia.errors import InputError
from aetia.options import nearest

__all__ = [
    "Methods",
    "all_methods",
    "discovery_methods",
    "effect_methods",
    "find_method",
    "table_methods",
]

Methods: TypeAlias = Mapping[str, tuple[type, type]]
"""Name to estimator and its options."""


def discovery_methods() -> Methods:
    """List the methods of ``discover``.

    Returns:
        Methods by name.
    """
    from aetia.discovery import METHODS

    return METHODS


def effect_methods() -> Methods:
    """List the methods of ``effect``.

    Returns:
        Methods by name.
    """
    from aetia.effects import METHODS

    return METHODS


def table_methods() -> Methods:
    """List the methods of ``impute`` and ``generate``.

    Returns:
        Methods by name.
    """
    from aetia.generation import METHODS

    return METHODS


def all_methods() -> Methods:
    """List the methods of all verbs.

    Returns:
        Methods by name.
    """
    return {**discovery_methods(), **effect_methods(), **table_methods()}


def find_method(name: str, methods: Methods) -> tuple[type, type]:
    """Look a method up.

    Args:
        name: As the user wrote it.
        methods: Those that there are.

    Returns:
        Estimator and options.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in methods:
        raise InputError(
            f"no method {name!r}.{nearest(name, list(methods))} Methods: {', '.join(methods)}."
        )
    return methods[name]
