"""Sufficient statistics of Gaussian likelihoods: their cost does not depend on the rows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["Moments"]


class Moments(NamedTuple):
    """Counts, means and scatter matrices, one set for all variables or one for each.

    With interventions, variable j is explained by the rows in which it was *not* set, so every
    variable has statistics of its own (k = d); otherwise k = 1.
    """

    n: Float[Tensor, " k"]
    mean: Float[Tensor, "k d"]
    scatter: Float[Tensor, "k d d"]
    """Sum over the rows of (x - mean)(x - mean)^T."""

    @classmethod
    def of(cls, x: Float[Tensor, "n d"], intervened: Bool[Tensor, "n d"] | None = None) -> Moments:
        """Summarise a table.

        Args:
            x: The data; summed in float64.
            intervened: True where a variable was set by intervention.

        Returns:
            The statistics, in float64. A variable set in every row has n = 0 and zeros.
        """
        x = x.double()
        if intervened is None or not intervened.any():
            mean = x.mean(0)
            centred = x - mean
            n = x.new_tensor([float(x.shape[0])])
            return cls(n, mean.unsqueeze(0), (centred.mT @ centred).unsqueeze(0))
        parts = []
        for j in range(x.shape[1]):
            rows = x[~intervened[:, j]]
            mean = rows.mean(0) if len(rows) else x.new_zeros(x.shape[1])
            parts.append((mean, (rows - mean).mT @ (rows - mean)))
        means, scatters = zip(*parts, strict=True)
        return cls((~intervened).sum(0).double(), torch.stack(means), torch.stack(scatters))

    def rescaled(self, centre: Float[Tensor, " d"], scale: Float[Tensor, " d"]) -> Moments:
        """Compute the moments of ``(x - centre) / scale``.

        Args:
            centre: Subtracted from each column.
            scale: Divides each column.

        Returns:
            Moments of the transformed table.
        """
        return Moments(
            self.n,
            (self.mean - centre) / scale,
            self.scatter / (scale.unsqueeze(0) * scale.unsqueeze(1)),
        )

    def about_zero(self) -> Float[Tensor, "k d d"]:
        """Compute the sum over the rows of x x^T.

        Returns:
            The uncentred second moments.
        """
        return self.scatter + self.n[:, None, None] * self.mean[:, :, None] * self.mean[:, None, :]
