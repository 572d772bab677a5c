"""The user's table with its holes filled; every cell that was given stays as it was written."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from aetia.errors import InputError
from aetia.results.draws import Draws

__all__ = ["Cells", "complete_cells", "read_cells", "write_cells"]

Cells = list[list[str]]
"""A header and rows of text."""


def read_cells(path: str | Path) -> Cells | None:
    """Read a file of text as it was written, without making numbers of it.

    Args:
        path: CSV or TSV, perhaps compressed.

    Returns:
        Header and rows; None for files that hold no text.
    """
    path = Path(path)
    if path.suffix.lower() not in {".csv", ".tsv", ".txt", ".gz"}:
        return None
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        text = file.read()
    delimiter = ","
    if path.suffix.lower() in {".tsv", ".txt"}:
        delimiter = csv.Sniffer().sniff(text.split("\n", 1)[0]).delimiter
    return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]


def complete_cells(
    draws: Draws, cells: Cells | None, *, fill: Literal["mean", "draw"] = "mean"
) -> Cells:
    """Fill the missing cells of a table of text.

    Columns with two values and text get the most probable one, as the user spells it; all others
    the mean of the draws, or one draw.

    Args:
        draws: Imputations; rows as in the text.
        cells: The table as it was written; None writes the numbers of ``draws``.
        fill: ``"mean"``, or ``"draw"`` for one draw of the whole table, whose columns vary and go
            together as the data do.

    Returns:
        Header and rows without holes in the columns of ``draws``.

    Raises:
        InputError: If rows or columns do not match.
    """
    names = draws.cell_names()
    if cells is None:
        text = np.where(draws.observed, draws.given.astype(object), "")
        cells = [list(names), *[[_number(v) for v in row] for row in text]]
    header, rows = cells[0], [list(row) for row in cells[1:]]
    if len(rows) != len(draws.given) or any(name not in header for name in names):
        raise InputError(
            f"the file has {len(rows)} rows, the imputed table has {len(draws.given)}: its cells "
            "cannot be kept as they are written. Save it as a plain CSV with one header."
        )
    values = draws.mean if fill == "mean" else draws.draw(0)
    labels = draws.completed(None if fill == "mean" else 0) if draws.levels else None
    for j, name in enumerate(names):
        at, missing = header.index(name), np.flatnonzero(~draws.observed[:, j])
        spelled = _spelling(draws, rows, j, at)
        for i in missing:
            value = float(values[i, j])
            rows[i].extend([""] * (at + 1 - len(rows[i])))
            if labels is not None and name in draws.levels:
                rows[i][at] = str(labels.iloc[i, j])
                continue
            nearest = min(spelled, key=lambda v: abs(v - value)) if spelled else None
            rows[i][at] = f"{value:.8g}" if nearest is None else spelled[nearest]
    return [list(header), *rows]


def write_cells(cells: Cells) -> str:
    """Write a table of text as CSV.

    Args:
        cells: Header and rows.

    Returns:
        The file.
    """
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(cells)
    return file.getvalue()


def _spelling(draws: Draws, rows: Sequence[Sequence[str]], j: int, at: int) -> dict[float, str]:
    """How the user writes the two values of a column; empty for other columns."""
    column = draws.given[:, j]
    seen = np.flatnonzero(~np.isnan(column))
    distinct = np.unique(column[seen])
    if len(distinct) != 2:
        return {}
    return {float(v): rows[int(seen[column[seen] == v][0])][at] for v in distinct}


def _number(value: object) -> str:
    if isinstance(value, str):
        return value
    number = float(value)  # pyright: ignore[reportArgumentType]
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)
