"""What the models of this room share about their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from aetia.errors import CheckpointError, ResultFileError

__all__ = ["MODEL_FILE", "damage_named", "options_of", "some"]

MODEL_FILE = "model.safetensors"
"""The bundle in the folder that ``save`` writes."""


def options_of(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Turn options from JSON, which has lists only, into what option objects take.

    Args:
        plain: Option to plain value.

    Returns:
        The same with tuples for lists.
    """
    return {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}


def some(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Choose the tensors of one part.

    Args:
        tensors: All, with names ``part.name``.
        prefix: The part.

    Returns:
        Its tensors, by name without the part.
    """
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


@contextmanager
def damage_named(folder: str | Path) -> Iterator[None]:
    """Turn whatever a damaged file leads to into one error.

    Args:
        folder: The folder, for the message.

    Yields:
        Nothing.

    Raises:
        CheckpointError: If something in the block fails that a whole file would not cause.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (CheckpointError, ResultFileError):
        raise
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"the model in {str(folder)!r} is damaged ({type(error).__name__}: {error})."
        ) from error
