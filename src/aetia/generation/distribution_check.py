"""Validation rows: does the learned distribution hold for them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from aetia.diagnostics import energy_distance

if TYPE_CHECKING:
    import pandas as pd

    from aetia.generation.diffusion.tables.estimator import DDDM

__all__ = ["DistributionCheck", "check_distribution", "randomised_ranks"]

_MOST_ROWS = 300


class DistributionCheck(NamedTuple):
    """Evidence about the learned conditional distributions."""

    ranks: Mapping[str, Float[np.ndarray, " n"]]
    """Ranks of every column's values among draws given the other columns, in [0, 1]; uniform if the
    learned distribution is right."""
    distances: Mapping[int, float]
    """Energy distance of new rows to the rows, in standard deviations, by steps of the sampler."""
    floor: float
    """The same of rows the model learned from to these rows: what sampling alone makes."""
    n_rows: int


def check_distribution(
    model: DDDM,
    learned: pd.DataFrame,
    held_out: pd.DataFrame,
    *,
    n_draws: int = 100,
    steps: Sequence[int] = (1, 2, 5, 10, 20),
    rng: np.random.Generator,
) -> DistributionCheck:
    """Rank values of held-out rows among draws given the rest, and compare new rows with them.

    Args:
        model: Fitted.
        learned: Rows it learned from.
        held_out: Rows it did not learn from; at most 300 are used.
        n_draws: Draws behind every rank.
        steps: Numbers of steps of the sampler to compare.
        rng: Breaks ties.

    Returns:
        The check; ranks skip missing cells.
    """
    some = held_out.sample(min(len(held_out), _MOST_ROWS), random_state=rng)
    codec = model._fitted().codec
    truth = codec.codes(model._read(some))
    ranks = {}
    for j, name in enumerate(codec.encoding.names):
        seen = ~np.isnan(truth[:, j])
        if codec.encoding.levels[j] or not seen.any() or codec.ends[j, 0] == codec.ends[j, 1]:
            continue
        rest = some[seen].drop(columns=name)
        if rest.shape[1]:
            draws = model.sample(n_draws, given=rest, columns=[name]).values[..., 0]
        else:
            draws = model.sample(n_draws * len(some)).values.reshape(n_draws, -1)
        ranks[name] = randomised_ranks(truth[seen, j], draws, rng)
    new = {k: model.sample(1000, n_steps=k).values[0] for k in steps}
    numbers = [not levels for levels in codec.encoding.levels]
    spread = np.where(codec.ends[:, 1] > codec.ends[:, 0], np.nanstd(truth, 0), 1.0)[numbers]

    def standard(values: np.ndarray) -> torch.Tensor:
        kept = values[:, numbers]
        return torch.from_numpy(kept[~np.isnan(kept).any(1)] / np.where(spread > 0, spread, 1.0))

    reference = standard(truth)
    base = codec.codes(model._read(learned.sample(min(len(learned), 1000), random_state=rng)))
    if not any(numbers) or len(reference) < 2 or len(standard(base)) < 2:
        return DistributionCheck(ranks, {}, 0.0, len(some))
    return DistributionCheck(
        ranks,
        {k: energy_distance(standard(rows), reference) for k, rows in new.items()},
        energy_distance(standard(base), reference),
        len(some),
    )


def randomised_ranks(
    values: Float[np.ndarray, " n"], draws: Float[np.ndarray, "s n"], rng: np.random.Generator
) -> Float[np.ndarray, " n"]:
    """Compute probability integral transforms; ties are broken at random.

    Args:
        values: What was seen.
        draws: Draws of each value.
        rng: Source of randomness.

    Returns:
        Numbers in [0, 1], uniform if values and draws have one distribution.
    """
    below, ties = (draws < values).sum(0), (draws == values).sum(0)
    return (below + rng.random(len(values)) * (ties + 1)) / (len(draws) + 1)
