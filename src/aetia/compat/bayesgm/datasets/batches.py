"""Batches of a study, for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from aetia.errors import InputError

__all__ = ["Base_sampler"]

Matrix = Float[np.ndarray, "n p"]
Targets = Float[np.ndarray, "n q"]


class Base_sampler:  # noqa: N801
    """A study that hands out batches in a shuffled order.

    The seed stays here: the original sets NumPy's global one. The order is the same.

    Args:
        x: Treatment.
        y: Outcome.
        v: Covariates.
        batch_size: Units of a batch.
        normalize: Whether to standardise the covariates.
        random_seed: Seed of the order of the units in the batches.

    Attributes:
        data_x: Treatment ``(n, 1)``, float32.
        data_y: Outcome ``(n, 1)``, float32.
        data_v: Covariates ``(n, p)``, float32.
        sample_size: Number of units.
        full_index: Their order.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        v: Any,
        batch_size: int = 32,
        normalize: bool = False,
        random_seed: int = 123,
    ) -> None:
        if not len(x) == len(y) == len(v):
            raise InputError(f"x, y and v have {len(x)}, {len(y)} and {len(v)} rows.")
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {batch_size!r}.")
        self.data_x, self.data_y = _columns(x), _columns(y)
        self.data_v = np.array(v, dtype=np.float32)
        if normalize:
            wide = self.data_v.astype(np.float64)
            scale = wide.std(0)
            wide = (wide - wide.mean(0)) / np.where(scale > 0, scale, 1.0)
            self.data_v = wide.astype(np.float32)
        self.batch_size = batch_size
        self.sample_size = len(self.data_x)
        self._rng = np.random.RandomState(random_seed)
        self.full_index = np.arange(self.sample_size)
        self._rng.shuffle(self.full_index)
        self.idx_gen = self.create_idx_generator(self.sample_size)

    def create_idx_generator(self, sample_size: int) -> Iterator[Int[np.ndarray, " batch"]]:
        """Deal units out; a last batch is filled up from the front, then the order changes.

        Args:
            sample_size: Number of units.

        Yields:
            Numbers of units.
        """
        size = self.batch_size
        while True:
            for start in range(0, sample_size, size):
                end = start + size
                if end <= sample_size:
                    yield self.full_index[start:end]
                else:
                    wrapped = np.arange(start, end) % sample_size
                    yield self.full_index[wrapped]
                    self._rng.shuffle(self.full_index)

    def next_batch(self) -> tuple[Targets, Targets, Matrix]:
        """Take the next batch.

        Returns:
            Treatment, outcome, covariates.
        """
        rows = next(self.idx_gen)
        return self.data_x[rows], self.data_y[rows], self.data_v[rows]

    def load_all(self) -> tuple[Targets, Targets, Matrix]:
        """Take all units.

        Returns:
            Treatment, outcome, covariates.
        """
        return self.data_x, self.data_y, self.data_v


def _columns(values: Any) -> Targets:
    array = np.array(values, dtype=np.float32)
    return array.reshape(-1, 1) if array.ndim == 1 else array
