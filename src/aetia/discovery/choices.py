"""Options that are a name, a mapping with a name, or an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aetia.errors import InputError
from aetia.options import build, nearest

__all__ = ["choose"]


def choose(option: str, value: Any, registry: Mapping[str, type], *, needs: str) -> Any:
    """Turn an option into an object.

    Args:
        option: Its name, for messages.
        value: A registered name, a mapping ``{"name": ..., **options}``, or an object.
        registry: Names to classes.
        needs: Attribute that an object of the user's own must have.

    Returns:
        The object.

    Raises:
        InputError: Naming what is registered, or what the object lacks.
    """
    if isinstance(value, Mapping):
        options = dict(value)
        name = options.pop("name", None)
        if name is None:
            raise InputError(
                f"{option}: a mapping needs the entry 'name', one of {list(registry)}."
            )
        value, rest = name, options
    else:
        rest = {}
    if isinstance(value, str):
        if value not in registry:
            raise InputError(
                f"{option}={value!r} is not one of {list(registry)}."
                f"{nearest(value, list(registry))}"
            )
        return build(registry[value], rest)
    if isinstance(value, type) or not hasattr(type(value), needs):
        raise InputError(
            f"{option} must be one of {list(registry)} or an object with `{needs}`, got {value!r}."
        )
    return value
