r"""Hamiltonian Monte Carlo (Neal, 2011), for any number of chains at once.

With position q, momentum p ~ N(0, diag(scale)^-2) and H = -log density + kinetic energy, leapfrog
steps follow Hamilton's equations; the end is accepted with probability min(1, exp(-change of H)).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.samplers.chains import LogDensity, checked_density

__all__ = ["HMC", "HMCInfo", "HMCState"]

_DIVERGENCE = 1000.0
"""An error of the energy beyond this means that the integrator failed (Stan's rule)."""


class HMCState(NamedTuple):
    """What the next step needs."""

    position: Float[Tensor, "*chains dim"]
    log_density: Float[Tensor, "*chains"]
    gradient: Float[Tensor, "*chains dim"]
    """Gradient of the log density at the position, with which the next trajectory begins."""
    step_size: Float[Tensor, "*chains"]
    scale: Float[Tensor, "*chains dim"]
    """Standard deviations of the target, as far as known: the root of the inverse mass."""


class HMCInfo(NamedTuple):
    """What a person wants to look at."""

    acceptance: Float[Tensor, "*chains"]
    """Probability of accepting the end of the trajectory."""
    is_accepted: Bool[Tensor, "*chains"]
    is_divergent: Bool[Tensor, "*chains"]
    """The energy was off by more than 1000, or not a number."""
    energy_error: Float[Tensor, "*chains"]


class HMC:
    """The sampler: pure functions of their arguments.

    Args:
        log_density: Function from the positions of all chains to their log densities, up to
            constants; it must be differentiable.
        step_size: First step size, in units of the scale; adaptation changes it.
        n_leapfrog: Steps of a trajectory.
        jitter: Each trajectory's step size is multiplied by a uniform number in
            ``[1 - jitter, 1 + jitter]``, so that no chain moves in circles of one length.
    """

    target_acceptance = 0.8
    """What adaptation aims at."""

    def __init__(
        self,
        log_density: LogDensity,
        step_size: float = 0.1,
        n_leapfrog: int = 10,
        jitter: float = 0.2,
    ) -> None:
        self.log_density = log_density
        self.step_size = step_size
        self.n_leapfrog = n_leapfrog
        self.jitter = jitter

    def init(self, position: Float[Tensor, "*chains dim"]) -> HMCState:
        """Start the chains.

        Args:
            position: One point for each chain.

        Returns:
            The initial state.

        Raises:
            InputError: If the density of a chain is not finite there.
        """
        log_density, gradient = self._with_gradient(position)
        checked_density(lambda _: log_density, position)
        step_size = torch.full_like(log_density, self.step_size)
        return HMCState(position, log_density, gradient, step_size, torch.ones_like(position))

    def step(self, state: HMCState, generator: torch.Generator) -> tuple[HMCState, HMCInfo]:
        """Follow one trajectory, and take its end or stay.

        Args:
            state: Where the chains are.
            generator: Source of randomness.

        Returns:
            The next state, and what happened.
        """
        start = state.position
        options = {"dtype": start.dtype, "device": start.device, "generator": generator}
        # In coordinates divided by the scale, mass is one and momenta are standard normal.
        momentum = torch.randn(start.shape, **options)
        stretch = 1 + self.jitter * (2 * torch.rand(state.step_size.shape, **options) - 1)
        step = (state.step_size * stretch)[..., None]
        kinetic = 0.5 * momentum.square().sum(-1)
        position, log_density, gradient = start, state.log_density, state.gradient
        momentum = momentum + 0.5 * step * state.scale * gradient
        for i in range(self.n_leapfrog):
            position = position + step * state.scale * momentum
            log_density, gradient = self._with_gradient(position)
            last = i == self.n_leapfrog - 1
            momentum = momentum + (0.5 if last else 1.0) * step * state.scale * gradient
        error = (
            0.5 * momentum.square().sum(-1) - log_density - (kinetic - state.log_density)
        ).nan_to_num(torch.inf)
        acceptance = (-error).clamp(max=0.0).exp()
        is_accepted = torch.rand(acceptance.shape, **options) < acceptance
        take = is_accepted[..., None]
        new = HMCState(
            torch.where(take, position, start),
            torch.where(is_accepted, log_density, state.log_density),
            torch.where(take, gradient, state.gradient),
            state.step_size,
            state.scale,
        )
        return new, HMCInfo(acceptance, is_accepted, error > _DIVERGENCE, error)

    def _with_gradient(self, position: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = position.detach().requires_grad_()
            log_density = self.log_density(leaf)
            (gradient,) = torch.autograd.grad(log_density.sum(), leaf)
        return log_density.detach(), gradient
