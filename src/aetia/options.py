"""What the frozen option objects share: ranges, literal values, unknown fields, earlier names."""

from __future__ import annotations

import difflib
import functools
import math
import numbers
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from aetia.errors import InputError

__all__ = [
    "build",
    "check_literals",
    "check_positive",
    "choose",
    "current_options",
    "earlier_names",
    "nearest",
    "options_dict",
]

T = TypeVar("T")


def check_positive(config: Any, *names: str, zero: bool = False) -> None:
    """Refuse options that are not finite numbers above zero.

    Args:
        config: The option object.
        *names: Fields to check; the string ``"auto"`` and None pass.
        zero: Whether zero is allowed.

    Raises:
        InputError: Naming the option and the value found.
    """
    for name in names:
        value = getattr(config, name)
        if value is None or value == "auto":
            continue
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
            bound = "at least 0" if zero else "larger than 0"
            raise InputError(f"{type(config).__name__}: {name} must be {bound}, got {value!r}.")


def check_literals(config: Any) -> None:
    """Refuse values outside a field's ``Literal`` annotation, which Python does not check.

    Args:
        config: The option object.

    Raises:
        InputError: Naming the option, the value found and the allowed ones.
    """
    for name, hint in get_type_hints(type(config)).items():
        parts = get_args(hint) if get_origin(hint) is not Literal else (hint,)
        allowed = [v for p in parts if get_origin(p) is Literal for v in get_args(p)]
        others = [p for p in parts if get_origin(p) is not Literal]
        value = getattr(config, name)
        if isinstance(value, str) and allowed and str not in others and value not in allowed:
            raise InputError(
                f"{type(config).__name__}: {name}={value!r} is not one of {allowed}."
                + nearest(value, allowed)
            )


def build(cls: type[T], values: Mapping[str, Any]) -> T:
    """Make an option object from plain values, refusing unknown fields.

    Args:
        cls: The frozen dataclass to build.
        values: Field values, as they come from a YAML file or the command line.

    Returns:
        The checked object.

    Raises:
        InputError: Naming the unknown field and the nearest valid one.
    """
    known = [f.name for f in fields(cls)]  # pyright: ignore[reportArgumentType]
    values = current_options(cls, values)
    for name in values:
        if name not in known:
            raise InputError(
                f"{cls.__name__} has no option {name!r}.{nearest(name, known)} "
                f"Options: {', '.join(known)}."
            )
    return cls(**values)


def earlier_names(**names: str | None) -> Callable[[type[T]], type[T]]:
    """Let a class take its options under the names that they had, for one release.

    The constructor, ``set_params`` and the attributes answer to an earlier name with a
    ``FutureWarning``. The signature has the names of today only, and so has ``get_params``.

    Args:
        **names: Earlier name to the name of today, or to None for an option that had no effect and
            is gone.

    Returns:
        What decorates a class. Subclasses with a constructor of their own need it again.
    """

    def decorate(cls: type[T]) -> type[T]:
        def translated(call: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(call)
            def with_names_of_today(self: Any, *args: Any, **options: Any) -> Any:
                return call(self, *args, **current_options(type(self), options, depth=3))

            return with_names_of_today

        setattr(cls, _EARLIER, {**getattr(cls, _EARLIER, {}), **names})
        for method in {"__init__", "set_params"} & set(dir(cls)):
            setattr(cls, method, translated(getattr(cls, method)))
        for earlier, name in names.items():
            if name is not None:
                setattr(cls, earlier, _alias(earlier, name))
        return cls

    return decorate


_EARLIER = "_earlier_names"


def current_options(
    cls: type, values: Mapping[str, Any], *, depth: int | None = 2
) -> dict[str, Any]:
    """Put options under their names of today.

    Args:
        cls: Class that takes the options, which :func:`earlier_names` may have decorated.
        values: Options as they were given.
        depth: How many calls up the ``FutureWarning`` points; None is silent, for saved files.

    Returns:
        The options, without those that are gone.

    Raises:
        InputError: If an option is there under both names.
    """
    current = dict(values)
    for earlier, name in getattr(cls, _EARLIER, {}).items():
        if earlier not in current:
            continue
        if depth is not None:
            _warn(cls, earlier, name, depth + 1)
        value = current.pop(earlier)
        if name in current:
            raise InputError(
                f"{cls.__name__}: {earlier} is the earlier name of {name}; give {name} only."
            )
        if name is not None:
            current[name] = value
    return current


def _warn(cls: type, earlier: str, name: str | None, depth: int) -> None:
    now = "has no effect" if name is None else f"is called {name} now"
    text = f"{cls.__name__}: the option {earlier} {now}; the next release will refuse it."
    warnings.warn(text, FutureWarning, stacklevel=depth)


def _alias(earlier: str, name: str) -> property:
    """Make an attribute that stands for the one of today."""

    def read(self: Any) -> Any:
        _warn(type(self), earlier, name, 3)
        return getattr(self, name)

    def write(self: Any, value: Any) -> None:
        _warn(type(self), earlier, name, 3)
        setattr(self, name, value)

    return property(read, write)


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


def nearest(word: str, known: list[str]) -> str:
    """Suggest the closest known name; upper and lower case count as the same.

    Args:
        word: What was asked for.
        known: The valid names.

    Returns:
        `` Did you mean 'x'?``, or an empty string.
    """
    folded = {name.casefold(): name for name in reversed(known)}
    close = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return f" Did you mean {folded[close[0]]!r}?" if close else ""


def options_dict(config: Any) -> dict[str, Any]:
    """List the options of a configuration as plain values, nested objects with their name.

    Args:
        config: The frozen dataclass.

    Returns:
        What a YAML file can hold; objects that are no dataclasses become their ``repr``.
    """
    return {f.name: _plain(getattr(config, f.name)) for f in fields(config)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        name = getattr(value, "name", type(value).__name__)
        return {"name": name} | {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, numbers.Number) and hasattr(value, "item"):
        return value.item()  # pyright: ignore[reportAttributeAccessIssue]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if type(value).__repr__ is object.__repr__:  # which would show where it lies in memory
        cls = type(value)
        name = f"{cls.__module__}.{cls.__qualname__}"
        return {"name": name} | {k: _plain(v) for k, v in vars(value).items()}
    return repr(value)
