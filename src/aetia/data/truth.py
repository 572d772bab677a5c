"""Data together with what is known about how they arose, for simulators and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Bool, Float

from aetia.data.dataset import Dataset
from aetia.data.recordings.windows import Windows

__all__ = ["Labelled", "Truth"]

Data = TypeVar("Data", Dataset, Windows)


@dataclass(frozen=True, eq=False, kw_only=True)
class Truth:
    """Whatever is known; None where nothing is.

    Attributes:
        graph: The true DAG, ``graph[i, j]`` for i -> j; of time series, within a step.
        weights: Direct effects of a linear model, in units of j per unit of i.
        names: Variable names, in the order of the matrices.
        lagged: ``lagged[k, i, j]`` if variable i causes j a number k + 1 of steps later.
        lagged_weights: Direct effects of these.
        clean: Time series before their measurement was corrupted.
    """

    graph: Bool[np.ndarray, "d d"]
    weights: Float[np.ndarray, "d d"] | None = None
    names: tuple[str, ...] = ()
    lagged: Bool[np.ndarray, "lags d d"] | None = None
    lagged_weights: Float[np.ndarray, "lags d d"] | None = None
    clean: Float[np.ndarray, "n time d"] | None = None

    @property
    def summary_graph(self) -> Bool[np.ndarray, "d d"]:
        """Edges at any lag or within a step, between different variables; it may have cycles."""
        if self.lagged is None:
            return self.graph
        return (self.graph | self.lagged.any(0)) & ~np.eye(len(self.graph), dtype=bool)


if TYPE_CHECKING:

    class Labelled(NamedTuple, Generic[Data]):
        """Seen by type checkers: Labelled[Dataset] or Labelled[Windows]."""

        data: Data
        truth: Truth

else:  # beartype takes no generic named tuples

    class Labelled(NamedTuple):
        """Data, a :class:`Dataset` or :class:`Windows`, and the truth behind them, kept apart."""

        data: Dataset | Windows
        truth: Truth
