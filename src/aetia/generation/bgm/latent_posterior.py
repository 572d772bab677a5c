r"""Draws from p(z | seen cells): Hamiltonian Monte Carlo that can also jump.

Chains start from importance draws, so they begin near the posterior and in all of its modes. Every
step is a Hamiltonian trajectory, which explores the mode, followed by an independent draw from the
defensive proposal, accepted by Metropolis and Hastings' rule, which finds the others. Both leave
the posterior unchanged. The original starts N(0, I) with one step size for all rows and cannot
jump.

For values that are missing because of what they are, the state is (z, e): the missing cells are
mean(z) + std(z) e with e ~ N(0, I), and the model of missingness joins the target. One trajectory
moves z and the missing cells together, where alternating between them moves in small steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.generation.bgm.latent_distribution import DefensiveProposal, log_prior
from aetia.generation.bgm.likelihood import ColumnLikelihood
from aetia.generation.bgm.missingness import MissingnessNet
from aetia.generation.bgm.networks import Decode
from aetia.samplers import HMC, HMCInfo, HMCState

__all__ = ["JumpingHMC", "RowPosterior", "importance_start"]


class RowPosterior(NamedTuple):
    """The posterior of the latents of some rows, unnormalised.

    Attributes:
        decode: Generator with its weights.
        likelihood: Distribution of the columns.
        x: Rows, zeros where not observed.
        observed: True where a value was seen.
        n_latents: Width of z, the first part of the state.
        missingness: Model of missingness; None when it says nothing about the values.
    """

    decode: Decode
    likelihood: ColumnLikelihood
    x: Float[Tensor, "n p"]
    observed: Bool[Tensor, "n p"]
    n_latents: int
    missingness: MissingnessNet | None = None

    def log_density(self, state: Float[Tensor, "*chains n dim"]) -> Float[Tensor, "*chains n"]:
        """Evaluate the log joint density of latents and seen cells.

        Args:
            state: z, or (z, e).

        Returns:
            One number for each row of each chain.
        """
        z = state[..., : self.n_latents]
        raw = self.decode(z)
        value = self.likelihood.log_prob(raw, self.x, self.observed) + log_prior(state)
        if self.missingness is not None:
            full = self._filled(raw, state[..., self.n_latents :])
            value = value + self.missingness.log_prob(full, self.observed)
        return value

    def cells(
        self,
        state: Float[Tensor, "*chains n dim"],
        generator: torch.Generator,
        *,
        probabilities: bool = False,
    ) -> Float[Tensor, "*chains n p"]:
        """Draw the cells given the state.

        Args:
            state: z, or (z, e).
            generator: Source of randomness.
            probabilities: Give the probability of a binary cell instead of 0 or 1.

        Returns:
            All cells; only those of missing cells mean something.
        """
        raw = self.decode(state[..., : self.n_latents])
        if self.missingness is not None:
            return self._filled(raw, state[..., self.n_latents :])
        if probabilities:
            return self.likelihood.mean(raw, self.x, self.observed)
        return self.likelihood.sample(raw, self.x, self.observed, generator)

    def _filled(self, raw: Tensor, noise: Tensor) -> Tensor:
        row = self.likelihood.read(raw)
        assert row.variance is not None
        return torch.where(self.observed, self.x, row.mean + row.variance.sqrt() * noise)


class JumpingHMC:
    """A Hamiltonian trajectory, then a proposal from anywhere.

    Args:
        log_density: Log density of all chains and rows at once.
        proposal: Where proposals for z come from; other parts of the state are proposed from
            N(0, I).
        n_leapfrog: Steps of a trajectory.
        step_size: Initial step size.
    """

    target_acceptance = HMC.target_acceptance

    def __init__(
        self,
        log_density: Callable[[Tensor], Tensor],
        proposal: DefensiveProposal,
        *,
        n_leapfrog: int,
        step_size: float = 0.2,
    ) -> None:
        self.hmc = HMC(log_density, step_size, n_leapfrog)
        self.proposal = proposal
        self.n_jumps, self.n_proposed = 0, 0

    def init(self, position: Float[Tensor, "c n dim"]) -> HMCState:
        """Start the chains.

        Args:
            position: Chains, rows, state.

        Returns:
            The initial state.
        """
        return self.hmc.init(position)

    def step(self, state: HMCState, generator: torch.Generator) -> tuple[HMCState, HMCInfo]:
        """Move every chain of every row.

        Args:
            state: Where they are.
            generator: Source of randomness.

        Returns:
            The next state, and what happened to the trajectories.
        """
        state, info = self.hmc.step(state, generator)
        k = self.proposal.guess.mean.shape[-1]
        here = state.position
        z = self.proposal.step(torch.Size((*here.shape[:-1], k)), generator)
        options = {"generator": generator, "device": here.device}
        rest = torch.randn(*here.shape[:-1], here.shape[-1] - k, **options)
        there = self.hmc.init(torch.cat([z, rest], -1))
        gain = there.log_density - state.log_density
        # The rest is proposed from its prior, which is part of the density: it cancels.
        gain = gain + self.proposal.log_prob(here[..., :k]) - self.proposal.log_prob(z)
        gain = gain + log_prior(here[..., k:]) - log_prior(rest)
        take = torch.rand(gain.shape, **options).log() < gain
        self.n_jumps, self.n_proposed = (
            self.n_jumps + int(take.sum()),
            self.n_proposed + take.numel(),
        )
        return state._replace(
            position=torch.where(take[..., None], there.position, here),
            log_density=torch.where(take, there.log_density, state.log_density),
            gradient=torch.where(take[..., None], there.gradient, state.gradient),
        ), info


def importance_start(
    posterior: RowPosterior,
    proposal: DefensiveProposal,
    n_chains: int,
    n_draws: int,
    generator: torch.Generator,
) -> Float[Tensor, "c n dim"]:
    """Draw where chains start: importance draws, resampled by their weights.

    Args:
        posterior: Posterior of the rows.
        proposal: Where draws come from.
        n_chains: Starts of each row.
        n_draws: Draws of each row that are weighed.
        generator: Source of randomness.

    Returns:
        One state for each chain of each row.
    """
    with torch.no_grad():
        z = proposal.sample(n_draws, generator)
        state = z
        if posterior.missingness is not None:
            shape = (*z.shape[:-1], posterior.x.shape[1])
            noise = torch.randn(shape, generator=generator, device=z.device)
            state = torch.cat([z, noise], -1)
        weights = (
            posterior.log_density(state)
            - proposal.log_prob(z)
            - log_prior(state[..., z.shape[-1] :])
        )
        chances = torch.softmax(weights, 0).nan_to_num(1e-12).T
        chosen = torch.multinomial(chances, n_chains, replacement=True, generator=generator).T
        return state[chosen, torch.arange(z.shape[1], device=z.device)]
