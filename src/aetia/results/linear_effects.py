"""Total causal effects of a linear Gaussian model, averaged over graphs and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.graphs import total_effect_moments, total_effects
from aetia.likelihoods import Moments, WeightPosterior

__all__ = [
    "EffectMoments",
    "LinearModel",
    "effect_draws",
    "effect_moments",
    "mean_total_effects",
    "total_effect_draws",
]

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


class EffectMoments(NamedTuple):
    """Exact moments of total effects of one variable, per unit of it."""

    mean: Float[Tensor, " d"]
    variance: Float[Tensor, " d"]
    """Infinite where a graph of positive probability leaves it undefined (about three rows)."""
    graph_variance: Float[Tensor, " d"]
    """Part of the variance that is between graphs; the rest is that of the weights."""


def effect_moments(
    model: LinearModel, graphs: Bool[Tensor, "s d d"], weights: Float[Tensor, " s"], source: int
) -> EffectMoments:
    """Compute mean and variance of the total effects of a variable, over graphs and weights.

    Args:
        model: The linear model.
        graphs: DAGs.
        weights: Probability of each.
        source: Index of the treatment.

    Returns:
        Exact moments for every outcome.
    """
    means, variances = [], []
    for part in _chunks(graphs):
        posterior = model.weight_posterior(part)
        first, variance = total_effect_moments(part, posterior.mean, posterior.covariance(), source)
        means.append(first)
        variances.append(variance)
    by_graph, within = torch.cat(means), weights @ torch.cat(variances)
    mean = weights @ by_graph
    between = weights @ (by_graph - mean).square()
    return EffectMoments(mean, within + between, between)


def mean_total_effects(
    model: LinearModel, graphs: Bool[Tensor, "s d d"], weights: Float[Tensor, " s"]
) -> tuple[Float[Tensor, "d d"], Float[Tensor, "d d"]]:
    r"""Compute the exact posterior mean of every total effect.

    A directed path uses the weights into each variable once, and weights into different variables
    are independent given the graph, so :math:`E[(I - W)^{-1} \mid G] = (I - E[W \mid G])^{-1}`.

    Args:
        model: The linear model.
        graphs: DAGs.
        weights: Probability of each.

    Returns:
        Means of the effect of i on j, and the variance of these means between graphs.
    """
    d = graphs.shape[-1]
    mean = torch.zeros(d, d, dtype=torch.float64)
    second = torch.zeros(d, d, dtype=torch.float64)
    for part, w in zip(_chunks(graphs), weights.split(len(_chunks(graphs)[0])), strict=True):
        by_graph = total_effects(model.weight_posterior(part).mean)
        mean += torch.einsum("s,sij->ij", w, by_graph)
        second += torch.einsum("s,sij->ij", w, by_graph.square())
    return mean, (second - mean.square()).clamp_min(0.0)


def effect_draws(
    model: LinearModel,
    graphs: Bool[Tensor, "s d d"],
    weights: Float[Tensor, " s"],
    source: int,
    targets: Sequence[int],
    *,
    n_draws: int,
    generator: torch.Generator,
) -> Float[np.ndarray, "n k"]:
    """Draw total effects: a graph by its probability, then its weights.

    Args:
        model: The linear model.
        graphs: DAGs.
        weights: Probability of each.
        source: Index of the treatment.
        targets: Indices of the outcomes.
        n_draws: Number of draws.
        generator: Source of randomness.

    Returns:
        Independent draws per unit of the treatment, joint over the outcomes.
    """
    picked = torch.multinomial(weights, n_draws, replacement=True, generator=generator)
    d = graphs.shape[-1]
    eye = torch.eye(d, dtype=torch.float64)
    out = []
    for part in _chunks(graphs[picked.sort().values]):
        w = model.weight_posterior(part).sample(generator)
        right = eye[:, list(targets)].expand(len(w), d, len(targets))
        out.append(torch.linalg.solve(eye - w, right)[:, source])
    # Sorting let equal graphs share their work; undo it, so that the draws are exchangeable.
    return torch.cat(out)[torch.randperm(n_draws, generator=generator)].numpy()


def total_effect_draws(
    model: LinearModel,
    graphs: Bool[Tensor, "s d d"],
    weights: Float[Tensor, " s"],
    *,
    n_draws: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n d d"], Float[Tensor, "d d"]]:
    """Draw the total effects of all pairs jointly.

    Args:
        model: The linear model.
        graphs: DAGs.
        weights: Probability of each.
        n_draws: Number of draws.
        generator: Source of randomness.

    Returns:
        Draws of the effect of i on j, and their mean square about the means given the graph: an
        unbiased estimate of the part of the variance that is that of the weights.
    """
    picked = torch.multinomial(weights, n_draws, replacement=True, generator=generator)
    draws, squares = [], torch.zeros(graphs.shape[1:], dtype=torch.float64)
    for part in _chunks(graphs[picked.sort().values]):
        posterior = model.weight_posterior(part)
        drawn = total_effects(posterior.sample(generator))
        squares += (drawn - total_effects(posterior.mean)).square().sum(0)
        draws.append(drawn)
    return torch.cat(draws), squares / n_draws


def _chunks(graphs: Tensor) -> tuple[Tensor, ...]:
    return graphs.split(max(1, _MAX_FLOATS // graphs.shape[-1] ** 3))
