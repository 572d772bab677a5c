"""What experiments leave in their folder: weights, histories, pictures."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from aetia.errors import CheckpointError
from aetia.files import plain_json, write_atomically, write_json
from aetia.plots import plot_dynamics

__all__ = ["History", "read_weights", "write_figure", "write_weights"]


def write_weights(file: Path, network: nn.Module, config: Mapping[str, Any]) -> None:
    """Write ``{model, config}``: tensors and plain values.

    Args:
        file: The file.
        network: Its weights are taken.
        config: What is needed to build it again.
    """
    buffer = io.BytesIO()
    weights = {k: v.detach().cpu() for k, v in network.state_dict().items()}
    torch.save({"model": weights, "config": plain_json(config)}, buffer)
    write_atomically(file, buffer.getvalue())


def read_weights(file: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what :func:`write_weights` wrote; nothing in the file is run.

    Args:
        file: File of the weights.

    Returns:
        Weights and configuration.

    Raises:
        CheckpointError: If the file is missing, damaged or holds something else.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        return content["model"], content["config"]
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, EOFError) as error:
        raise CheckpointError(
            f"cannot read weights from {str(file)!r} ({type(error).__name__}: {error})."
        ) from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{str(file)!r} holds something else than tensors and plain values; it was not loaded."
        ) from error


def write_figure(file: Path, figure: Any) -> None:
    """Write a picture.

    Args:
        file: The file, a PNG.
        figure: Figure of matplotlib.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    write_atomically(file, buffer.getvalue())


class History:
    """Lists of numbers by name, one entry for each step or epoch.

    Args:
        file: The JSON file that it is written to; its picture lies beside it.
        key: Name of the list that counts.
        resume: Whether to begin with what is in the file.

    Raises:
        CheckpointError: If the file to begin with is damaged.
    """

    def __init__(self, file: Path, key: str, *, resume: bool = False) -> None:
        self.file, self.key = file, key
        self.lists: dict[str, list[Any]] = {key: []}
        if resume and file.is_file():
            try:
                read = json.loads(file.read_text(encoding="utf-8"))
                lengths = {len(values) for values in read.values()}
            except (OSError, ValueError, AttributeError, TypeError) as error:
                raise CheckpointError(f"{str(file)!r} is damaged: {error}") from error
            if len(lengths) != 1 or key not in read:
                raise CheckpointError(f"{str(file)!r} is no history by {key}.")
            self.lists = read

    def add(self, row: Mapping[str, Any]) -> None:
        """Append one entry; a resumed run makes some again, which then replace the old ones.

        Args:
            row: Number by name.
        """
        counted = self.lists[self.key]
        while counted and counted[-1] >= row[self.key]:
            for values in self.lists.values():
                values.pop()
        for name in [*self.lists, *row]:
            missing: list[Any] = [None] * (len(counted) if name not in self.lists else 0)
            self.lists.setdefault(name, missing)
        for name, values in self.lists.items():
            values.append(row.get(name))

    def last(self, n: int) -> dict[str, float]:
        """Average the last entries.

        Args:
            n: How many.

        Returns:
            Means of what was measured in them, and the count of the last one.
        """
        means = {}
        for name, values in self.lists.items():
            numbers = [v for v in values[-n:] if isinstance(v, (int, float))]
            if numbers:
                means[name] = sum(numbers) / len(numbers)
        if self.lists[self.key]:
            means[self.key] = self.lists[self.key][-1]
        return means

    def write(self) -> None:
        """Write the lists."""
        write_json(self.file, self.lists)

    def draw(self, file: Path) -> None:
        """Write the picture.

        Args:
            file: The file, a PNG.
        """
        counters = {"step", "epoch"} - {self.key}
        shown = {k: v for k, v in self.lists.items() if k not in counters}
        figure, _ = plot_dynamics(shown, self.key)
        write_figure(file, figure)
