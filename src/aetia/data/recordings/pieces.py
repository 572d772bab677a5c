"""What windows and a method's blocks have in common: pieces of recordings, of one length."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["Pieces"]


@runtime_checkable
class Pieces(Protocol):
    """Pieces of recordings, padded at their end to one length; none crosses a change of regime."""

    @property
    def values(self) -> Float[np.ndarray, "n time d"]:
        """The readings; of no meaning where nothing was seen."""
        ...

    @property
    def observed(self) -> Bool[np.ndarray, "n time d"]:
        """True where a value was seen."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sensors."""
        ...

    @property
    def series(self) -> Int[np.ndarray, " n"]:
        """Code of the recording that each piece comes from."""
        ...

    @property
    def start(self) -> Int[np.ndarray, " n"]:
        """Steps from the start of the recording to the first row of each piece."""
        ...

    @property
    def regime(self) -> Int[np.ndarray, " n"] | None:
        """Code of the regime of each piece; None for one regime."""
        ...

    @property
    def regime_names(self) -> tuple[str, ...]:
        """Labels of the codes."""
        ...
