"""The standing texts of the pages: small print and names of quantities, from ``texts.yaml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from aetia.report.numbers import show
from aetia.report.sections.blocks import Words

__all__ = ["labelled", "labels", "note", "text"]


@cache
def _texts() -> dict[str, Any]:
    return yaml.safe_load(files("aetia.report").joinpath("texts.yaml").read_text(encoding="utf-8"))


def text(key: str, **values: Any) -> str:
    """Look up a text, ``kind.name``, and put values into its braces."""
    kind, name = key.split(".")
    found = " ".join(_texts()[kind][name].split()).format(**values)
    return found.replace(" %", "\u00a0%")


def note(key: str, **values: Any) -> Words:
    """Make small print of a text."""
    return Words(text(key, **values), "note")


def labels(key: str) -> dict[str, str]:
    """Look up the words for quantities, in the order in which they are shown."""
    kind, name = key.split(".")
    return dict(_texts()[kind][name])


def labelled(
    key: str, values: Mapping[str, Any], write: Callable[[Any], str] = show
) -> list[tuple[str, str]]:
    """Pair the words for quantities with the values that are known, written for people."""
    known = ((words, values.get(name)) for name, words in labels(key).items())
    return [(words, write(value)) for words, value in known if value is not None]
