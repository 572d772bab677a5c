"""JSON that every reader accepts: no NaN, no infinity, plain containers only (RFC 8259)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aetia.errors import ResultFileError
from aetia.files.atomic import write_atomically

__all__ = ["dump_json", "plain_json", "read_json", "write_json"]


def plain_json(value: Any) -> Any:
    """Turn NumPy values, tuples and mappings into what JSON can hold.

    Args:
        value: Nested plain data.

    Returns:
        Lists, dicts, strings, finite numbers, True, False and None. NaN and infinities, for which
        JSON has no word, become None; what else is no plain value becomes its text.
    """
    if isinstance(value, Mapping):
        return {str(k): plain_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain_json(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def dump_json(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Write nested plain data as strict JSON.

    Args:
        value: What :func:`plain_json` takes.
        indent: Spaces of a level; None writes one line.
        sort_keys: Whether keys are sorted.

    Returns:
        The text.
    """
    plain = plain_json(value)
    return json.dumps(
        plain, indent=indent, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False
    )


def write_json(path: str | Path, value: Any, *, sort_keys: bool = False) -> Path:
    """Write nested plain data to a file, atomically and indented for people.

    Args:
        path: The file.
        value: What :func:`plain_json` takes.
        sort_keys: Whether keys are sorted.

    Returns:
        The path.

    Raises:
        InputError: If the file cannot be written.
    """
    return write_atomically(path, dump_json(value, indent=1, sort_keys=sort_keys) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file of ours.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        ResultFileError: If the file is missing or is no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or error
        raise ResultFileError(f"{str(path)!r} is missing or damaged: {what}.") from error
