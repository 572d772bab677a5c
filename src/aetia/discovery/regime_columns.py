"""Regimes whose targets are to be found: columns that mark them, and what they touch."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Dataset
from aetia.discovery.table import DiscoveryTable
from aetia.errors import InputError
from aetia.graphs import Constraints
from aetia.likelihoods import add_regime_columns, regime_targets

__all__ = ["MarkedRegimes", "mark_regimes", "touched"]


class MarkedRegimes(NamedTuple):
    """A table with one more column for each regime but the reference."""

    table: DiscoveryTable
    names: tuple[str, ...]
    """Columns that mark the regimes."""
    reference: DiscoveryTable
    """The rows of the reference regime in the user's columns."""


def mark_regimes(table: DiscoveryTable) -> MarkedRegimes:
    """Add the regimes to a table as variables without causes.

    The reference that the others are compared with is the most frequent regime in which all
    columns vary; where there is none, the most frequent one.

    Args:
        table: The checked table, with regimes.

    Returns:
        The wider table; the regimes may cause every column and nothing causes them.

    Raises:
        InputError: If all rows are of one regime.
    """
    data = table.data
    values, counts = np.unique(np.asarray(data.regime), return_counts=True)
    if len(values) < 2:
        raise InputError(
            f"regime: all {data.n} rows are of one regime; leave it out, or pass several."
        )
    varies = np.array([_all_vary(data, value) for value in values.tolist()])
    reference = int(values[np.where(varies | ~varies.any(), counts, 0).argmax()])
    wide = add_regime_columns(data, reference)
    d, r = data.d, wide.d - data.d

    def padded(matrix: Tensor, value: float = 0) -> Tensor:
        return torch.nn.functional.pad(matrix, (0, r, 0, r), value=value)

    constraints = Constraints(
        padded(table.constraints.required, False),
        padded(table.constraints.forbidden, False),
        padded(table.constraints.log_odds),
    )
    constraints.forbidden[:, d:] = True
    marked = replace(
        table,
        data=wide,
        x=torch.from_numpy(wide.values),
        centre=table.centre.new_zeros(d + r),
        scale=table.scale.new_ones(d + r),
        intervened=None if wide.intervened is None else torch.from_numpy(wide.intervened),
        constraints=constraints,
    )
    rows = np.flatnonzero(np.asarray(data.regime) == reference)
    kept = replace(
        data,
        values=data.values[rows],
        observed=data.observed[rows],
        intervened=None if data.intervened is None else data.intervened[rows],
        regime=None,
    )
    return MarkedRegimes(marked, wide.names[d:], replace(table, data=kept, x=table.x[rows]))


def _all_vary(data: Dataset, regime: int) -> bool:
    """Whether no column is held at one value in the rows of a regime."""
    rows = data.values[np.asarray(data.regime) == regime]
    return bool((rows != rows[:1]).any(0).all())


def touched(
    graphs: Bool[Tensor, "s d d"],
    log_weights: Float[Tensor, " s"],
    names: tuple[str, ...],
    regimes: tuple[str, ...],
) -> dict[str, dict[str, float]]:
    """Tell which variables each regime touches.

    Args:
        graphs: Draws over all columns, those of the regimes included.
        log_weights: Log posterior weight of each draw.
        names: Names of all columns.
        regimes: Columns that mark the regimes.

    Returns:
        For each regime the posterior probability that it changes the mechanism of each variable.
    """
    probability = regime_targets(graphs, log_weights, names, regimes).tolist()
    others = [name for name in names if name not in regimes]
    return {
        regime: dict(zip(others, row, strict=True))
        for regime, row in zip(regimes, probability, strict=True)
    }
