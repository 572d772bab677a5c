"""Effects of any likelihood: graphs drawn by their probability, do() simulated through each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.results.simulation import simulate_means
from aetia.results.simulation_model import SimulationModel

__all__ = ["N_PARTICLES", "SimulatedContrasts", "simulated_contrasts", "systematic_draws"]

N_PARTICLES = 256
"""Particles behind each mean: stratified, so their error is far below the posterior's spread."""


class SimulatedContrasts(NamedTuple):
    """Draws of the effect of a treatment on one outcome."""

    draws: Float[np.ndarray, "s k q"]
    """Change of the mean (q = 1) or of the probability of each level, at each of k levels."""
    graph_variance: Float[np.ndarray, "k q"]
    """Part of the variance that is between graphs, estimated without bias, cut at zero."""


def simulated_contrasts(
    model: SimulationModel,
    graphs: Bool[Tensor, "u d d"],
    weights: Float[Tensor, " u"],
    treatment: int,
    levels: Float[np.ndarray, " k"],
    control: float,
    outcomes: Sequence[int],
    *,
    n_draws: int,
    generator: torch.Generator,
) -> list[SimulatedContrasts]:
    """Draw effects: graphs by their probability, and two draws of the mechanisms for each.

    The two draws of a pair differ by their mechanisms only, so half their mean squared difference
    estimates the expected variance given the graph without bias.

    Args:
        model: The table.
        graphs: Distinct DAGs.
        weights: Probability of each.
        treatment: Index of the variable that is set.
        levels: Levels it is set to (numbers or codes) ...
        control: ... each compared with this one.
        outcomes: Indices of the variables that are read.
        n_draws: Number of draws; odd numbers are rounded up.
        generator: Source of randomness.

    Returns:
        Draws for each outcome, joint over outcomes and levels; exactly zero where the graph has
        no directed path.
    """
    picked = systematic_draws(weights, (n_draws + 1) // 2, generator).repeat_interleave(2)
    doses = torch.from_numpy(np.concatenate([[control], levels]))
    means = simulate_means(
        model.mechanisms,
        graphs[picked],
        treatment,
        doses,
        outcomes,
        n_particles=N_PARTICLES,
        generator=generator,
    )
    order = torch.randperm(len(picked), generator=generator)
    out = []
    for y, mean in zip(outcomes, means, strict=True):
        contrast = (mean[:, 1:] - mean[:, :1]).nan_to_num(nan=0.0)
        support = model.support(y)
        if support is not None and model.kinds[y] == "binary" and len(support) == 2:
            # Two numbers: the mean says the same as the probability of the higher one.
            contrast = contrast[..., 1:] * float(support[1] - support[0])
        pairs = contrast.unflatten(0, (-1, 2))
        within = (pairs[:, 0] - pairs[:, 1]).square().mean(0) / 2
        between = (contrast.var(0, correction=1) - within).clamp_min(0.0)
        out.append(SimulatedContrasts(contrast[order].numpy(), between.numpy()))
    return out


def systematic_draws(
    weights: Float[Tensor, " u"], n: int, generator: torch.Generator
) -> Int64[Tensor, " n"]:
    """Draw indices by their weight with one uniform number: each as often as expected, within 1.

    Args:
        weights: Probabilities.
        n: Number of draws.
        generator: Source of randomness.

    Returns:
        Indices, ascending.
    """
    offset = torch.rand(1, dtype=torch.float64, generator=generator)
    points = (torch.arange(n, dtype=torch.float64) + offset) / n
    cumulated = (weights / weights.sum()).cumsum(0)
    return torch.searchsorted(cumulated, points).clamp_max(len(weights) - 1)
