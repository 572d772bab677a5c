"""The lines that say what an option does, and where options are read.

The string below a field of a configuration is the source: ``aetia config`` prints it, and the
entry of the same name in ``Args`` of the estimator repeats it. After a change of these lines,

    python tests/house/option_lines.py DiBSConfig ExactConfig

writes them into the estimators' docstrings.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import aetia
from aetia.benchmark.data_config import DataConfig, FamilyConfig
from aetia.benchmark.experiment_config import ExperimentConfig, InferenceConfig, LoggerConfig
from aetia.benchmark.inherited_names import NETWORK_NAMES, TRAINING_NAMES
from aetia.benchmark.model_config import AVICIModel, BCNPModel, DiBSModel, ExactModel
from aetia.benchmark.sensor_config import SensorExperiment
from aetia.benchmark.trainer_config import TrainerConfig
from aetia.cli.option_texts import field_texts
from aetia.discovery import METHODS as DISCOVERY
from aetia.discovery import AVICIConfig, BCNPConfig
from aetia.discovery.rcgnn.neural import NeuralOptions, PublishedOptions
from aetia.effects import METHODS as EFFECTS
from aetia.generation import METHODS as TABLES
from aetia.generation.bgm import ImageBGM, ImageBGMConfig
from aetia.generation.diffusion import ImageDDDM, ImageDDDMConfig
from aetia.generation.diffusion.experiments import ImageExperiment, ToyExperiment
from aetia.training import TrainingConfig

PACKAGE = Path(aetia.__file__).parent


class Options(NamedTuple):
    """A configuration, the estimator that spells it out, and the rooms that read it."""

    config: type
    estimator: type | None
    rooms: tuple[str, ...]


def _of_methods(methods: Any, *more: str) -> Iterator[Options]:
    for estimator, config in methods.values():
        room = "/".join(estimator.__module__.split(".")[1:-1])
        yield Options(config, estimator, (room, *more))


OPTIONS = [
    *_of_methods(DISCOVERY, "discovery/amortised"),
    *_of_methods(EFFECTS),
    *_of_methods(TABLES, "generation/diffusion"),
    Options(ImageBGMConfig, ImageBGM, ("generation/bgm",)),
    Options(ImageDDDMConfig, ImageDDDM, ("generation/diffusion",)),
    Options(AVICIConfig, None, ("discovery/avici",)),
    Options(BCNPConfig, None, ("discovery/bcnp",)),
    Options(NeuralOptions, None, ("discovery/rcgnn",)),
    Options(PublishedOptions, None, ("discovery/rcgnn",)),
    Options(TrainingConfig, None, ("training", "discovery/amortised")),
    Options(ToyExperiment, None, ("generation/diffusion/experiments",)),
    Options(ImageExperiment, None, ("generation/diffusion/experiments",)),
    *(
        Options(config, None, ("benchmark",))
        for config in (
            AVICIModel,
            BCNPModel,
            DataConfig,
            DiBSModel,
            ExactModel,
            ExperimentConfig,
            FamilyConfig,
            InferenceConfig,
            LoggerConfig,
            SensorExperiment,
            TrainerConfig,
        )
    ),
]

HANDED_ON = {
    AVICIModel: (AVICIConfig, NETWORK_NAMES),
    BCNPModel: (BCNPConfig, NETWORK_NAMES),
    TrainerConfig: (TrainingConfig, TRAINING_NAMES),
}
"""Sections whose fields ``options_for`` hands on by name: to which options, and other names."""

_HOLDERS = {
    "config",
    "data",
    "experiment",
    "family_config",
    "inference",
    "logger",
    "model",
    "neural",
    "options",
    "trainer",
    "training",
}
"""Names that objects with options go by where they are read."""

_BARE = {
    *("About", "After", "As", "At", "Before", "Between", "By", "During", "For", "From", "In"),
    *("Of", "On", "Over", "Per", "To", "Under", "Until", "Up", "With", "Within", "Without"),
}


def texts_of(config: type) -> dict[str, str]:
    """Read the line of every field; a field without one has the empty text."""
    found = field_texts(config)
    return {f.name: found.get(f.name, "") for f in fields(config)}


def faults(text: str) -> list[str]:
    """Say what keeps a line from being a full sentence."""
    words = text.split()
    found = []
    if not text[:1].isupper():
        found.append("does not begin with a capital")
    if not text.endswith("."):
        found.append("does not end with a full stop")
    if len(words) < 5:
        found.append("has fewer than five words")
    if words and words[0].rstrip(",:") in _BARE:
        found.append(f"begins with the preposition {words[0]!r}")
    return found


def args_of(estimator: type) -> dict[str, str]:
    """Read the section ``Args`` of a class: argument to text, in one line."""
    section = re.search(r"\n\nArgs:\n(.*?)(?:\n\n|\Z)", inspect.getdoc(estimator) or "", re.DOTALL)
    entries = re.split(r"^    (\w+): ", section.group(1) if section else "", flags=re.MULTILINE)
    return {k: " ".join(v.split()) for k, v in zip(entries[1::2], entries[2::2], strict=True)}


def is_read(options: Options, field: str) -> bool:
    """Find whether code reads a field, outside the checks of its own class."""
    if field in _reads(options):
        return True
    target, names = HANDED_ON.get(options.config, (None, {}))
    if target is None or names.get(field, field) not in {f.name for f in fields(target)}:
        return False
    return is_read(next(o for o in OPTIONS if o.config is target), names.get(field, field))


@cache
def _reads(options: Options) -> set[str]:
    own = {cls.__name__ for cls in options.config.__mro__}
    paths = [p for room in options.rooms for p in sorted((PACKAGE / room).rglob("*.py"))]
    return set().union(*(_read_in(_parsed(path), own, False) for path in paths))


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _read_in(node: ast.AST, own: set[str], inside: bool) -> set[str]:
    """Collect ``config.NAME``, ``getattr(config, "NAME")`` and ``config.value("NAME")``."""
    found: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if inside and isinstance(child, ast.FunctionDef) and child.name == "__post_init__":
            continue
        if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Load):
            holder = _last_name(child.value)
            if holder in _HOLDERS or (inside and holder == "self"):
                found.add(child.attr)
        elif isinstance(child, ast.Call) and _last_name(child.func) in ("getattr", "value"):
            found |= {str(a.value) for a in child.args[:2] if isinstance(a, ast.Constant)}
        is_own = isinstance(child, ast.ClassDef) and child.name in own
        found |= _read_in(child, own, inside or is_own)
    return found


def _last_name(node: ast.AST) -> str:
    """Name an expression by its last part: ``self._config`` and ``config`` are one."""
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name.lstrip("_")


def written(source: str, estimator: type, texts: dict[str, str]) -> str:
    """Put the lines of the options into the section ``Args`` of a class.

    Args:
        source: Text of the file that defines the class.
        estimator: The class.
        texts: Option to line; other arguments stay as they are.

    Returns:
        The text with the entries replaced.
    """
    at = source.index(f"\nclass {estimator.__name__}(")
    start = source.index("\n    Args:\n", at) + len("\n    Args:\n")
    end = source.index("\n\n", start)
    entries = []
    for name, text in args_of(estimator).items():
        line = f"{name}: {texts.get(name, text)}"
        entries.append(
            textwrap.fill(
                line,
                100,
                initial_indent=" " * 8,
                subsequent_indent=" " * 12,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    return source[:start] + "\n".join(entries) + source[end:]


if __name__ == "__main__":
    for options in OPTIONS:
        if options.estimator is not None and options.config.__name__ in sys.argv[1:]:
            path = Path(inspect.getfile(options.estimator))
            source = path.read_text(encoding="utf-8")
            path.write_text(written(source, options.estimator, texts_of(options.config)))
