"""What the network sees: readings, their masks, and a first guess of the states."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.discovery.rcgnn.recordings.readings import Readings
from aetia.discovery.rcgnn.states.draws import guess_without
from aetia.discovery.rcgnn.states.fitted import FittedStates

__all__ = ["Guess", "Inputs", "prepare"]

_SEEN_SD, _UNSEEN_SD = 0.3, 1.0
"""Uncertainty of states about which nothing but their reading is known."""


class Guess(NamedTuple):
    """First guess of the states and the drift of each block."""

    mean: Float[Tensor, "n *k time d"]
    sd: Float[Tensor, "n *k time d"]
    drift: Float[Tensor, "n *k time d"]


class Inputs(NamedTuple):
    """Blocks, or a batch of them."""

    number: Int[Tensor, " n"]
    """Number of each block."""
    values: Float[Tensor, "n time d"]
    """0 where not observed."""
    observed: Bool[Tensor, "n time d"]
    """What is trained on."""
    scored: Bool[Tensor, "n time d"]
    """Readings that are held out to score imputations."""
    live: Bool[Tensor, "n time"]
    regime: Int[Tensor, " n"]
    hidden: Bool[Tensor, "n k time d"]
    """Sets of readings that are hidden in turns, so that the encoder learns to impute."""
    guess: Guess
    """Guess from what is trained on."""
    guess_hidden: Guess
    """Guess from what is left of it when a set is hidden."""
    guess_all: Guess
    """Guess from all readings."""

    @property
    def n_sets(self) -> int:
        """Number of sets that are hidden in turns."""
        return self.hidden.shape[1]

    def seen(self, hidden: int | None) -> tuple[Bool[Tensor, "n time d"], Guess]:
        """Choose what the encoder sees.

        Args:
            hidden: Which set is hidden; None for none.

        Returns:
            Which cells, and the guess from these.
        """
        if hidden is None:
            return self.observed, self.guess
        guess = Guess(*(part[:, hidden] for part in self.guess_hidden))
        return self.observed & ~self.hidden[:, hidden], guess

    def complete(self) -> Inputs:
        """Put back what was held out for scores.

        Returns:
            Inputs in which all readings are seen.
        """
        return self._replace(observed=self.observed | self.scored, guess=self.guess_all)

    def rows(self, at: Int[Tensor, " k"]) -> Inputs:
        """Choose blocks.

        Args:
            at: Numbers of the blocks.

        Returns:
            A batch.
        """
        return self._map(lambda x: x[at])

    def to(self, device: torch.device) -> Inputs:
        """Move to a device, in single precision.

        Args:
            device: Device to move to.

        Returns:
            The same there.
        """
        return self._map(
            lambda x: x.to(device, torch.float32 if x.is_floating_point() else x.dtype)
        )

    def _map(self, change: Callable[[Tensor], Tensor]) -> Inputs:
        return Inputs(
            change(self.number),
            change(self.values),
            change(self.observed),
            change(self.scored),
            change(self.live),
            change(self.regime),
            change(self.hidden),
            Guess(*map(change, self.guess)),
            Guess(*map(change, self.guess_hidden)),
            Guess(*map(change, self.guess_all)),
        )


def prepare(
    readings: Readings,
    warm: FittedStates | None,
    *,
    scored: float,
    hidden: float,
    n_sets: int,
    generator: torch.Generator,
) -> Inputs:
    """Hold out some readings, hide others in turns, and guess the states from the rest.

    Args:
        readings: Standardised readings.
        warm: Linear state space; outliers that it flagged stay out.
        scored: Share of the readings that are held out to score imputations.
        hidden: Share of the rest in each set that is hidden.
        n_sets: How many sets.
        generator: Source of randomness.

    Returns:
        Inputs that hold nothing of what is not observed.
    """
    every = readings.observed & readings.live.unsqueeze(-1)
    if warm is not None:
        # Outliers were left out, or replaced where nothing else is missing.
        used = warm.x + warm.level[readings.regime].unsqueeze(1)
        every = every & warm.observed & torch.isclose(used, readings.values, atol=1e-6)
    values = torch.where(every, readings.values, 0.0)
    clean = readings._replace(values=values, observed=every)
    n, time, d = every.shape
    draws = torch.rand((n_sets + 1, n, time, d), generator=generator)
    held_out = every & (draws[0] < scored)
    sets = every & ~held_out & (draws[1:] < hidden)

    def guess(unseen: Tensor) -> Guess:
        if warm is None:
            seen = every & ~unseen
            sd = torch.where(seen, _SEEN_SD, _UNSEEN_SD).to(values)
            return Guess(torch.where(seen, values, 0.0), sd, torch.zeros_like(values))
        return Guess(*guess_without(clean, warm, unseen))

    by_set = [guess(held_out | one) for one in sets]
    return Inputs(
        torch.arange(n),
        values,
        every & ~held_out,
        held_out,
        readings.live,
        readings.regime,
        sets.transpose(0, 1),
        guess(held_out),
        Guess(*(torch.stack(part, 1) for part in zip(*by_set, strict=True))),
        guess(torch.zeros_like(held_out)),
    )
