"""Whether the data hold comparable units for every question: positivity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Overlap"]


_SEPARATION = 0.97
"""From here on covariates tell who received what, whatever probabilities a network states."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Overlap:
    """Who could have received what.

    Attributes:
        expected: Probability of the second arm, or the expected dose, of every unit, out of fold.
        received: Treatment of every unit; codes of arms.
        weights: Stabilised weights p(t) / p(t | v).
        comparable: Share of the levels that every unit could have received: 1 or 0 for arms, as
            both have a probability of at least 0.05 or not; of doses those whose density given the
            covariates is at least a tenth of that among all units, and none for units whose own
            dose is not one of them.
        name: Name of the treatment.
        arms: Names of the arms; None for doses.
    """

    expected: Float[np.ndarray, " n"]
    received: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    comparable: Float[np.ndarray, " n"]
    name: str
    arms: tuple[str, str] | None = None

    @property
    def comparable_share(self) -> float:
        """Share of the comparisons, units times levels, that the data inform about."""
        return float(self.comparable.mean())

    @property
    def effective_share(self) -> float:
        """Effective share of the units once comparable ones are weighted to be alike (Kish).

        A unit counts as much as it is comparable. Weights alone would not show it: where covariates
        decide the treatment, all of them are the same.
        """
        total = (self.comparable * self.weights).sum()
        square = (self.comparable * self.weights**2).sum()
        return float(total**2 / square / len(self.weights)) if square > 0 else 0.0

    @property
    def separation(self) -> float:
        """How well covariates tell who received what: AUC of arms, explained variance of doses."""
        if self.arms is None:
            gap = ((self.received - self.expected) ** 2).mean()
            return max(0.0, 1 - float(gap / self.received.var()))
        second = self.received == 1
        n_second, n_first = int(second.sum()), int((~second).sum())
        ranks = rankdata(self.expected)[second].sum() - n_second * (n_second + 1) / 2
        return float(ranks / (n_second * n_first))

    @property
    def is_poor(self) -> bool:
        """Whether averages rest on few units or on extrapolation."""
        fewest = 0.5 if self.arms is None else 0.8
        return (
            self.comparable_share < fewest
            or self.effective_share < 0.3
            or self.separation > _SEPARATION
        )

    def verdict(self) -> str:
        """Say it in words.

        Returns:
            One sentence.
        """
        share = f"{self.comparable_share:.0%}"
        if self.arms is None:
            could = f"the average unit could have received {share} of the doses that others did"
            told = f"explain {self.separation:.1%} of the variance of {self.name!r}"
            advice = "compare fewer doses, or leave out units that could not vary"
        else:
            could = f"{share} of the units have a probability of at least 0.05 for both arms"
            told = f"discriminate between the arms (AUC {self.separation:.3f})"
            advice = "leave out units with probabilities near 0 or 1"
        told = f", and covariates {told}" if self.separation > _SEPARATION else ""
        advice = f"; effects rest on extrapolation: {advice}" if self.is_poor else ""
        return (
            f"overlap is {'poor' if self.is_poor else 'good'}: {could}; weighted to be comparable, "
            f"the units count for {self.effective_share:.0%} of their number{told}{advice}."
        )

    def frame(self) -> pd.DataFrame:
        """Tabulate the units.

        Returns:
            Columns ``expected``, ``received``, ``weight`` and ``comparable``.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "expected": self.expected,
                "received": self.received,
                "weight": self.weights,
                "comparable": self.comparable,
            }
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
