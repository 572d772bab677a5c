"""Columns of a table as blocks of numbers: categories become indicators. And back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from aetia.data.dataset import Dataset
from aetia.errors import InputError

__all__ = ["Encoding"]


@dataclass(frozen=True)
class Encoding:
    """Which numbers stand for which column.

    Attributes:
        names: Columns of the table.
        levels: Labels of each categorical column; empty for numbers.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, data: Dataset) -> Encoding:
        """Take names and levels from a table.

        Args:
            data: The table.

        Returns:
            Its encoding.
        """
        return cls(data.names, tuple(tuple(data.levels.get(name, ())) for name in data.names))

    @property
    def blocks(self) -> tuple[slice, ...]:
        """Where the numbers of each column lie."""
        ends = np.cumsum([len(levels) or 1 for levels in self.levels])
        return tuple(
            slice(int(end - (len(levels) or 1)), int(end))
            for end, levels in zip(ends, self.levels, strict=True)
        )

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return sum(len(levels) or 1 for levels in self.levels)

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each number: ``"colour=red"`` for the indicator of a level."""
        return tuple(
            label
            for name, levels in zip(self.names, self.levels, strict=True)
            for label in ([f"{name}={level}" for level in levels] or [name])
        )

    def encode(
        self, data: Dataset
    ) -> tuple[Float[np.ndarray, "n width"], Bool[np.ndarray, "n width"]]:
        """Write a table as numbers.

        Args:
            data: A table with the same columns, in any order.

        Returns:
            The numbers, zero where nothing was seen, and where something was.

        Raises:
            InputError: If a column is missing, or has a level that this encoding does not know.
        """
        missing = [name for name in self.names if name not in data.names]
        if missing:
            raise InputError(f"the table lacks the columns {missing}; it has {list(data.names)}.")
        values = np.zeros((data.n, self.width))
        observed = np.zeros((data.n, self.width), dtype=bool)
        for name, levels, block in zip(self.names, self.levels, self.blocks, strict=True):
            column = data.column(name)
            seen = ~np.isnan(column)
            observed[:, block] = seen[:, None]
            if not levels:
                values[seen, block.start] = column[seen]
                continue
            labels = data.levels.get(name, ())
            unknown = [label for label in labels if label not in levels]
            if unknown:
                raise InputError(
                    f"column {name!r} has levels that were not there before: {unknown}; known: "
                    f"{list(levels)}."
                )
            at = np.array([levels.index(label) for label in labels], dtype=int)
            rows = np.flatnonzero(seen)
            values[rows, block.start + at[column[seen].astype(int)]] = 1.0
        return values, observed

    def decode(self, values: Float[np.ndarray, "*draws width"]) -> Float[np.ndarray, "*draws d"]:
        """Turn numbers back into columns.

        Args:
            values: Numbers; of indicators the largest wins.

        Returns:
            Numbers, and codes of levels.
        """
        columns = [
            values[..., block].argmax(-1) if levels else values[..., block.start]
            for levels, block in zip(self.levels, self.blocks, strict=True)
        ]
        return np.stack(columns, -1).astype(np.float64)
