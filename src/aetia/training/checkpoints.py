"""Checkpoints: one file each, written atomically, verified on reading, never executable."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from aetia.errors import CheckpointError
from aetia.files import UNFINISHED, write_atomically

__all__ = ["list_checkpoints", "load_checkpoint", "save_checkpoint", "thin_checkpoints"]

_MAGIC = b"aetia-checkpoint-1\n"


def save_checkpoint(file: Path, content: Mapping[str, Any]) -> None:
    """Write plain containers and tensors so that readers see all of them or the old file.

    Args:
        file: Where to.
        content: What ``torch.load(weights_only=True)`` can read.

    Raises:
        InputError: If the file cannot be written; an older one of that name is untouched.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    payload = buffer.getvalue()
    write_atomically(file, _MAGIC + hashlib.sha256(payload).digest() + payload)


def load_checkpoint(file: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint and verify its checksum.

    Args:
        file: Written by :func:`save_checkpoint`.
        device: Where tensors go.

    Returns:
        Its content.

    Raises:
        CheckpointError: If the file is missing, truncated or changed.
    """
    try:
        raw = Path(file).read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {str(file)!r}: {error}") from error
    start = len(_MAGIC)
    digest, payload = raw[start : start + 32], raw[start + 32 :]
    if raw[:start] != _MAGIC or hashlib.sha256(payload).digest() != digest:
        raise CheckpointError(
            f"{str(file)!r} is truncated, was changed after it was written, or is no checkpoint "
            "of aetia. Delete it to go on from an older one."
        )
    try:
        return torch.load(io.BytesIO(payload), map_location=device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(
            f"{str(file)!r} holds something else than tensors and plain containers; it was not "
            "loaded."
        ) from error


def list_checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints of a run, the newest first.

    Args:
        folder: Folder that holds the run's checkpoints.

    Returns:
        Files named after their step; the best is not among them.
    """
    return sorted(Path(folder).glob("step-*.ckpt"), reverse=True)


def thin_checkpoints(folder: Path, keep: int) -> None:
    """Delete all but the newest checkpoints, and what interrupted writes left.

    Args:
        folder: Folder that holds the run's checkpoints.
        keep: How many stay.
    """
    for old in [*list_checkpoints(folder)[keep:], *Path(folder).glob(f"{UNFINISHED}*")]:
        old.unlink(missing_ok=True)
