"""What a design of a study is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float

__all__ = ["Assignment", "EffectDesign", "Units"]

Rng: TypeAlias = np.random.Generator | np.random.RandomState

Assignment: TypeAlias = Callable[[Float[np.ndarray, "n q"]], Float[np.ndarray, "n q"]]
"""What the treatment sees of the units: themselves, or other units instead."""


class Units(NamedTuple):
    """Drawn units."""

    causes: Float[np.ndarray, "n q"]
    """All that determines a unit's mean potential outcomes."""
    covariates: Float[np.ndarray, "n p"]
    treatment: Float[np.ndarray, " n"]
    outcome: Float[np.ndarray, " n"]
    propensity: Float[np.ndarray, " n"] | None = None


@runtime_checkable
class EffectDesign(Protocol):
    """A distribution over studies with known effects; a user's own class plugs in."""

    def draw(self, n: int, p: int, rng: Rng, assign: Assignment) -> Units:
        """Draw units; the treatment depends on ``assign(causes)`` instead of the causes."""
        ...

    def unit_means(
        self, causes: Float[np.ndarray, "n q"], doses: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, "n k"]:
        """Compute E[Y(t)] of every unit."""
        ...

    def default_size(self) -> tuple[int, int]:
        """Tell the usual numbers of units and covariates."""
        ...
