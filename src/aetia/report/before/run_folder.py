"""The folder of a run: whether it can be written."""

from __future__ import annotations

from pathlib import Path

from aetia.errors import InputError

__all__ = ["check_writable"]


def check_writable(out: str | Path, *, force: bool = True) -> Path:
    """Make a folder for results and make sure that it can be written, before a long computation.

    Args:
        out: The folder.
        force: Whether files may be in it already.

    Returns:
        Its path.

    Raises:
        InputError: If it is a file, cannot be written, or is not empty without ``force``.
    """
    folder = Path(out)
    if not force and folder.is_dir():
        found = sorted(p.name for p in folder.iterdir())
        if found:
            shown = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
            raise InputError(
                f"--out {str(folder)!r} is not empty ({shown}). Choose another folder, or --force "
                "to write over it."
            )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {str(folder)!r} is a file; a folder is needed.")
    probe = folder / ".aetia-write-test"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"cannot write to {str(folder)!r}: {error.strerror or error}. Choose another --out."
        ) from error
    return folder
