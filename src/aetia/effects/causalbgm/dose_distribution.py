"""Doses given covariates: location and spread by networks, shape by their residuals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["DoseDistribution"]

_N_NODES = 41
"""Quantiles of the noise that stand for it in expectations."""


class DoseDistribution(NamedTuple):
    """Doses given covariates: location + spread * noise, the noise alike for all units."""

    location: Float[np.ndarray, " n"]
    """Out-of-fold mean of every unit's dose."""
    spread: Float[np.ndarray, " n"]
    """Out-of-fold standard deviation."""
    noise: Float[np.ndarray, " n"]
    """(dose - location) / spread of the units: a skewed dose has skewed noise."""

    @classmethod
    def of(
        cls,
        doses: Float[np.ndarray, " n"],
        location: Float[np.ndarray, " n"],
        spread: Float[np.ndarray, " n"],
    ) -> DoseDistribution:
        """Take the noise from what was received.

        Args:
            doses: Doses that the units received.
            location: Their means.
            spread: Their standard deviations, positive.

        Returns:
            The distribution.
        """
        return cls(location, spread, (doses - location) / spread)

    def nodes(self) -> Float[np.ndarray, "n nodes"]:
        """Compute equally likely doses that stand for the distribution of every unit's dose.

        Returns:
            Doses at the quantiles of the noise.
        """
        shares = (np.arange(_N_NODES) + 0.5) / _N_NODES
        return self.location[:, None] + self.spread[:, None] * np.quantile(self.noise, shares)
