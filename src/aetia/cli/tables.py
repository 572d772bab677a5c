"""The table that a verb was given: a file, or a public data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aetia.data import PUBLIC_DATA, Dataset, Labelled, load_public, read_frame
from aetia.errors import InputError
from aetia.options import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_column", "missing_table", "public_table", "split_names", "table_frame"]


def public_table(name: str) -> Dataset | None:
    """Load a public data set.

    Args:
        name: What the user gave as the table.

    Returns:
        The table; None if it is not the name of one, or there is a file of that name.
    """
    if name not in PUBLIC_DATA or Path(name).exists():
        return None
    loaded = load_public(name)
    return loaded.data if isinstance(loaded, Labelled) else loaded


def missing_table(name: str) -> InputError:
    """Make the error for a table that is neither a file nor a data set.

    Args:
        name: What the user gave.

    Returns:
        The error.
    """
    return InputError(
        f"no such file: {name!r}, and no data set of that name (`aetia datasets` lists them)."
    )


def table_frame(name: str) -> tuple[pd.DataFrame, str]:
    """Read the table as a frame, before any check of its cells.

    Args:
        name: Path, or name of a public data set.

    Returns:
        The frame, and where it came from.

    Raises:
        InputError: If it cannot be read.
    """
    import pandas as pd

    data = public_table(name)
    if data is not None:
        frame = pd.DataFrame(data.values, columns=list(data.names))
        for column, labels in data.levels.items():
            frame[column] = [labels[int(c)] if c == c else None for c in frame[column]]
        return frame, data.source
    if not Path(name).exists():
        raise missing_table(name)
    return read_frame(name), name


def split_names(option: str, words: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Read names of columns, one for each word or several with commas.

    Args:
        option: For messages.
        words: What the user wrote.
        columns: Those of the table; a name with a comma is taken whole.

    Returns:
        Names, each once.

    Raises:
        InputError: If one is not a column.
    """
    names: list[str] = []
    for word in words:
        parts = [word] if word in columns else [part.strip() for part in word.split(",")]
        for part in parts:
            if part:
                names.append(check_column(option, part, columns))
    return list(dict.fromkeys(names))


def check_column(option: str, name: str, columns: Sequence[str]) -> str:
    """Refuse a name that is not a column.

    Args:
        option: For messages.
        name: What the user wrote.
        columns: Those of the table.

    Returns:
        The name.

    Raises:
        InputError: Naming the nearest column.
    """
    if name not in columns:
        shown = ", ".join(columns[:30]) + (", ..." if len(columns) > 30 else "")
        raise InputError(
            f"{option}: no column {name!r}.{nearest(name, list(columns))} Columns: {shown}."
        )
    return name
