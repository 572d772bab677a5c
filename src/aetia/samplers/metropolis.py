"""Random-walk Metropolis (Metropolis et al., 1953), for any number of chains at once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.samplers.chains import LogDensity, checked_density

__all__ = ["Metropolis", "MetropolisInfo", "MetropolisState"]


class MetropolisState(NamedTuple):
    """What the next step needs."""

    position: Float[Tensor, "*chains dim"]
    log_density: Float[Tensor, "*chains"]
    """Log density at the position, kept so that a step evaluates the density once."""
    step_size: Float[Tensor, "*chains"]
    scale: Float[Tensor, "*chains dim"]
    """Standard deviations that proposals are shaped by."""


class MetropolisInfo(NamedTuple):
    """What a person wants to look at."""

    acceptance: Float[Tensor, "*chains"]
    """Probability of accepting the proposal."""
    is_accepted: Bool[Tensor, "*chains"]
    is_divergent: Bool[Tensor, "*chains"]
    """The density at the proposal was not a number."""


class Metropolis:
    """The sampler: pure functions of their arguments.

    Args:
        log_density: Function from the positions of all chains to their log densities, up to
            constants.
        step_size: First standard deviation of the proposals, in units of the scale; 2.4 over the
            root of the dimension suits a normal target.
    """

    target_acceptance = 0.234
    """What adaptation aims at (Roberts, Gelman & Gilks, 1997)."""

    def __init__(self, log_density: LogDensity, step_size: float = 0.5) -> None:
        self.log_density = log_density
        self.step_size = step_size

    def init(self, position: Float[Tensor, "*chains dim"]) -> MetropolisState:
        """Start the chains.

        Args:
            position: One point for each chain.

        Returns:
            The initial state.

        Raises:
            InputError: If the density of a chain is not finite there.
        """
        with torch.no_grad():
            log_density = checked_density(self.log_density, position)
        step_size = torch.full_like(log_density, self.step_size)
        return MetropolisState(position, log_density, step_size, torch.ones_like(position))

    def step(
        self, state: MetropolisState, generator: torch.Generator
    ) -> tuple[MetropolisState, MetropolisInfo]:
        """Propose a normal move of all coordinates, and take it or stay.

        Args:
            state: Where the chains are.
            generator: Source of randomness.

        Returns:
            The next state, and what happened.
        """
        position = state.position
        options = {"dtype": position.dtype, "device": position.device, "generator": generator}
        noise = torch.randn(position.shape, **options)
        proposal = position + state.step_size[..., None] * state.scale * noise
        with torch.no_grad():
            proposed = self.log_density(proposal)
        gain = proposed - state.log_density
        acceptance = gain.clamp(max=0.0).exp().nan_to_num(0.0)
        is_accepted = torch.rand(acceptance.shape, **options) < acceptance
        new = MetropolisState(
            torch.where(is_accepted[..., None], proposal, position),
            torch.where(is_accepted, proposed, state.log_density),
            state.step_size,
            state.scale,
        )
        return new, MetropolisInfo(acceptance, is_accepted, proposed.isnan())
