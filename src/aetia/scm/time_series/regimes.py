"""Regimes that act inside the mechanisms, so that their effects propagate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from aetia.options import check_literals, check_positive

__all__ = ["RegimeKind", "Regimes", "Shifts"]

RegimeKind = Literal["intervention", "distribution", "mechanism"]


@dataclass(frozen=True, eq=False)
class Shifts:
    """What each regime changes; regime 0 changes nothing."""

    mean: Float[np.ndarray, "k d"]
    """Added to a variable's mechanism, in units of its noise."""
    noise_factor: Float[np.ndarray, "k d"]
    """Multiplies its noise."""
    weight_factor: Float[np.ndarray, "k d"]
    """Multiplies the weights of its causes, its own past left alone."""

    @property
    def targets(self) -> Bool[np.ndarray, "k d"]:
        """Whose mechanism differs from that of regime 0."""
        return (self.mean != 0) | (self.noise_factor != 1) | (self.weight_factor != 1)


@dataclass(frozen=True, kw_only=True)
class Regimes:
    """How many regimes, and what they do.

    Attributes:
        n: Number of regimes, the unchanged one included.
        kind: ``"intervention"``: 1 to 3 variables get another mean and noise;
            ``"distribution"``: every variable gets another mean and noise; ``"mechanism"``: the
            weights of the causes of 1 to 3 variables change.
        strength: Scale of the changes.
    """

    n: int = 1
    kind: RegimeKind = "intervention"
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "n", "strength")

    def draw(self, d: int, rng: np.random.Generator) -> Shifts:
        """Draw what each regime changes.

        Args:
            d: Variables.
            rng: Source of randomness.

        Returns:
            The changes.
        """
        mean, noise, weight = np.zeros((self.n, d)), np.ones((self.n, d)), np.ones((self.n, d))
        for e in range(1, self.n):
            if self.kind == "distribution":
                noise[e] = rng.uniform(0.5, 1.5, d)
                mean[e] = self.strength * rng.standard_normal(d)
                continue
            at = rng.choice(d, size=min(int(rng.integers(1, 4)), d), replace=False)
            if self.kind == "mechanism":
                weight[e, at] = 1 + self.strength * rng.uniform(-1.0, 0.5, len(at))
            else:
                mean[e, at] = self.strength * rng.uniform(1.0, 2.0, len(at)) * _signs(rng, len(at))
                noise[e, at] = rng.uniform(0.5, 1.5, len(at))
        return Shifts(mean, noise, weight)


def _signs(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], size=n)
