"""The law of doses given covariates: location and spread by networks, shape by their residuals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["DoseLaw"]

_N_NODES = 41
"""Quantiles of the noise that stand for it in expectations."""


class DoseLaw(NamedTuple):
    """Doses are location + spread * noise, the noise alike for all units."""

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
    ) -> DoseLaw:
        """Take the noise from what was received.

        Args:
            doses: Received.
            location: Their means.
            spread: Their standard deviations, positive.

        Returns:
            The law.
        """
        return cls(location, spread, (doses - location) / spread)

    def nodes(self) -> Float[np.ndarray, "n nodes"]:
        """Compute doses that stand for every unit's law, equally likely.

        Returns:
            Doses at the quantiles of the noise.
        """
        shares = (np.arange(_N_NODES) + 0.5) / _N_NODES
        return self.location[:, None] + self.spread[:, None] * np.quantile(self.noise, shares)
