"""Data together with what is known about how they arose, for simulators and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from aetia.data.dataset import Dataset

__all__ = ["Labelled", "Truth"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Truth:
    """Whatever is known; None where nothing is.

    Attributes:
        graph: The true DAG, ``graph[i, j]`` for i -> j.
        weights: Direct effects of a linear model, in units of j per unit of i.
        names: Variable names, in the order of the matrices.
    """

    graph: Bool[np.ndarray, "d d"]
    weights: Float[np.ndarray, "d d"] | None = None
    names: tuple[str, ...] = ()


class Labelled(NamedTuple):
    """A table and the truth behind it, kept apart."""

    data: Dataset
    truth: Truth
