"""The method of a run and its options: ``--set`` beats the file beats the default."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import yaml

from aetia.cli.request import Request
from aetia.errors import InputError
from aetia.options import current_options, nearest

__all__ = ["Method", "Methods", "find_method", "read_method", "read_setting", "read_yaml"]

Methods: TypeAlias = Mapping[str, tuple[type, type]]
"""Name to estimator and its options."""


class Method(NamedTuple):
    """A method with the options that were given.

    Attributes:
        name: As in ``--method``.
        estimator: Class of the estimator.
        config: Class of its options.
        options: Those that were given.
        reason: Why it was chosen, where the user left that open.
    """

    name: str
    estimator: type
    config: type
    options: dict[str, Any]
    reason: str = ""

    def make(self, asked: Request) -> Any:
        """Build the estimator, with the seed and the progress bar that were asked for."""
        ours = {"random_state": asked.seed, "progress": asked.progress}
        known = self.estimator().get_params()
        return self.estimator(**self.options, **{k: v for k, v in ours.items() if k in known})


def read_method(
    asked: Request, methods: Methods, default: str | Callable[[], tuple[str, str]]
) -> Method:
    """Read which method was asked for, and its options.

    Args:
        asked: What the user asked for: ``method``, ``config`` and ``settings``.
        methods: Those that the verb knows.
        default: The method where neither the user nor the file names one; or what chooses it and
            says why.

    Returns:
        The method. Its options are checked.

    Raises:
        InputError: If the file cannot be read, or an option is unknown or impossible.
    """
    settings = [read_setting(setting) for setting in asked.settings or ()]
    values = {} if asked.config is None else read_yaml(asked.config)
    named, reason = values.pop("method", None), ""
    if named not in methods:  # files of earlier versions name the class
        classes = {cls.__name__.lower(): name for name, (cls, _) in methods.items()}
        named = classes.get(str(named).lower(), named)
    given = None if asked.method == "auto" else asked.method
    if named is not None and given not in (None, named):
        raise InputError(f"{asked.config} holds options of {named!r}, but --method is {given!r}.")
    name = given or named
    if name is None:
        name, reason = default() if callable(default) else (default, "")
    estimator, config = find_method(name, methods)
    values = current_options(config, values)
    for option, value in settings:
        for current, given_value in current_options(config, {option: value}).items():
            _assign(values, current.split("."), given_value, config)
    known = [f.name for f in fields(config)]
    for option in values:
        if option not in known:
            raise InputError(
                f"{name} has no option {option!r}.{nearest(option, known)} "
                f"`aetia config {name}` lists them."
            )
    # YAML has lists only; an option that may be a tuple takes one.
    are_tuples = {
        f.name for f in fields(config) if isinstance(f.default, tuple) or "tuple" in str(f.type)
    }
    options = {
        k: tuple(v) if k in are_tuples and isinstance(v, list) else v for k, v in values.items()
    }
    config(**options)  # all checks are here
    return Method(name, estimator, config, options, reason)


def find_method(name: str, methods: Methods) -> tuple[type, type]:
    """Look a method up, or name the nearest one."""
    if name not in methods:
        raise InputError(
            f"no method {name!r}.{nearest(str(name), list(methods))} Methods: {', '.join(methods)}."
        )
    return methods[name]


def read_setting(setting: str) -> tuple[str, Any]:
    """Read what stands behind ``--set``: a name, and a value that is YAML."""
    name, separator, text = setting.partition("=")
    if not separator or not name.strip():
        raise InputError(f"--set takes name=value, got {setting!r}.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"--set {setting!r}: the value is not YAML ({error}).") from error
    return name.strip(), _number(value)


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a file with an option on each line."""
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot read options from {str(file)!r}: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{str(file)!r} must hold `option: value` lines.")
    return {str(k): _number(v) for k, v in values.items()}


def _assign(values: dict[str, Any], path: Sequence[str], value: Any, config: type) -> None:
    """Set an option, or one that lies in another as ``likelihood.noise_variance`` does."""
    if len(path) == 1:
        values[path[0]] = value
        return
    default = next((f.default for f in fields(config) if f.name == path[0]), None)
    inner = values.get(path[0], default)
    if not isinstance(inner, Mapping):
        inner = {"name": inner} if isinstance(inner, str) and inner != "auto" else {}
    values[path[0]] = {**inner, ".".join(path[1:]): value}


def _number(value: Any) -> Any:
    """Read what YAML leaves as text although people mean a number: 1e5."""
    if isinstance(value, dict):
        return {k: _number(v) for k, v in value.items()}
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return float(value)
    return value
