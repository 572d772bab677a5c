"""Which units each member of the ensemble is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from aetia.effects.causalbgm.generative import Units
from aetia.randomness import torch_generator

__all__ = ["Folds", "Turn", "in_turns", "make_folds", "out_of_fold", "take_units", "unit_batches"]

_DRAWN_TOGETHER = 16
"""Batches whose rows are drawn in one call; their units are taken one by one."""


class Folds(NamedTuple):
    """A partition of the units; member m holds out fold ``m % n_folds``."""

    of_unit: Int[Tensor, " n"]
    """Fold of every unit."""
    n_folds: int
    n_members: int

    def held_out(self) -> Bool[Tensor, "members n"]:
        """Mark the units that each member is never trained on."""
        fold = torch.arange(self.n_members, device=self.of_unit.device) % max(self.n_folds, 1)
        return self.of_unit == fold[:, None]


def make_folds(
    n: int,
    n_folds: int,
    n_replicates: int,
    generator: torch.Generator,
    arms: Float[Tensor, " n"] | None = None,
) -> Folds:
    """Divide units into folds of equal size, each with its share of both arms.

    Args:
        n: Units.
        n_folds: Folds. One fold means that a fifth is held out, for choosing weights only.
        n_replicates: Members for each fold.
        generator: Source of randomness.
        arms: Binary treatment, if it is one.

    Returns:
        The folds.
    """
    order = torch.randperm(n, generator=generator)
    if arms is not None:
        order = order[torch.sort(arms.cpu()[order], stable=True).indices]
    fold = torch.empty(n, dtype=torch.long)
    fold[order] = torch.arange(n) % (n_folds if n_folds > 1 else 5)
    return Folds(fold, n_folds, n_folds * n_replicates)


def unit_batches(
    units: Units, folds: Folds, batch_size: int, seed: int
) -> Callable[[int], Iterator[tuple[Units, Int[Tensor, "members batch"]]]]:
    """Make batches: for every member its own units.

    Args:
        units: The study, on the device where it is needed.
        folds: Folds of the units: which members hold out which units.
        batch_size: Units of a batch.
        seed: Seed of the batches; batch k depends on the seed and k alone.

    Returns:
        A function from a number to the batches from that number on.
    """
    held = folds.held_out()
    learned = (~held).long()
    sizes = learned.sum(1)
    order = torch.sort(learned, dim=1, descending=True, stable=True).indices

    def drawn(block: int) -> Int[Tensor, "block members batch"]:
        generator = torch_generator(np.random.SeedSequence([seed, block]))
        u = torch.rand(_DRAWN_TOGETHER, folds.n_members, batch_size, generator=generator)
        pick = (u.to(sizes.device) * sizes[:, None]).long()
        return order.expand(_DRAWN_TOGETHER, -1, -1).gather(2, pick)

    def batches(start: int) -> Iterator[tuple[Units, Tensor]]:
        block, skipped = divmod(start, _DRAWN_TOGETHER)
        while True:
            for rows in drawn(block)[skipped:]:
                yield take_units(units, rows), rows
            block, skipped = block + 1, 0

    return batches


class Turn(NamedTuple):
    """One of several batches that were taken together."""

    units: Units
    together: Units
    place: int
    """Position of the batch among those taken together."""


def in_turns(
    batches: Callable[[int], Iterator[tuple[Units, Int[Tensor, "members batch"]]]], n_turns: int
) -> Callable[[int], Iterator[Turn]]:
    """Cut batches into smaller ones.

    Args:
        batches: Function that :func:`unit_batches` returned.
        n_turns: Number of smaller batches that each batch is cut into.

    Returns:
        A function from the number of a smaller batch to those from that number on.
    """

    def turns(start: int) -> Iterator[Turn]:
        number, skipped = divmod(start, n_turns)
        for together, rows in batches(number):
            size = rows.shape[1] // n_turns
            for place in range(skipped, n_turns):
                part = slice(place * size, (place + 1) * size)
                yield Turn(together.map(lambda t, part=part: t[:, part]), together, place)
            skipped = 0

    return turns


def take_units(units: Units, rows: Int[Tensor, "*some n"]) -> Units:
    """Take units by number.

    Args:
        units: The study.
        rows: Which.

    Returns:
        The chosen units.
    """
    flat = rows.flatten()
    return units.map(lambda part: part.index_select(0, flat).unflatten(0, rows.shape))


def out_of_fold(
    values: Float[np.ndarray, "members n *event"], folds: Folds
) -> Float[np.ndarray, "replicates n *event"]:
    """Keep the predictions of every unit by members that were not trained on it.

    Args:
        values: Predictions of every member for every unit.
        folds: Folds of the units: which members hold out which units.

    Returns:
        One value for each replicate.
    """
    of_unit = folds.of_unit.cpu().numpy()
    n_replicates = folds.n_members // folds.n_folds
    by_replicate = values.reshape(n_replicates, folds.n_folds, *values.shape[1:])
    return by_replicate[:, of_unit, np.arange(len(of_unit))]
