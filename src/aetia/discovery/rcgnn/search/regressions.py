"""Second moments from which any variable can be regressed on any candidate causes."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

__all__ = ["Regressions", "straight_lines"]


class Regressions(NamedTuple):
    """Second moments from which every target can be regressed on any candidates, by problem.

    Candidates are the variables within the step, at lag 1, ...; q = p B.
    """

    gram: Float[Tensor, "b q q"]
    """Second moments of the features of all candidates, those of one side by side."""
    cross: Float[Tensor, "b q d"]
    """Second moments of features with targets."""
    total: Float[Tensor, "b d"]
    """Second moment of each target."""
    size: int
    """B, features of a candidate."""

    def repeated(self, times: int) -> Regressions:
        """Pose the only problem several times.

        Args:
            times: How often.

        Returns:
            A batch.
        """
        return Regressions(
            self.gram.expand(times, -1, -1),
            self.cross.expand(times, -1, -1),
            self.total.expand(times, -1),
            self.size,
        )


def straight_lines(moments: Float[Tensor, "b p p"], d: int) -> Regressions:
    """Regress on the candidates themselves.

    Args:
        moments: Second moments of (s_t, s_{t-1}, ...), p = d (L + 1).
        d: Number of variables.

    Returns:
        Regressions with one feature for each candidate.
    """
    now = moments[:, :d, :d]
    return Regressions(moments, moments[:, :, :d], now.diagonal(dim1=-2, dim2=-1), 1)
