"""What all chains share: the densities they take, warm-up, and draws one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.errors import InputError
from aetia.samplers.dual_averaging import dual_averaging_start, dual_averaging_update

__all__ = ["Chain", "LogDensity", "WarmUp", "chain_draws", "checked_density", "warm_up"]

LogDensity: TypeAlias = Callable[[Float[Tensor, "*chains dim"]], Float[Tensor, "*chains"]]
"""Log density of every chain, up to constants; chains must not influence each other."""

State = TypeVar("State", bound=Any)


@runtime_checkable
class Chain(Protocol):
    """A sampler that walks: its states have a position, a step size and a scale."""

    target_acceptance: float

    def init(self, position: Float[Tensor, "*chains dim"]) -> Any:
        """Start the chains."""
        ...

    def step(self, state: Any, generator: torch.Generator) -> tuple[Any, Any]:
        """Move every chain once."""
        ...


class WarmUp(NamedTuple):
    """How a warm-up went."""

    acceptance: Float[Tensor, "*chains"]
    """Mean over its last quarter."""
    n_divergent: int
    n_steps: int


def warm_up(
    sampler: Chain,
    state: State,
    n_steps: int,
    generator: torch.Generator,
    *,
    target: float | None = None,
    shared: bool = False,
) -> tuple[State, WarmUp]:
    """Adapt step sizes, and the scale of every coordinate, while the chains find their way.

    As in Stan: the step size alone at first, variances from the middle of the warm-up (shrunk
    towards a small value as if five more draws had said so), and the step size again.

    Args:
        sampler: Metropolis or HMC.
        state: Where the chains start.
        n_steps: Steps of the warm-up.
        generator: Source of randomness.
        target: Acceptance to aim at; None for the sampler's own.
        shared: One scale for all chains, when they share one target; otherwise each has its own.

    Returns:
        The state to draw from, with its step size and scale fixed, and how it went.
    """
    target = sampler.target_acceptance if target is None else target
    adaptation = dual_averaging_start(state.step_size)
    first, last = n_steps // 4, n_steps - n_steps // 4
    count, mean, squares = 0, torch.zeros_like(state.position), torch.zeros_like(state.position)
    acceptance, n_divergent = torch.zeros_like(state.log_density), 0
    for t in range(n_steps):
        state = state._replace(step_size=adaptation.log_step.exp())
        state, info = sampler.step(state, generator)
        adaptation = dual_averaging_update(adaptation, info.acceptance, target)
        n_divergent += int(info.is_divergent.sum())
        if first <= t < last:
            count += 1
            change = state.position - mean
            mean = mean + change / count
            squares = squares + change * (state.position - mean)
        if t + 1 == last and count > 10:
            state = state._replace(scale=_scales(squares / (count - 1), mean, count, shared))
            adaptation = dual_averaging_start(adaptation.log_average.exp())
        if t >= last:
            acceptance = acceptance + info.acceptance / (n_steps - last)
    if n_steps:
        state = state._replace(step_size=adaptation.log_average.exp())
    return state, WarmUp(acceptance, n_divergent, n_steps)


def _scales(variance: Tensor, mean: Tensor, count: int, shared: bool) -> Tensor:
    if shared and variance.ndim > 1:
        within = variance.flatten(0, -2).mean(0)
        centres = mean.flatten(0, -2)
        between = centres.var(0) if len(centres) > 1 else torch.zeros_like(within)
        variance = (within + between).expand_as(variance)
    return (count / (count + 5.0) * variance + 5.0 / (count + 5.0) * 1e-3).sqrt()


def chain_draws(
    sampler: Chain, state: State, n_draws: int, generator: torch.Generator, *, thin: int = 1
) -> Iterator[tuple[State, Any]]:
    """Walk, and hand out one state at a time, so that nobody must hold them all.

    Args:
        sampler: Metropolis or HMC.
        state: Where the chains are after warm-up.
        n_draws: States handed out.
        generator: Source of randomness.
        thin: Steps for each of them.

    Yields:
        A state, and what happened in its last step.
    """
    for _ in range(n_draws):
        info = None
        for _ in range(thin):
            state, info = sampler.step(state, generator)
        yield state, info


def checked_density(log_density: LogDensity, position: Tensor) -> Tensor:
    """Evaluate a density where chains start.

    Args:
        log_density: The density.
        position: One point for each chain.

    Returns:
        Log densities.

    Raises:
        InputError: If one is not finite: such a chain could never move, or never be left.
    """
    value = log_density(position)
    if value.shape != position.shape[:-1]:
        raise InputError(
            f"log_density returned shape {tuple(value.shape)} for positions of shape "
            f"{tuple(position.shape)}; one number for each chain was expected: "
            f"{tuple(position.shape[:-1])}."
        )
    bad = ~value.isfinite()
    if bad.any():
        raise InputError(
            f"the log density is not finite where {int(bad.sum())} of {bad.numel()} chains start; "
            "start them where the density is positive."
        )
    return value
