"""What a section of a page is made of; ``templates/page.html.j2`` draws each kind of block.

Everything that a block holds is text of ours or of the user's, and is escaped by the template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aetia.plots import svg_data_uri

if TYPE_CHECKING:
    from aetia.report.checks import Finding

__all__ = [
    "Bar",
    "Block",
    "Bullets",
    "Chips",
    "Details",
    "Facts",
    "Figure",
    "Findings",
    "Grid",
    "Heading",
    "Preformatted",
    "Section",
    "Table",
    "Words",
    "picture",
]


@dataclass(frozen=True)
class Words:
    """A paragraph.

    Attributes:
        text: What it says.
        tone: ``answer`` is large, ``basis`` is grey, ``note`` is small print, ``warn`` has a bar
            beside it.
    """

    text: str
    tone: Literal["plain", "answer", "basis", "note", "warn"] = "plain"


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of statements, each with its first words in bold."""

    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Chips:
    """Short texts side by side; ``more`` counts those that are left out."""

    items: Sequence[str]
    more: int = 0


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        image: Data URI.
        alt: What it shows, for those who cannot see it.
        size: ``fit`` shrinks it to the screen, ``wide`` keeps 640 pixels on a phone, ``natural``
            its own width there, for drawings with small text.
    """

    image: str
    alt: str
    size: Literal["fit", "wide", "natural"] = "fit"


def picture(drawn: Any, alt: str, size: Literal["fit", "wide", "natural"] = "fit") -> Figure:
    """Make a block of matplotlib axes or of a matplotlib figure."""
    return Figure(svg_data_uri(getattr(drawn, "figure", None) or drawn), alt, size)


@dataclass(frozen=True)
class Bar:
    """A cell of a table: a bar of up to 60 pixels, in one or two parts.

    Attributes:
        length: Length of the first part, as a share of 60 pixels.
        back: Length of the second part, in orange; None draws no track behind the bar.
    """

    length: float
    back: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Attributes:
        rows: Heading of a column to its cell, the same headings in every row.
        names: Columns of text, aligned to the left; None for the first one.
        desk: Columns that a phone does not show.
        dense: Whether a phone shows it in smaller letters.
    """

    rows: Sequence[Mapping[str, Any]]
    names: Sequence[str] | None = None
    desk: Sequence[str] = ()
    dense: bool = False

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Headings, each with the classes of its cells."""
        heads = list(self.rows[0]) if self.rows else []
        names = heads[:1] if self.names is None else self.names
        return [
            (h, ("name" if h in names else "n") + (" desk" if h in self.desk else ""))
            for h in heads
        ]


@dataclass(frozen=True)
class Facts:
    """Names and values, one pair a line."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Findings:
    """What checks found: verdict, title, sentence and code of each."""

    items: Sequence[Finding]


@dataclass(frozen=True)
class Preformatted:
    """Text in which lines and spaces count."""

    text: str


@dataclass(frozen=True)
class Details:
    """Blocks behind a line that opens them."""

    summary: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Grid:
    """Groups of blocks side by side where the screen is wide enough.

    Attributes:
        cells: The groups; one that is empty is left out.
        width: Least width of a group in pixels.
        whole: Numbers of the groups that take a line of their own.
    """

    cells: Sequence[Sequence[Block]]
    width: int = 300
    whole: Sequence[int] = ()


Block: TypeAlias = (
    Words
    | Heading
    | Bullets
    | Chips
    | Figure
    | Table
    | Facts
    | Findings
    | Preformatted
    | Details
    | Grid
)


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        id: Its anchor. Blocks of a section ``answer`` or ``run`` are added to those that every
            page has.
        heading: Its heading.
        blocks: What it shows, from top to bottom.
    """

    id: str
    heading: str
    blocks: Sequence[Block] = field(default_factory=tuple)
