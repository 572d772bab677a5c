"""The folder of a run: whether it may be written, and how a new run takes the place of an old one.

One rule for everybody who writes results: a folder that is not empty is left alone unless the user
insists, and then nothing of the old run stays behind. A new run is written to a folder beside its
place and moved there when it is complete; until then the old one is untouched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from aetia.errors import InputError
from aetia.files.strict_json import read_json

__all__ = ["check_writable", "replacing_run"]

_SUMMARY = "summary.json"


def check_writable(out: str | Path, *, force: bool = False) -> Path:
    """Make sure that results can be written to a folder, before a long computation.

    Args:
        out: The folder; made if needed.
        force: Whether it may hold a run, which is then replaced, or other files, which stay.

    Returns:
        Its path.

    Raises:
        InputError: If it is a file, cannot be written, or is not empty without ``force``.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {str(folder)!r} is a file; a folder is needed.")
    found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    if found and not force:
        shown = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
        what = "holds a run" if _SUMMARY in found else "is not empty"
        raise InputError(
            f"--out {str(folder)!r} {what} ({shown}). Choose another folder, or --force to replace "
            "the run in it."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".writing-"):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to {str(folder)!r}: {error.strerror or error}. Choose another --out."
        ) from error
    return folder


@contextlib.contextmanager
def replacing_run(out: str | Path, *, of_old_runs: Sequence[str] = ()) -> Iterator[Path]:
    """Give a folder to write a run into; when the block ends, it is the run at ``out``.

    Args:
        out: The run's place; :func:`check_writable` was asked before.
        of_old_runs: Names that belong to a run although an old summary does not list them, for
            folders written by earlier versions.

    Yields:
        A new folder beside ``out``, on the same disk.

    Raises:
        InputError: If the run cannot be moved to its place. Where the block raises, ``out`` is as
            it was and nothing of the new run is left.
    """
    place = Path(out)
    place.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}.writing-"))
    os.chmod(new, 0o755)
    try:
        yield new
        try:
            _put_in_place(new, place, of_old_runs)
        except OSError as error:
            raise InputError(
                f"cannot put the run into {str(place)!r}: {error.strerror or error}."
            ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put_in_place(new: Path, place: Path, of_old_runs: Sequence[str]) -> None:
    if not place.exists():
        os.rename(new, place)
        return
    old = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}.old-"))
    os.rename(place, old)  # an empty folder may be replaced by a rename
    try:
        os.rename(new, place)
    except OSError:
        os.rename(old, place)
        raise
    ours = {*_listed(old), *of_old_runs}
    for entry in old.iterdir():
        if entry.name not in ours and not (place / entry.name).exists():
            os.rename(entry, place / entry.name)  # files of the user's own stay
    shutil.rmtree(old, ignore_errors=True)


def _listed(run: Path) -> list[str]:
    """Names of files and folders that the run's summary says are its own."""
    if not (run / _SUMMARY).is_file():
        return []
    with contextlib.suppress(Exception):  # a damaged summary lists nothing
        return [_SUMMARY, *map(str, read_json(run / _SUMMARY).get("files", ()))]
    return [_SUMMARY]
