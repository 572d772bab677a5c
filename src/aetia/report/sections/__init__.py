"""Sections of a page, made of a few kinds of blocks."""

from aetia.report.sections.blocks import (
    Bar,
    Block,
    Bullets,
    Chips,
    Details,
    Facts,
    Figure,
    Findings,
    Grid,
    Heading,
    Preformatted,
    Section,
    Table,
    Words,
)

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
]
