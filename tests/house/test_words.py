"""Words of the field: what docs/glossary.md replaces does not come back."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FILES = [
    *sorted((ROOT / "src" / "aetia").rglob("*.py")),
    *sorted((ROOT / "src" / "aetia").rglob("*.html")),
    *sorted((ROOT / "src" / "aetia").rglob("*.yaml")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]

OTHER_LAWS = re.compile(
    r"law of (total|large|iterated)|laws? of (nature|physics|motion)|power[- ]law"
    r"|\"law\"|``law``|\(law=\"",
    re.IGNORECASE,
)
"""Where law does not mean a distribution, and where the word itself is quoted."""

LAW = re.compile(r"(?<![A-Za-z])laws?(?![a-z])|(?<=[a-z])Laws?(?![a-z])|\bLaws?(?![a-z])")
"""In prose and in names: law, unit_laws, DoseLaw."""


def lines_with_law(text: str) -> list[str]:
    """List the lines that say law for a distribution."""
    return [line for line in text.splitlines() if LAW.search(OTHER_LAWS.sub("", line))]


@pytest.mark.parametrize(
    "line",
    ["the law of z", "def unit_laws(x):", "class DoseLaw:", "Laws of rows", "_law = 1", "Law"],
)
def test_the_word_is_found_in_prose_and_in_names(line):
    assert lines_with_law(line)


@pytest.mark.parametrize(
    "line",
    ["the law of total variance", "a power law", "flaws, lawn, claw", 'not "law"', "slaw"],
)
def test_other_meanings_are_left_alone(line):
    assert not lines_with_law(line)


def test_distributions_are_called_distributions():
    found = {}
    for path in FILES:
        if lines := lines_with_law(path.read_text(encoding="utf-8")):
            found[str(path.relative_to(ROOT))] = lines
    assert found == {}
