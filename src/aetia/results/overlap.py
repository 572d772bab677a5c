"""Whether the data hold comparable units for every question: positivity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Overlap"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Overlap:
    """Who could have received what.

    Attributes:
        expected: Probability of the second arm, or the expected dose, of every unit, out of fold.
        received: Treatment of every unit; codes of arms.
        weights: Stabilised weights p(t) / p(t | v).
        name: Of the treatment.
        arms: Names of the arms; None for doses.
    """

    expected: Float[np.ndarray, " n"]
    received: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    name: str
    arms: tuple[str, str] | None = None

    @property
    def effective_share(self) -> float:
        """Effective share of the units once they are weighted to be comparable (Kish)."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum() / len(self.weights))

    @property
    def extreme_share(self) -> float:
        """Share of units with a probability below 0.05 or above 0.95, or a weight above 20."""
        if self.arms is None:
            return float((self.weights > 20).mean())
        return float(((self.expected < 0.05) | (self.expected > 0.95)).mean())

    @property
    def is_poor(self) -> bool:
        """Whether averages rest on few units or on extrapolation."""
        return self.effective_share < 0.3 or self.extreme_share > 0.2

    def verdict(self) -> str:
        """Say it in words.

        Returns:
            One sentence.
        """
        state = "poor" if self.is_poor else "good"
        extreme = "weights above 20" if self.arms is None else "probabilities beyond 0.05 or 0.95"
        advice = (
            "; effects rest on extrapolation there: compare fewer doses or trim such units"
            if self.is_poor
            else ""
        )
        return (
            f"overlap is {state}: weighted to be comparable, the units count for "
            f"{self.effective_share:.0%} of their number, {self.extreme_share:.1%} of them have "
            f"{extreme}{advice}."
        )

    def frame(self) -> pd.DataFrame:
        """Tabulate the units.

        Returns:
            Columns ``expected``, ``received`` and ``weight``.
        """
        import pandas as pd

        return pd.DataFrame(
            {"expected": self.expected, "received": self.received, "weight": self.weights}
        )

    def plot(self, ax: Axes | None = None) -> tuple[Axes, pd.DataFrame]:
        """Draw it.

        Args:
            ax: Where to draw; None makes a figure.

        Returns:
            The axes, and the frame that was drawn.
        """
        from aetia.plots import plot_overlap

        return plot_overlap(self.expected, self.received, arms=self.arms, name=self.name, ax=ax)

    def __repr__(self) -> str:
        return f"Overlap of {self.name!r}: {self.verdict()}"
