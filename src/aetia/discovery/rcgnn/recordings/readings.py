"""Blocks of standardised readings, as the back ends read them."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Readings"]


class Readings(NamedTuple):
    """Blocks of standardised readings, ready for the smoother."""

    values: Float[Tensor, "n time d"]
    """The readings; 0 where there is none."""
    observed: Bool[Tensor, "n time d"]
    """True where there is a reading."""
    live: Bool[Tensor, "n time"]
    """False for rows after the end of a short block."""
    regime: Int[Tensor, " n"]
    """Code of the regime of each block."""

    @property
    def n_regimes(self) -> int:
        """Number of regimes."""
        return int(self.regime.max()) + 1

    def select(self, rows: Int[Tensor, " k"]) -> Readings:
        """Keep some blocks.

        Args:
            rows: Numbers of the blocks.

        Returns:
            These.
        """
        return Readings(*(part[rows] for part in self))
