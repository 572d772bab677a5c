"""Atomic writes: readers of a file see all of it, or the one that was there before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from aetia.errors import InputError

__all__ = ["write_atomically"]


def write_atomically(path: str | Path, content: str | bytes) -> Path:
    """Write a file so that readers see all of it or the old one.

    The content goes to a temporary file in the same folder, is synced to the disk, and takes the
    place of the old file by one rename. The temporary file of a failed write is deleted.

    Args:
        path: The file; its folder is made if needed.
        content: What the file will hold; text is written as UTF-8.

    Returns:
        The path.

    Raises:
        InputError: If the file cannot be written; an older one of that name is untouched.
    """
    path = Path(path)
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "wb", dir=path.parent, prefix=".writing-", delete=False
        ) as handle:
            part = Path(handle.name)
            handle.write(content.encode("utf-8") if isinstance(content, str) else content)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(part, 0o644)  # temporary files are readable by their owner alone
        os.replace(part, path)
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}.") from error
    return path
