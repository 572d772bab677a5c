"""Latents of units, drawn given all that is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from aetia.effects.causalbgm.generative import LatentRoles, Mechanisms, Units, log_terms
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.samplers import HMC, LogDensity, Metropolis, WarmUp, chain_draws, warm_up

__all__ = ["LatentChains", "latent_chains", "latent_density"]


def latent_density(
    mechanisms: Mechanisms,
    roles: LatentRoles,
    units: Units,
    prior: LatentPrior,
    *,
    is_binary: bool,
    segments: Int[Tensor, " n"] | None = None,
) -> LogDensity:
    r"""Build :math:`\log p(z) + \log p(v, t, y \mid z)` of every unit, or of what is known of it.

    Args:
        mechanisms: Weights; members are their first dimension.
        roles: Roles of the latents.
        units: What is known.
        prior: Prior of the latents.
        is_binary: Whether the treatment is binary.
        segments: Labels of the units, for a conditional prior.

    Returns:
        A function of latents ``[members, n, latents]``.
    """

    def density(z: Tensor) -> Tensor:
        terms = log_terms(mechanisms, roles, units, z, is_binary=is_binary)
        return terms.total + prior.log_prob(z, segments)

    return density


class LatentChains(NamedTuple):
    """Chains after their warm-up."""

    draws: Iterator[Float[Tensor, "*members n latents"]]
    """One draw after the other; nobody holds them all."""
    warm_up: WarmUp


def latent_chains(
    density: LogDensity,
    start: Float[Tensor, "*members n latents"],
    generator: torch.Generator,
    *,
    sampler: str = "hmc",
    n_warmup: int = 150,
    n_kept: int = 100,
    thin: int = 1,
) -> LatentChains:
    """Walk one chain for every member and unit, each with a step size of its own.

    Args:
        density: Function from latents to their log density, one number for each chain.
        start: First latents of every chain; encoded covariates are near the posterior.
        generator: Source of randomness.
        sampler: ``"hmc"`` or ``"metropolis"``.
        n_warmup: Steps that adapt step sizes and are not kept.
        n_kept: Number of draws that are kept.
        thin: Steps of the chain for each kept draw.

    Returns:
        The draws, not yet drawn, and how the warm-up went.
    """
    walker = HMC(density, n_leapfrog=8) if sampler == "hmc" else Metropolis(density)
    state, record = warm_up(walker, walker.init(start), n_warmup, generator)
    states = chain_draws(walker, state, n_kept, generator, thin=thin)
    return LatentChains((s.position for s, _ in states), record)
