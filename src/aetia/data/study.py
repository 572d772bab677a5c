"""A simulated study, and what is true about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from aetia.data.dataset import Dataset

__all__ = ["EffectTruth", "Study"]

Doses = Float[np.ndarray, " k"]


@dataclass(frozen=True, eq=False, kw_only=True)
class EffectTruth:
    """Mean potential outcomes of every unit, and of the population.

    Attributes:
        unit_means: E[Y(t)] of every unit at each dose, given all that the design knows of it.
        population_means: The same averaged over the population, in closed form or by a large
            simulation of its own.
        propensity: Probability of treatment of every unit, where it is binary.
        name: Name of the design.
    """

    unit_means: Callable[[Doses], Float[np.ndarray, "n k"]]
    population_means: Callable[[Doses], Doses]
    propensity: Float[np.ndarray, " n"] | None = None
    name: str = ""

    def dose_response(self, doses: Sequence[float] | Doses) -> Doses:
        """Average the potential outcomes of the population.

        Args:
            doses: Levels of the treatment.

        Returns:
            One mean for each dose.
        """
        return self.population_means(np.asarray(doses, dtype=np.float64))

    def unit_effects(self, treated: float = 1.0, control: float = 0.0) -> Float[np.ndarray, " n"]:
        """Compare two levels for every unit.

        Args:
            treated: One level.
            control: The other.

        Returns:
            Differences of means, one for each unit.
        """
        means = self.unit_means(np.array([control, treated], dtype=np.float64))
        return means[:, 1] - means[:, 0]

    def average_effect(self, treated: float = 1.0, control: float = 0.0) -> float:
        """Compare two levels for the population.

        Args:
            treated: One level.
            control: The other.

        Returns:
            The difference of the population's means.
        """
        low, high = self.population_means(np.array([control, treated], dtype=np.float64))
        return float(high - low)


class Study(NamedTuple):
    """Treatment, outcome and covariates of every unit, and the truth behind them."""

    treatment: Float[np.ndarray, " n"]
    outcome: Float[np.ndarray, " n"]
    covariates: Float[np.ndarray, "n p"]
    truth: EffectTruth

    @property
    def data(self) -> Dataset:
        """One table: columns ``treatment``, ``outcome``, ``v1``, ``v2``, and so on."""
        values = np.column_stack([self.treatment, self.outcome, self.covariates])
        names = ["treatment", "outcome"]
        names += [f"v{i + 1}" for i in range(self.covariates.shape[1])]
        return Dataset(
            values=values,
            names=tuple(names),
            observed=np.isfinite(values),
            source=f"simulated: {self.truth.name}",
        )
