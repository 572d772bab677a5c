"""Tables of mixed kinds as numeric columns, one block of columns for each variable.

A block spans the functions of its variable that a linear model may use: the variable itself or a
spline of it, one column for two levels, r - 1 columns for r unordered levels. Within a block only
the span matters to scores that are unchanged by rotations of its columns, so that the choice of a
reference level does not matter.

Every column is computed from all rows, whatever was set by intervention, so that scores of
different rows refer to one and the same transformation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.column_bases import normal_scores, spline_columns
from aetia.likelihoods.column_codes import column_codes

__all__ = ["ColumnBlocks", "column_blocks", "merge_rare_levels", "whitened_indicators"]

RARE = 0.01
"""Share of the rows below which a level is merged with other rare levels."""


class ColumnBlocks(NamedTuple):
    """Columns of all blocks, side by side in the order of the variables."""

    columns: Float[Tensor, "n c"]
    sizes: tuple[int, ...]
    """Number of columns of each variable."""
    notes: tuple[str, ...]
    """What was merged, in full sentences."""


def column_blocks(
    data: Dataset, n_columns: int, *, ordinal: Sequence[str] = (), rare: float = RARE
) -> ColumnBlocks:
    """Turn every variable into a block of columns.

    Args:
        data: A complete table; its continuous columns are in the scale of the score.
        n_columns: Columns of a continuous variable. With 1 it is taken as it is; with more it
            becomes a natural cubic spline of its normal score.
        ordinal: Categorical columns whose levels are in order; their codes are taken as numbers.
        rare: Levels with a smaller share of the rows are merged.

    Returns:
        The blocks. Counts become normal scores, two levels one standardised column, and r
        unordered levels r - 1 whitened indicators.

    Raises:
        InputError: If a column is constant, or ``ordinal`` names a column that is not categorical.
    """
    categorical = [
        n for n, kind in zip(data.names, data.kinds, strict=True) if kind == "categorical"
    ]
    unknown = [name for name in ordinal if name not in categorical]
    if unknown:
        raise InputError(
            f"ordinal={unknown} are not categorical columns; these are: "
            f"{', '.join(categorical) or 'none'}. Numbers need no such statement."
        )
    blocks, notes = [], []
    for j, (name, kind) in enumerate(zip(data.names, data.kinds, strict=True)):
        values = torch.from_numpy(data.values[:, j]).double()
        if len(values.unique()) < 2:
            raise InputError(f"column {name!r} is constant; drop it with exclude=[{name!r}].")
        if kind == "categorical" and name not in ordinal:
            codes = column_codes(data, [j])
            merged, gone = merge_rare_levels(codes.codes[:, 0], rare)
            blocks.append(whitened_indicators(torch.from_numpy(merged)))
            if gone:
                labels = data.levels.get(name, tuple(map(str, range(codes.levels[0]))))
                listed = ", ".join(repr(labels[code]) for code in gone)
                notes.append(
                    f"Column {name!r}: the levels {listed} were merged into one, because some of "
                    f"them have fewer than {rare:.0%} of the {data.n} rows."
                )
        elif kind == "continuous" and n_columns == 1:
            blocks.append(values.unsqueeze(1))
        elif kind == "continuous":
            score = normal_scores(values.unsqueeze(1)).squeeze(1)
            blocks.append(spline_columns(score, n_columns))
        elif kind == "count":
            blocks.append(normal_scores(values.unsqueeze(1)))
        else:
            blocks.append(spline_columns(values, 1))
    sizes = tuple(block.shape[1] for block in blocks)
    return ColumnBlocks(torch.cat(blocks, dim=1), sizes, tuple(notes))


def merge_rare_levels(
    codes: Int64[np.ndarray, " n"], share: float
) -> tuple[Int64[np.ndarray, " n"], list[int]]:
    """Merge the levels that too few rows have.

    All of them become one level. If that one is still rare, the least frequent of the other
    levels joins it, unless only one other level is left.

    Args:
        codes: Level of each row.
        share: Levels with a smaller share of the rows are rare.

    Returns:
        New codes from 0 without gaps, and the old codes that now are one level.
    """
    levels, which, counts = np.unique(codes, return_inverse=True, return_counts=True)
    least = share * len(codes)
    gone = [int(k) for k in np.flatnonzero(counts < least)]
    others = [int(k) for k in np.argsort(counts, kind="stable") if k not in gone]
    if gone and counts[gone].sum() < least and len(others) > 1:
        gone.append(others[0])
    if len(gone) < 2:
        return which, []
    target = np.arange(len(levels))
    target[gone] = gone[0]
    _, merged = np.unique(target[which], return_inverse=True)
    return merged, sorted(int(levels[k]) for k in gone)


def whitened_indicators(codes: Int64[Tensor, " n"]) -> Float[Tensor, "n c"]:
    """Span the indicators of the levels by orthogonal columns of mean 0 and variance 1.

    Args:
        codes: Level of each row; r different levels.

    Returns:
        ``r - 1`` columns. Another order of the levels rotates them.
    """
    levels, which = codes.unique(return_inverse=True)
    indicators = torch.nn.functional.one_hot(which, len(levels)).double()[:, 1:]
    q, _ = torch.linalg.qr(indicators - indicators.mean(0))
    return q * math.sqrt(len(codes))
