"""What a family of random DAGs is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

__all__ = ["GraphFamily"]


@runtime_checkable
class GraphFamily(Protocol):
    """A distribution over DAGs that can be sampled at any size; a user's own class plugs in."""

    def sample(self, d: int, rng: np.random.Generator) -> Bool[np.ndarray, "d d"]:
        """Draw a DAG; ``[i, j]`` is True for i -> j."""
        ...

    def expected_edges(self, d: int) -> float:
        """Compute the expected number of edges at d variables."""
        ...
