"""Which rows of a simulated task are interventional, and what is set to which value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from aetia.errors import InputError
from aetia.options import check_literals, check_positive

__all__ = ["Interventions"]


@dataclass(frozen=True, kw_only=True)
class Interventions:
    """Single-variable interventions, interleaved over their targets (AVICI).

    Attributes:
        share: Share of the rows that are interventional, in tasks that have any.
        p_observational: Probability that a task is purely observational.
        targets: ``"all"`` variables, a share of them (a float below 1), or a number of them.
        values: ``"signed-uniform"``: magnitude U(low, high) with a random sign, in observational
            standard deviations from the mean; ``"normal"``: N(0, high^2) in the same units;
            ``"constant"``: low, the same for every row (near the mean it says little).
        low: See above.
        high: See above.
    """

    share: float = 0.25
    p_observational: float = 0.5
    targets: float | Literal["all"] = "all"
    values: Literal["signed-uniform", "normal", "constant"] = "signed-uniform"
    low: float = 1.0
    high: float = 3.0

    def __post_init__(self) -> None:
        check_literals(self)
        if not 0 < self.share < 1:
            raise InputError(f"Interventions: share must lie in (0, 1), got {self.share!r}.")
        if not 0 <= self.p_observational <= 1:
            raise InputError(
                f"Interventions: p_observational must lie in [0, 1], got {self.p_observational!r}."
            )
        check_positive(self, "high")
        if self.values == "signed-uniform" and not 0 <= self.low <= self.high:
            raise InputError(
                f"Interventions: low={self.low:g} and high={self.high:g} are no range from 0."
            )
        if self.targets != "all":
            check_positive(self, "targets")

    def draw(
        self, n: int, d: int, rng: np.random.Generator
    ) -> tuple[Bool[np.ndarray, "n d"], Float[np.ndarray, "n d"]]:
        """Choose rows, targets and values of one task.

        Args:
            n: Rows; the interventional ones are the last.
            d: Variables.
            rng: Source of randomness.

        Returns:
            True where a variable is set, and the values (0 elsewhere).
        """
        mask = np.zeros((n, d), dtype=bool)
        values = np.zeros((n, d), dtype=np.float32)
        observational = rng.random() < self.p_observational
        # Two observational rows at least, or there would be no mean and scale.
        n_set = 0 if observational else min(max(1, round(n * self.share)), max(n - 2, 0))
        if self.targets == "all":
            n_targets = d
        elif self.targets < 1:
            n_targets = max(1, math.floor(self.targets * d))
        else:
            n_targets = min(d, int(self.targets))
        targets = rng.permutation(d)[:n_targets]
        rows = np.arange(n - n_set, n)
        columns = targets[np.arange(n_set) % n_targets]
        mask[rows, columns] = True
        if self.values == "constant":
            values[rows, columns] = self.low
        elif self.values == "normal":
            values[rows, columns] = rng.normal(scale=self.high, size=n_set)
        else:
            sign = np.where(rng.random(n_set) < 0.5, -1.0, 1.0)
            values[rows, columns] = sign * rng.uniform(self.low, self.high, n_set)
        return mask, values
