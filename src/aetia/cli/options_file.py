"""Options of a method as YAML, and back: ``--set`` beats the file beats the default."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from aetia.cli.methods import Methods, all_methods, find_method
from aetia.errors import InputError
from aetia.options import nearest

__all__ = ["describe_options", "read_options", "read_setting", "read_yaml"]


def describe_options(method: str) -> str:
    """Write all options of a method with their defaults and meaning.

    Args:
        method: Name of the method.

    Returns:
        YAML that ``--config`` of the method's verb reads.
    """
    _, config = find_method(method, all_methods())
    meaning = _field_comments(config)
    lines = [f"# Options of {method}; aetia {_version()}", f"method: {method}"]
    for field in fields(config):
        if field.name in meaning:
            lines += [f"# {line}" for line in textwrap.wrap(meaning[field.name], 92)]
        value = yaml.safe_dump({field.name: _plain(field.default)}, sort_keys=False).strip()
        lines.append(value)
    return "\n".join(lines) + "\n"


def read_options(
    method: str, file: Path | None, settings: Sequence[str], methods: Methods
) -> dict[str, Any]:
    """Collect the options of a run.

    Args:
        method: Name of the method.
        file: YAML file, or None.
        settings: ``name=value`` pairs; dots reach into nested options.
        methods: Those that the verb knows.

    Returns:
        Keyword arguments of the estimator.

    Raises:
        InputError: If the file cannot be read, or an option is unknown.
    """
    _, config = find_method(method, methods)
    values: dict[str, Any] = {}
    if file is not None:
        values = read_yaml(file)
        named = values.pop("method", method)
        if named != method:
            raise InputError(f"{file} holds options of {named!r}, but --method is {method!r}.")
    for setting in settings:
        name, value = read_setting(setting)
        _assign(values, name.split("."), value, config)
    known = [f.name for f in fields(config)]
    for name in values:
        if name not in known:
            raise InputError(
                f"{method} has no option {name!r}.{nearest(name, known)} "
                f"`aetia config {method}` lists them."
            )
    # YAML has lists only; an option that may be a tuple takes one.
    are_tuples = {
        f.name for f in fields(config) if isinstance(f.default, tuple) or "tuple" in str(f.type)
    }
    return {
        name: tuple(value) if name in are_tuples and isinstance(value, list) else value
        for name, value in values.items()
    }


def read_setting(setting: str) -> tuple[str, Any]:
    """Read what stands behind ``--set``.

    Args:
        setting: ``name=value``; the value is YAML.

    Returns:
        Name and value.

    Raises:
        InputError: If it is not of that form.
    """
    name, separator, text = setting.partition("=")
    if not separator or not name.strip():
        raise InputError(f"--set takes name=value, got {setting!r}.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"--set {setting!r}: the value is not YAML ({error}).") from error
    return name.strip(), _number(value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _assign(values: dict[str, Any], path: list[str], value: Any, config: type) -> None:
    if len(path) == 1:
        values[path[0]] = value
        return
    default = next((f.default for f in fields(config) if f.name == path[0]), None)
    inner = values.get(path[0], default)
    if not isinstance(inner, Mapping):
        inner = {"name": inner} if isinstance(inner, str) and inner != "auto" else {}
    inner = dict(inner)
    inner[".".join(path[1:])] = value
    values[path[0]] = inner


def read_yaml(file: Path) -> dict[str, Any]:
    """Read options from a file.

    Args:
        file: YAML with an option on each line.

    Returns:
        Options by name.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot read options from {str(file)!r}: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{str(file)!r} must hold `option: value` lines.")
    return {str(k): _number(v) for k, v in values.items()}


def _number(value: Any) -> Any:
    """Read what YAML leaves as text although people mean a number: 1e5."""
    if isinstance(value, dict):
        return {k: _number(v) for k, v in value.items()}
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return float(value)
    return value


def _field_comments(config: type) -> dict[str, str]:
    """Read the strings below the fields of a dataclass, which document them."""
    comments: dict[str, str] = {}
    for cls in reversed([c for c in config.__mro__ if is_dataclass(c)]):
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body  # pyright: ignore
        for field, below in pairwise(body):
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and is_text:
                text = " ".join(str(below.value.value).split())  # pyright: ignore
                comments[field.target.id] = text  # pyright: ignore[reportAttributeAccessIssue]
    return comments


def _version() -> str:
    from aetia.version import __version__

    return __version__
