"""Total causal effects of a linear Gaussian model, averaged over graphs and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.graphs import total_effect_moments
from aetia.likelihoods import Moments, WeightPosterior

__all__ = ["LinearModel", "effect_draws", "effect_moments"]

_MAX_FLOATS = 20_000_000


@runtime_checkable
class WeightLikelihood(Protocol):
    """A likelihood whose weights have a closed-form posterior given the graph."""

    name: str

    def weight_posterior(self, graphs: Tensor, moments: Moments) -> WeightPosterior:
        """Compute the posterior of the weights given each graph."""
        ...


@dataclass(frozen=True, eq=False)
class LinearModel:
    """What effects need after fitting: the likelihood and the moments of the data.

    Attributes:
        likelihood: Options of the likelihood that scored the graphs.
        moments: Statistics in the user's units, intervened rows excluded for each variable.
        centre: What the fit subtracted from each column.
        scale: What the fit divided each column by.
    """

    likelihood: WeightLikelihood
    moments: Moments
    centre: Float[Tensor, " d"]
    scale: Float[Tensor, " d"]

    def weight_posterior(self, graphs: Bool[Tensor, "s d d"]) -> WeightPosterior:
        """Compute the posterior of the weights given each graph, in the user's units.

        Args:
            graphs: DAGs.

        Returns:
            Posterior of ``weights[i, j]``, units of j per unit of i.
        """
        posterior = self.likelihood.weight_posterior(
            graphs, self.moments.rescaled(self.centre, self.scale)
        )
        to_user = self.scale.unsqueeze(0) / self.scale.unsqueeze(1)  # [i, j]: scale_j / scale_i
        by_target = to_user.mT
        return WeightPosterior(
            posterior.mean * to_user,
            posterior.factor * by_target.unsqueeze(-1) * by_target.unsqueeze(-2),
            posterior.shape,
            posterior.rate,
        )


def effect_moments(
    model: LinearModel,
    graphs: Bool[Tensor, "s d d"],
    weights: Float[Tensor, " s"],
    source: int,
    target: int,
) -> tuple[float, float]:
    """Compute mean and variance of a total effect, exactly, over graphs and weights.

    Args:
        model: The linear model.
        graphs: DAGs.
        weights: Probability of each.
        source: Index of the treatment.
        target: Index of the outcome.

    Returns:
        Mean and variance per unit of the treatment. The variance is infinite when a graph of
        positive probability leaves it undefined (fewer than about three rows).
    """
    mean = second = 0.0
    for part, w in zip(_chunks(graphs), weights.split(len(_chunks(graphs)[0])), strict=True):
        posterior = model.weight_posterior(part)
        first, variance = total_effect_moments(part, posterior.mean, posterior.covariance(), source)
        mean += float((w * first[:, target]).sum())
        second += float((w * (variance[:, target] + first[:, target].square())).sum())
    return mean, max(second - mean**2, 0.0)


def effect_draws(
    model: LinearModel,
    graphs: Bool[Tensor, "s d d"],
    weights: Float[Tensor, " s"],
    source: int,
    target: int,
    *,
    n_draws: int,
    generator: torch.Generator,
) -> Float[np.ndarray, " n"]:
    """Draw total effects: a graph by its probability, then its weights.

    Args:
        model: The linear model.
        graphs: DAGs.
        weights: Probability of each.
        source: Index of the treatment.
        target: Index of the outcome.
        n_draws: Number of draws.
        generator: Source of randomness.

    Returns:
        Independent draws per unit of the treatment.
    """
    picked = torch.multinomial(weights, n_draws, replacement=True, generator=generator)
    d = graphs.shape[-1]
    eye = torch.eye(d, dtype=torch.float64)
    out = []
    for part in _chunks(graphs[picked.sort().values]):
        w = model.weight_posterior(part).sample(generator)
        solved = torch.linalg.solve(eye - w, eye[:, target].expand(len(w), d).unsqueeze(-1))
        out.append(solved[:, source, 0])
    # Sorting let equal graphs share their work; undo it, so that the draws are exchangeable.
    return torch.cat(out)[torch.randperm(n_draws, generator=generator)].numpy()


def _chunks(graphs: Tensor) -> tuple[Tensor, ...]:
    return graphs.split(max(1, _MAX_FLOATS // graphs.shape[-1] ** 3))
