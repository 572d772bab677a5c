"""What verbs read from files: the table, its columns by role, and known edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from aetia.cli.request import Request
from aetia.data import PUBLIC_DATA, Dataset, Labelled, load_public, read_frame
from aetia.errors import InputError
from aetia.options import nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Chosen",
    "check_column",
    "choose_columns",
    "missing_table",
    "public_table",
    "read_truth",
    "split_names",
    "table_frame",
    "truth_graph",
]


class Chosen(NamedTuple):
    """Columns by what the user wants of them.

    Attributes:
        keep: Those of ``--columns``, in that order; empty where all others are used.
        exclude: All that are neither used nor have a role.
    """

    keep: list[str]
    exclude: list[str]


def public_table(name: str) -> Dataset | None:
    """Load the public data set of that name; None if it is none, or there is such a file."""
    if name not in PUBLIC_DATA or Path(name).exists():
        return None
    loaded = load_public(name)
    return loaded.data if isinstance(loaded, Labelled) else loaded


def missing_table(name: str) -> InputError:
    """Make the error for a table that is neither a file nor a data set."""
    return InputError(
        f"no such file: {name!r}, and no data set of that name (`aetia datasets` lists them)."
        f"{nearest(name, list(PUBLIC_DATA))}"
    )


def table_frame(name: str) -> tuple[pd.DataFrame, str]:
    """Read the table as a frame, before any check of its cells, and where it came from."""
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


def choose_columns(
    asked: Request, columns: Sequence[str], roles: Mapping[str, str | None]
) -> Chosen:
    """Read ``--exclude`` and ``--columns``, and refuse what they and other options both claim.

    Args:
        asked: What the user asked for.
        columns: Those of the table.
        roles: Option to the column that it names, such as ``time``: no column to compute with.

    Returns:
        The columns.
    """
    exclude = split_names("--exclude", asked.exclude, columns)
    keep = split_names("--columns", getattr(asked, "columns", None), columns)
    told = {f"--{option}": name for option, name in roles.items() if name is not None}
    for option, name in told.items():
        check_column(option, name, columns)
    twice = [(option, name, "--exclude") for option, name in told.items() if name in exclude]
    twice += [(option, name, "--columns") for option, name in told.items() if name in keep]
    twice += [("--columns", name, "--exclude") for name in keep if name in exclude]
    for option, name, other in twice:
        raise InputError(f"{option} and {other} both name the column {name!r}.")
    if keep:
        exclude = [c for c in columns if c not in keep and c not in told.values()]
    return Chosen(keep, exclude)


def split_names(option: str, words: Sequence[str] | None, columns: Sequence[str]) -> list[str]:
    """Read names of columns, one for each word or several with commas, each once."""
    names: list[str] = []
    for word in words or ():
        parts = [word] if word in columns else [part.strip() for part in word.split(",")]
        names += [check_column(option, part, columns) for part in parts if part]
    return list(dict.fromkeys(names))


def check_column(option: str, name: str, columns: Sequence[str]) -> str:
    """Refuse a name that is not a column, with the nearest one that is."""
    if name not in columns:
        shown = ", ".join(columns[:30]) + (", ..." if len(columns) > 30 else "")
        raise InputError(
            f"{option}: no column {name!r}.{nearest(name, list(columns))} Columns: {shown}."
        )
    return name


def read_truth(file: Path | None, names: Sequence[str]) -> list[dict[str, Any]] | None:
    """Read known edges from a CSV with the columns source, target and perhaps lag.

    Args:
        file: The file; None reads nothing.
        names: Columns of the table.

    Returns:
        Edges with ``source``, ``target`` and, where the file has it, ``lag``; None without a file.
    """
    import pandas as pd

    if file is None:
        return None
    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read --truth {str(file)!r}: {error}") from error
    if not {"source", "target"} <= set(frame.columns):
        raise InputError(
            f"--truth {str(file)!r} needs the columns source and target (and perhaps lag), found "
            f"{', '.join(map(str, frame.columns))}."
        )
    lags = frame["lag"] if "lag" in frame else [None] * len(frame)
    edges = []
    for row, (source, target, lag) in enumerate(
        zip(frame["source"], frame["target"], lags, strict=True)
    ):
        edge: dict[str, Any] = {"source": str(source), "target": str(target)}
        for end in edge.values():
            check_column("--truth", end, names)
        is_number = isinstance(lag, (int, float, np.number))
        if lag is not None and not (is_number and lag >= 0 and float(lag).is_integer()):
            raise InputError(
                f"--truth {str(file)!r}: row {row} has the lag {lag!r}. A lag is a number of "
                "steps: 0, 1, 2, ...; drop the column if lags are not known."
            )
        edges.append(edge if lag is None else edge | {"lag": int(lag)})
    return edges


def truth_graph(
    edges: Sequence[Mapping[str, Any]] | None, names: Sequence[str]
) -> Bool[np.ndarray, "d d"] | None:
    """Put known edges into one graph, whatever their lags; a variable is no cause of itself."""
    if edges is None:
        return None
    graph = np.zeros((len(names), len(names)), dtype=bool)
    for edge in edges:
        if edge["source"] != edge["target"]:
            graph[names.index(edge["source"]), names.index(edge["target"])] = True
    return graph
