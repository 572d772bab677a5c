"""Atomic writes: readers of a file see all of it, or the one that was there before."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from aetia.errors import InputError

__all__ = ["UNFINISHED", "replacing_file", "write_atomically"]

UNFINISHED = ".writing-"
"""Names of files and folders that are being written begin with this."""


def write_atomically(path: str | Path, content: str | bytes) -> Path:
    """Write a file so that readers see all of it or the old one.

    Args:
        path: The file; its folder is made if needed.
        content: What the file will hold; text is written as UTF-8.

    Returns:
        The path.

    Raises:
        InputError: If the file cannot be written; an older one of that name is untouched.
    """
    raw = content.encode("utf-8") if isinstance(content, str) else content
    with replacing_file(path) as part:
        part.write_bytes(raw)
    return Path(path)


@contextlib.contextmanager
def replacing_file(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; when the block ends, what it wrote is the file at ``path``.

    For libraries that write to a path of their own. The temporary file lies in the same folder, is
    synced to the disk, and takes the place of the old file by one rename. It has the permissions of
    the old file, or those that the process gives to new ones.

    Args:
        path: The file; its folder is made if needed.

    Yields:
        Where to write.

    Raises:
        InputError: If the file cannot be written. Whatever the block raises, an older file of that
            name is as it was and nothing of the new one is left.
    """
    path = Path(path)
    part = path.parent / f"{UNFINISHED}{secrets.token_hex(8)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        if path.is_file():
            os.chmod(part, stat.S_IMODE(path.stat().st_mode))
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):  # it is not there, or its folder is not
            part.unlink()
