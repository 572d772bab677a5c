"""Windows of standardised readings, as the back ends read them."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Readings"]


class Readings(NamedTuple):
    """Windows of standardised readings, ready for the smoother."""

    values: Float[Tensor, "n time d"]
    observed: Bool[Tensor, "n time d"]
    live: Bool[Tensor, "n time"]
    """False for rows after the end of a short window."""
    regime: Int[Tensor, " n"]

    def select(self, rows: Int[Tensor, " k"]) -> Readings:
        """Keep some windows.

        Args:
            rows: Their numbers.

        Returns:
            These.
        """
        return Readings(*(part[rows] for part in self))
