"""The standing texts of the pages, from ``texts.yaml``: small print, words for quantities, columns.

A column of a table is a heading and a format string, into which the values of a row are put. Where
it states no format, numbers are written by :func:`show`; ``p`` writes a short probability, ``pc``
whole per cent. What is not known is a dash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

import yaml

from aetia.report.numbers import percent, show
from aetia.report.sections.blocks import Words
from aetia.results.adjacency_table import short_probability

__all__ = ["cells", "labelled", "labels", "note", "text"]


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


def labelled(key: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pair the words for quantities with the values that are known, written for people."""
    known = ((words, values.get(name)) for name, words in labels(key).items())
    return [(words, show(value)) for words, value in known if value is not None]


class _ForPeople(Formatter):
    """Formats as the columns of tables have them."""

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Look a value up; None where there is none."""
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        """Write one value."""
        if value is None or value != value:
            return "–"
        if not format_spec:
            return show(value)
        special = {"p": short_probability, "pc": percent}.get(format_spec)
        return special(value) if special else format(value, format_spec)


def cells(
    key: str, rows: Iterable[Mapping[str, Any]], *, without: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Lay rows out in the columns of a table.

    Args:
        key: The columns, ``kind.name``.
        rows: Values by name; ``bar`` is shown as it is, in the column without a heading.
        without: Headings of columns that are left out.

    Returns:
        Heading to cell, for each row.
    """
    columns = {head: form for head, form in labels(key).items() if head not in without}
    write = _ForPeople().vformat
    return [
        {head: write(form, (), row) if head else row["bar"] for head, form in columns.items()}
        for row in rows
    ]
