"""What the network sees: readings, their masks, and a first guess of the states."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.linear.expectation_maximisation import FittedStates, Readings
from aetia.discovery.rcgnn.neural.state_draws import guess_without

__all__ = ["Guess", "Inputs", "prepare"]

_SEEN_SD, _UNSEEN_SD = 0.3, 1.0
"""Uncertainty of states about which nothing but their reading is known."""


class Guess(NamedTuple):
    """First guess of the states of each window."""

    mean: Float[Tensor, "n time d"]
    sd: Float[Tensor, "n time d"]
    drift: Float[Tensor, "n time d"]


class Inputs(NamedTuple):
    """Windows, or a batch of them."""

    values: Float[Tensor, "n time d"]
    """0 where not observed."""
    observed: Bool[Tensor, "n time d"]
    live: Bool[Tensor, "n time"]
    regime: Int[Tensor, " n"]
    held: Bool[Tensor, "n time d"]
    """Readings that are hidden in every other step, and scored."""
    whole: Guess
    without_held: Guess

    def rows(self, at: Int[Tensor, " k"]) -> Inputs:
        """Choose windows.

        Args:
            at: Their numbers.

        Returns:
            A batch.
        """
        return self._map(lambda x: x[at])

    def to(self, device: torch.device) -> Inputs:
        """Move to a device, in single precision.

        Args:
            device: Where to.

        Returns:
            The same there.
        """
        return self._map(
            lambda x: x.to(device, torch.float32 if x.is_floating_point() else x.dtype)
        )

    def _map(self, change: Callable[[Tensor], Tensor]) -> Inputs:
        return Inputs(
            change(self.values),
            change(self.observed),
            change(self.live),
            change(self.regime),
            change(self.held),
            Guess(*map(change, self.whole)),
            Guess(*map(change, self.without_held)),
        )


def prepare(
    readings: Readings,
    warm: FittedStates | None,
    *,
    held_out: float,
    generator: torch.Generator,
) -> Inputs:
    """Mask the readings, hide some, and guess the states with and without these.

    Args:
        readings: Standardised readings.
        warm: Linear state space; outliers it set aside stay aside.
        held_out: Share of the readings to hide.
        generator: Source of randomness.

    Returns:
        Inputs that hold nothing of what is not observed.
    """
    observed = readings.observed if warm is None else warm.observed
    observed = observed & readings.live.unsqueeze(-1)
    values = torch.where(observed, readings.values, 0.0)
    draws = torch.rand(observed.shape, generator=generator)
    held = observed & (draws < held_out)
    clean = readings._replace(values=values, observed=observed)

    def guess(hidden: Tensor) -> Guess:
        if warm is None:
            seen = observed & ~hidden
            sd = torch.where(seen, _SEEN_SD, _UNSEEN_SD).to(values)
            return Guess(torch.where(seen, values, 0.0), sd, torch.zeros_like(values))
        return Guess(*guess_without(clean, warm, hidden))

    nothing = torch.zeros_like(held)
    return Inputs(
        values, observed, readings.live, readings.regime, held, guess(nothing), guess(held)
    )
