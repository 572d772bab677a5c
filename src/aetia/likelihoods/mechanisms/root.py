"""A continuous variable without parents: its rows, weighted by the Bayesian bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.likelihoods.mechanisms.random_weights import bootstrap_weights

__all__ = ["DrawnQuantiles", "RootDistribution", "drawn_quantiles"]

_MAX_VALUES = 4096


@dataclass(frozen=True, eq=False)
class DrawnQuantiles:
    """Weighted empirical distributions over the same sorted values.

    Attributes:
        values: Values of the rows, ascending.
        weights: Weight of each in every draw.
    """

    values: Float[Tensor, " rows"]
    weights: Float[Tensor, "n rows"]

    def at(self, uniform: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """Look up quantiles.

        Args:
            uniform: Probabilities.

        Returns:
            The smallest value whose cumulated weight reaches each probability.
        """
        cumulated = self.weights.cumsum(-1)
        place = torch.searchsorted(cumulated, uniform.contiguous())
        return self.values[place.clamp_max(len(self.values) - 1)]

    def mean(self, parents: Float[Tensor, "n k m p"]) -> Float[Tensor, "n k m 1"]:
        """Compute the mean of each drawn distribution.

        Args:
            parents: No columns; gives the numbers of doses and particles.

        Returns:
            The means.
        """
        n, k, m, _ = parents.shape
        return (self.weights @ self.values)[:, None, None, None].expand(n, k, m, 1)

    def value(
        self, mean: Float[Tensor, "n k m 1"], uniform: Float[Tensor, "n m"]
    ) -> Float[Tensor, "n k m"]:
        """Draw values of the variable.

        Args:
            mean: What :meth:`mean` gave.
            uniform: Quantiles of the noise.

        Returns:
            Values, the same at every dose.
        """
        return self.at(uniform).unsqueeze(1).expand(mean.shape[:-1])


@dataclass(frozen=True, eq=False)
class RootDistribution:
    """Posterior of a continuous variable without parents.

    Attributes:
        values: Its values in the rows in which it was not set by intervention.
    """

    values: Float[Tensor, " rows"]

    def draw(self, n: int, generator: torch.Generator) -> DrawnQuantiles:
        """Draw distributions by the Bayesian bootstrap.

        Args:
            n: Number of draws.
            generator: Source of randomness.

        Returns:
            The drawn distributions.
        """
        return drawn_quantiles(self.values, n, generator)


def drawn_quantiles(
    values: Float[Tensor, " rows"], n: int, generator: torch.Generator
) -> DrawnQuantiles:
    """Draw distributions of some values by the Bayesian bootstrap.

    Args:
        values: The rows; of more than 4,096, neighbours in size are replaced by their mean, whose
            weight is that of all of them.
        n: Number of draws.
        generator: Source of randomness.

    Returns:
        The drawn distributions.
    """
    ordered = values.sort().values
    parts = ordered.tensor_split(min(len(ordered), _MAX_VALUES))
    counts = torch.tensor([len(part) for part in parts], dtype=torch.float64)
    if len(parts) < len(ordered):
        ordered = torch.stack([part.mean() for part in parts])
    return DrawnQuantiles(ordered, bootstrap_weights(n, counts, generator))
