"""One format for everything that is made of tensors: safetensors with a header and a checksum.

A bundle is a single file, so weights and their description cannot come apart. The header is plain
JSON in the metadata of the safetensors file: ``kind`` (what it is), ``schema`` (version of the
content), ``version`` (of aetia), ``sha256`` (of kind, schema, plain values and tensors) and
``plain`` (whatever the owner keeps). Nothing in it is executable.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from aetia.errors import CheckpointError, ResultFileError
from aetia.files.atomic import write_atomically
from aetia.files.strict_json import dump_json
from aetia.version import __version__

__all__ = ["Bundle", "is_bundle", "load_bundle", "save_bundle"]


class Bundle(NamedTuple):
    """What a bundle holds."""

    kind: str
    schema: int
    tensors: dict[str, Tensor]
    plain: dict[str, Any]


def save_bundle(
    path: str | Path,
    *,
    kind: str,
    schema: int,
    tensors: Mapping[str, Tensor],
    plain: Mapping[str, Any],
) -> Path:
    """Write tensors and plain values to one file, atomically.

    Args:
        path: The file.
        kind: What it is, usually the class that reads it; checked on reading.
        schema: Version of the content, 1 or more; readers refuse newer ones.
        tensors: Tensors by name; they are copied to the CPU and written from there.
        plain: Anything that strict JSON can hold.

    Returns:
        The path.

    Raises:
        InputError: If it cannot be written.
    """
    from safetensors.torch import save

    # Clones: safetensors refuses tensors that share memory.
    ready = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
    text = dump_json(plain)
    header = {"kind": kind, "schema": schema, "version": __version__}
    checksum = _checksum(ready, text, kind, schema)
    metadata = {"aetia": dump_json(header | {"sha256": checksum}), "plain": text}
    return write_atomically(path, save(ready, metadata=metadata))


def load_bundle(path: str | Path, *, kind: str | None, schema: int) -> Bundle:
    """Read what :func:`save_bundle` wrote, onto the CPU, and verify its checksum.

    Args:
        path: The file.
        kind: What is expected; None takes any.
        schema: The newest version of the content that the caller understands.

    Returns:
        Kind, version of the content, tensors and plain values.

    Raises:
        ResultFileError: If there is no such file, or it holds another kind or a newer schema.
        CheckpointError: If it is truncated, was changed, or is no bundle.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise ResultFileError(
            f"no saved {kind or 'model'} at {str(path)!r}: there is no such file."
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            header, text = json.loads(metadata["aetia"]), metadata["plain"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found, version = str(header["kind"]), int(header["schema"])
        plain = json.loads(text)
        is_intact = header["sha256"] == _checksum(tensors, text, found, version)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{str(path)!r} is damaged or was not written by aetia ({type(error).__name__}: "
            f"{error})."
        ) from error
    if kind is not None and found != kind:
        raise ResultFileError(
            f"{str(path)!r} holds a {found}, expected a {kind}: use {found}.load."
        )
    if version > schema:
        raise ResultFileError(
            f"{str(path)!r} was written by a newer version of aetia ({header.get('version')}): its "
            f"content has schema {version}, this version reads up to {schema}. Upgrade aetia."
        )
    if not is_intact:
        raise CheckpointError(
            f"{str(path)!r} is truncated or was changed after it was written: its checksum differs."
        )
    return Bundle(found, version, tensors, plain)


def is_bundle(path: str | Path) -> bool:
    """Tell a bundle from a file of the same name that an earlier version wrote.

    Args:
        path: The file.

    Returns:
        Whether it is a safetensors file with the header of a bundle; it may still be damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return "aetia" in (file.metadata() or {}) and "plain" in file.metadata()
    except (SafetensorError, OSError):
        return False


def _checksum(tensors: Mapping[str, Tensor], plain: str, kind: str, schema: int) -> str:
    """SHA-256 of names, types, shapes and bytes of the tensors and of the plain values."""
    digest = hashlib.sha256(f"{kind}\n{schema}\n{plain}\n".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
