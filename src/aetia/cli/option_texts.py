"""The options of a method or an experiment as YAML, each with what it does.

The strings below the fields of a dataclass document them. They are read from the source text.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any

import yaml

from aetia.cli.method_options import Methods
from aetia.errors import InputError
from aetia.options import nearest
from aetia.version import __version__

__all__ = ["describe_options", "field_texts", "known_options", "methods_by_verb"]


def methods_by_verb() -> dict[str, Methods]:
    """List the methods that take options, by the verbs that take the methods."""
    from aetia.discovery import METHODS as DISCOVERY
    from aetia.effects import METHODS as EFFECTS
    from aetia.generation import METHODS as TABLES

    return {"discover": DISCOVERY, "effect": EFFECTS, "impute, generate": TABLES}


def known_options() -> dict[str, Any]:
    """List what ``aetia config`` describes: name to an object with the default options."""
    from aetia.benchmark import ExperimentConfig, SensorExperiment
    from aetia.benchmark.model_config import MODELS
    from aetia.generation.diffusion.experiments import ImageExperiment, ToyExperiment

    methods = {k: c() for known in methods_by_verb().values() for k, (_, c) in known.items()}
    models = {f"experiment-{k}": ExperimentConfig(model=model()) for k, model in MODELS.items()}
    return {
        **methods,
        **models,
        "experiment-rcgnn": SensorExperiment(),
        "diffusion-toy": ToyExperiment(),
        "diffusion-images": ImageExperiment(),
    }


def describe_options(name: str) -> str:
    """Write all options of a method or an experiment with their defaults and meaning."""
    known = known_options()
    if name not in known:
        raise InputError(
            f"no method {name!r}.{nearest(name, list(known))} Methods: {', '.join(known)}."
        )
    lines = [f"# Options of {name}; aetia {__version__}"]
    if any(name in methods for methods in methods_by_verb().values()):
        lines.append(f"method: {name}")
    return "\n".join([*lines, *_described(known[name])]) + "\n"


def field_texts(config: type) -> dict[str, str]:
    """Read the strings below the fields of a dataclass, which document them."""
    texts: dict[str, str] = {}
    for cls in reversed([c for c in config.__mro__ if is_dataclass(c)]):
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body  # pyright: ignore
        for field, below in pairwise(body):
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and is_text:
                text = " ".join(str(below.value.value).split())  # pyright: ignore
                texts[field.target.id] = text  # pyright: ignore[reportAttributeAccessIssue]
    return texts


def _described(options: Any) -> list[str]:
    """Write the fields of an object, and inside them those of the objects that they hold."""
    texts, lines = field_texts(type(options)), []
    kind = getattr(type(options), "type", None)  # which model the section of an experiment is
    if isinstance(kind, str) and "type" not in {f.name for f in fields(options)}:
        lines.append(f"type: {kind}")
    for field in fields(options):
        if field.name in texts:
            lines += [f"# {line}" for line in textwrap.wrap(texts[field.name], 92)]
        value = getattr(options, field.name)
        if is_dataclass(value):
            lines += [f"{field.name}:", *(f"  {line}" for line in _described(value))]
        else:
            text = yaml.safe_dump({field.name: _plain(value)}, sort_keys=False)
            lines += text.strip().splitlines()
    return lines


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (tuple, list, range)) else value
