"""Columns of any kind as standardised numbers, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Dataset, Encoding, as_dataset, text_columns
from aetia.data.dataset import Kind

__all__ = ["Codec", "read_table"]


def read_table(X: Any) -> Dataset:
    """Read a table of mixed columns; text becomes categories.

    Args:
        X: A frame, array, Dataset or path.

    Returns:
        The checked table; columns may be constant or copies of each other.
    """
    if isinstance(X, Dataset):
        return X
    return as_dataset(X, categorical=text_columns(X), relations=False)


class Codec(NamedTuple):
    """How a table is written as numbers of mean 0 and variance 1."""

    encoding: Encoding
    kinds: tuple[Kind, ...]
    centre: Float[np.ndarray, " w"]
    scale: Float[np.ndarray, " w"]
    """0 for what does not vary: it is not modelled."""
    ends: Float[np.ndarray, "d 2"]
    """Smallest and largest value of each column that was seen."""

    @classmethod
    def of(cls, data: Dataset) -> Codec:
        """Take scales from a table.

        Args:
            data: The table of a fit; every column has a value.

        Returns:
            The codec.
        """
        encoding = Encoding.of(data)
        numbers, seen = encoding.encode(data)
        numbers = np.where(seen, numbers, np.nan)
        centre, scale = np.nanmean(numbers, 0), np.nanstd(numbers, 0)
        scale = np.where(scale > 8 * np.finfo(float).eps * np.nanmax(np.abs(numbers), 0), scale, 0)
        ends = np.stack([np.nanmin(data.values, 0), np.nanmax(data.values, 0)], 1)
        kinds: tuple[Kind, ...] = tuple(
            "count" if kind == "continuous" and _is_integral(column) else kind
            for kind, column in zip(data.kinds, data.values.T, strict=True)
        )
        return cls(encoding, kinds, centre, scale, ends)

    @property
    def d(self) -> int:
        """Columns."""
        return len(self.encoding.names)

    @property
    def column_of(self) -> np.ndarray:
        """The column of each number."""
        widths = [b.stop - b.start for b in self.encoding.blocks]
        return np.repeat(np.arange(self.d), widths)

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Labels of the categorical columns."""
        pairs = zip(self.encoding.names, self.encoding.levels, strict=True)
        return {name: levels for name, levels in pairs if levels}

    def dataset(self, values: Float[np.ndarray, "n d"]) -> Dataset:
        """Wrap rows that are already numbers.

        Args:
            values: Values in the user's units, codes of levels, NaN where missing.

        Returns:
            A table with the columns of the fit.
        """
        return Dataset(
            values=values,
            names=self.encoding.names,
            observed=~np.isnan(values),
            kinds=self.kinds,
            levels=self.levels,
        )

    def to_model(self, data: Dataset) -> tuple[Float[Tensor, " n w"], Bool[Tensor, " n d"]]:
        """Write a table as the network sees it.

        Args:
            data: Rows with the columns of the fit, in any order.

        Returns:
            Standardised numbers, zero where nothing was seen, and what was seen of each column.
        """
        numbers, seen = self.encoding.encode(data)
        scale = np.where(self.scale > 0, self.scale, np.inf)
        z = np.where(seen, (numbers - self.centre) / scale, 0.0)
        observed = np.stack([seen[:, b.start] for b in self.encoding.blocks], 1)
        return torch.from_numpy(z.astype(np.float32)), torch.from_numpy(observed)

    def codes(self, data: Dataset) -> Float[np.ndarray, "n d"]:
        """Take the user's values, with categories as the codes of the fit.

        Args:
            data: Rows with the columns of the fit, in any order.

        Returns:
            Values, NaN where missing.
        """
        numbers, seen = self.encoding.encode(data)
        values = self.encoding.decode(numbers)
        observed = np.stack([seen[:, b.start] for b in self.encoding.blocks], 1)
        return np.where(observed, values, np.nan)

    def to_user(self, z: Float[np.ndarray, "*rows w"]) -> Float[np.ndarray, "*rows d"]:
        """Undo the standardisation; discrete columns take the nearest value there is.

        Args:
            z: Standardised numbers.

        Returns:
            Values in the user's units, codes of levels for categories.
        """
        values = self.encoding.decode(z.astype(np.float64) * self.scale + self.centre)
        for j, kind in enumerate(self.kinds):
            low, high = self.ends[j]
            if kind == "binary":
                values[..., j] = np.where(values[..., j] > (low + high) / 2, high, low)
            elif kind == "count":
                values[..., j] = np.round(values[..., j])
                if low >= 0:
                    values[..., j] = values[..., j].clip(min=0.0)
        return values


def _is_integral(column: Float[np.ndarray, " n"]) -> bool:
    seen = column[~np.isnan(column)]
    return bool((seen == np.round(seen)).all())
