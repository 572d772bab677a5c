"""A chain for every row of the table, moved when its row is in the batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from aetia.samplers import HMC

__all__ = ["RowChains"]

_TARGET, _GAIN = 0.75, 0.2
_SMALLEST, _LARGEST = 1e-3, 1.5


class RowChains:
    """Step sizes of all rows; the positions belong to the caller.

    The weights change between two visits of a row, so the chain follows a moving target and its
    step size is adapted for ever (stochastic approximation EM, Delyon, Lavielle & Moulines, 1999).

    Args:
        n: Rows.
        n_leapfrog: Steps of a trajectory.
        device: Device of the chains.
    """

    def __init__(self, n: int, n_leapfrog: int, device: torch.device) -> None:
        self.step_sizes = torch.full((n,), 0.1, device=device)
        self.n_leapfrog = n_leapfrog

    def move(
        self,
        log_density: Callable[[Tensor], Tensor],
        position: Float[Tensor, "b k"],
        rows: Int[Tensor, " b"],
        generator: torch.Generator,
    ) -> Float[Tensor, "b k"]:
        """Move the chains of some rows once.

        Args:
            log_density: Log density of these rows.
            position: Where they are.
            rows: Their numbers.
            generator: Source of randomness.

        Returns:
            Where they are now.
        """
        sampler = HMC(log_density, n_leapfrog=self.n_leapfrog)
        sizes = self.step_sizes[rows]
        state, info = sampler.step(sampler.init(position)._replace(step_size=sizes), generator)
        change = _GAIN * (info.acceptance - _TARGET)
        self.step_sizes[rows] = (sizes * change.exp()).clamp(_SMALLEST, _LARGEST)
        return state.position
