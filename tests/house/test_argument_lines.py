"""The lines of docstrings under Args and Attributes say what a thing is, not only whose it is.

"generator: Of the noise." makes the reader guess that a source of random numbers is meant. A line
that begins with a preposition has left out its noun, so we count those lines.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import aetia

PACKAGE = Path(aetia.__file__).parent

BARE = re.compile(
    r"(of|for|in|on|at|by|to|from|with|as|between|before|after|within|until|per|under|over|along"
    r"|inside|beside|like)\b",
    re.IGNORECASE,
)
"""A line that begins with a preposition."""

SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields|Examples?|Notes?):\s*")
ENTRY = re.compile(r" {4}\*{0,2}(\w+):\s*(.*)")

MOST = 0.01
"""Share of lines that may do so."""


def entries(docstring: str) -> Iterator[tuple[str, str]]:
    """List the names under Args and Attributes with the first line about each."""
    section = ""
    for line in docstring.splitlines():
        if found := SECTION.fullmatch(line):
            section = found.group(1)
        elif section in ("Args", "Attributes") and (found := ENTRY.fullmatch(line)):
            yield found.group(1), found.group(2)


def entries_of_package() -> Iterator[tuple[str, str, str]]:
    """List module, name and first line of every entry in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for name, line in entries(ast.get_docstring(node) or ""):
                    yield str(path.relative_to(PACKAGE)), f"{node.name}({name})", line


def test_entries_are_found_in_both_sections_and_nowhere_else():
    docstring = """Draw.

    Args:
        generator: Of the noise.
        *sizes: Numbers of rows,
            in this order.

    Attributes:
        mean: Average.

    Returns:
        draws: With noise.
    """
    assert list(entries(ast.get_docstring(ast.parse(f'"""{docstring}"""')) or "")) == [
        ("generator", "Of the noise."),
        ("sizes", "Numbers of rows,"),
        ("mean", "Average."),
    ]


@pytest.mark.parametrize("line", ["Of the noise.", "For messages.", "as in fit", "Inside."])
def test_a_preposition_at_the_beginning_is_bare(line):
    assert BARE.match(line)


@pytest.mark.parametrize("line", ["Offset.", "Source of the noise.", "Inputs.", "``of`` a row."])
def test_other_words_are_not(line):
    assert not BARE.match(line)


def test_hardly_any_line_begins_with_a_bare_preposition():
    lines = list(entries_of_package())
    bare = [entry for entry in lines if BARE.match(entry[2])]
    by_room = Counter(module.split("/")[0] for module, _, _ in bare)
    assert len(bare) <= MOST * len(lines), f"{len(bare)} of {len(lines)}: {by_room}\n{bare}"
