"""The original's random walk: a step size that stays, or follows the acceptance in the burn-in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.samplers import LogDensity, Metropolis, MetropolisState

__all__ = ["StepSizeRule", "random_walk"]


class StepSizeRule:
    """How a shared step size follows the acceptance of all chains.

    Args:
        target: Acceptance rate to aim at.
        tolerance: Deviation that is left alone.
        interval: Steps between changes.
        window: Steps whose acceptance counts.
    """

    def __init__(
        self,
        target: float = 0.25,
        tolerance: float = 0.05,
        interval: int = 50,
        window: int = 100,
    ) -> None:
        self.target, self.tolerance, self.interval = target, tolerance, interval
        self.recent: deque[float] = deque(maxlen=window)

    def factor(self, acceptance: float, step: int) -> float:
        """Take a step's acceptance in and say what to multiply the step size with.

        Args:
            acceptance: Share of chains that moved.
            step: Number of the step.

        Returns:
            0.9, 1 or 1.1.
        """
        self.recent.append(acceptance)
        if not step or step % self.interval:
            return 1.0
        rate = sum(self.recent) / len(self.recent)
        if rate < self.target - self.tolerance:
            return 0.9
        return 1.1 if rate > self.target + self.tolerance else 1.0


def random_walk(
    density: LogDensity,
    start: Float[Tensor, "*chains latents"],
    generator: torch.Generator,
    *,
    q_sd: float,
    burn_in: int,
    n_keep: int,
    rule: StepSizeRule | None = None,
    next_density: Callable[[], LogDensity] | None = None,
) -> Iterator[Float[Tensor, "*chains latents"]]:
    """Walk, and hand out one draw at a time after the burn-in.

    Args:
        density: Function from the positions of all chains to their log densities.
        start: Where they start.
        generator: Source of randomness.
        q_sd: Standard deviation of proposals, in the first step if there is a rule.
        burn_in: Steps that are not handed out.
        n_keep: Draws.
        rule: Adapts the step size in the burn-in; None keeps it.
        next_density: Makes another density for every step, whose parameters are random.

    Yields:
        The positions of all chains.
    """
    sampler = Metropolis(density, step_size=q_sd)
    state: MetropolisState = sampler.init(start)
    for step in range(burn_in + n_keep):
        if next_density is not None:
            sampler.log_density = next_density()
            with torch.no_grad():
                state = state._replace(log_density=sampler.log_density(state.position))
        state, info = sampler.step(state, generator)
        moved = float(info.is_accepted.float().mean())
        if step < burn_in:
            if rule is not None:
                state = state._replace(step_size=state.step_size * rule.factor(moved, step))
            continue
        yield state.position
