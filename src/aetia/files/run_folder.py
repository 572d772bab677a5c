"""The folder of a run: whether it may be written, and how a new run takes the place of an old one.

One rule for everybody who writes results: a folder that is not empty is left alone unless the user
insists, and then nothing of the old run stays behind. A new run is written to a hidden folder and
moved to its place when it is complete; until then the old one is untouched. The folder itself stays
the same one, so it may be the working directory, a link or a mounted disk.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from aetia.errors import InputError
from aetia.files.atomic import UNFINISHED
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
    inside = folder.iterdir() if folder.is_dir() else ()
    found = sorted(p.name for p in inside if not p.name.startswith(UNFINISHED))
    if found and not force:
        shown = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
        what = "holds a run" if _SUMMARY in found else "is not empty"
        raise InputError(
            f"--out {str(folder)!r} {what} ({shown}). Choose another folder, or --force to replace "
            "the run in it."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=UNFINISHED):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to {str(folder)!r}: {error.strerror or error}. Choose another --out."
        ) from error
    return folder


@contextlib.contextmanager
def replacing_run(out: str | Path, *, of_old_runs: Sequence[str] = ()) -> Iterator[Path]:
    """Give a folder to write a run into; when the block ends, it is the run at ``out``.

    Files of the user's own that lie there stay, unless the new run has one of that name.

    Args:
        out: The run's place; :func:`check_writable` was asked before.
        of_old_runs: Names that belong to a run although an old summary does not list them, for
            folders written by earlier versions.

    Yields:
        A new, empty folder on the same disk.

    Raises:
        InputError: If the run cannot be moved to its place. Where the block raises, or the move
            fails, ``out`` is as it was and nothing of the new run is left.
    """
    place = Path(out)
    new = place / f"{UNFINISHED}{secrets.token_hex(8)}"
    was_there = place.is_dir()
    try:
        new.mkdir(parents=True)
    except OSError as error:
        raise InputError(
            f"cannot write to {str(place)!r}: {error.strerror or error}. Choose another --out."
        ) from error
    try:
        yield new
        try:
            _put_in_place(new, place, {*_listed(place), *of_old_runs})
        except OSError as error:
            raise InputError(
                f"cannot put the run into {str(place)!r}: {error.strerror or error}."
            ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if not was_there:
            with contextlib.suppress(OSError):  # it holds the run
                place.rmdir()


def _put_in_place(new: Path, place: Path, of_old_run: Collection[str]) -> None:
    """Move the old run aside and the new one in; undo all moves if one fails.

    The summary of the old run goes first and that of the new one comes last: a folder with a
    summary always holds a whole run.
    """
    old = place / f"{UNFINISHED}{secrets.token_hex(8)}"
    old.mkdir()
    coming = sorted(new.iterdir(), key=lambda entry: entry.name == _SUMMARY)
    names = {entry.name for entry in coming}
    going = [e for e in place.iterdir() if e.name in names or e.name in of_old_run]
    going.sort(key=lambda entry: entry.name != _SUMMARY)
    moves = [(entry, old / entry.name) for entry in going]
    moves += [(entry, place / entry.name) for entry in coming]
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            os.rename(source, target)
            done.append((source, target))
    except BaseException:  # an interruption, too
        for source, target in reversed(done):
            os.rename(target, source)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)
    for left in place.glob(f"{UNFINISHED}*/"):  # of runs that were killed
        if left != new:
            shutil.rmtree(left, ignore_errors=True)


def _listed(run: Path) -> list[str]:
    """Name what the run's summary says is its own, by the first folder of every path."""
    if not (run / _SUMMARY).is_file():
        return []
    with contextlib.suppress(Exception):  # a damaged summary lists nothing
        listed = map(str, read_json(run / _SUMMARY).get("files", ()))
        return [_SUMMARY, *(Path(name).parts[0] for name in listed if name)]
    return [_SUMMARY]
