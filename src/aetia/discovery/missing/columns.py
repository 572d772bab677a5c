"""A table with missing cells as columns of numbers: what the Gaussian completion works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.column_bases import normal_scores, spline_columns
from aetia.likelihoods.column_blocks import RARE, merge_rare_levels

__all__ = ["Levels", "Numbers", "VariableColumns", "check_recorded", "gaussian_columns"]


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels of a nominal variable that were seen, and the numbers that stand for them.

    Attributes:
        values: What the user's table holds for each level.
        rows: Whitened indicators: mean 0 and identity covariance over the seen cells. Levels that
            are merged because they are rare share a row.
        counts: Seen cells of each level.
    """

    values: Float[Tensor, " r"]
    rows: Float[Tensor, "r m"]
    counts: Float[Tensor, " r"]

    def nearest(self, block: Float[Tensor, "*batch m"]) -> Int64[Tensor, "*batch"]:
        """Find the level that a block of columns stands for.

        Args:
            block: Rows of indicators.

        Returns:
            Index of the level; of merged levels the most frequent.
        """
        apart = (block.unsqueeze(-2) - self.rows).square().sum(-1)
        # Merged levels are equally far: the smallest of ties is taken from the frequent end.
        order = self.counts.argsort(descending=True, stable=True)
        return order[apart[..., order].argmin(-1)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Numbers:
    """The way back from the first column of a numeric variable to the user's units.

    Attributes:
        centre: Added after ...
        scale: ... the column was multiplied by this.
        anchors: First column and value of the seen cells, ascending, for variables that are scored
            by their ranks: values between are interpolated and never leave the range that was
            seen. None for a linear scale.
        whole: Whether values are shown rounded.
        lowest: No smaller value is shown.
        highest: No larger value is shown.
    """

    centre: float = 0.0
    scale: float = 1.0
    anchors: tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]] | None = None
    whole: bool = False
    lowest: float = -np.inf
    highest: float = np.inf

    def shown(self, first: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Turn the first column into values of the user's table.

        Args:
            first: First column of the variable's block.

        Returns:
            Values.
        """
        if self.anchors is None:
            value = first * self.scale + self.centre
        else:
            value = torch.from_numpy(np.interp(first.numpy(), *self.anchors))
        return (value.round() if self.whole else value).clamp(self.lowest, self.highest)


@dataclass(frozen=True, eq=False)
class VariableColumns:
    """Blocks of columns, one block for each variable.

    Attributes:
        values: Numbers in the scale of the score, zero where the variable was not seen.
        observed: True where the variable was seen.
        blocks: Number of columns of each variable.
        variables: What the columns of each variable stand for.
        intervened: True where a variable was set, or None.
    """

    values: Float[Tensor, "n w"]
    observed: Bool[Tensor, "n d"]
    blocks: tuple[int, ...]
    variables: tuple[Levels | Numbers, ...]
    intervened: Bool[Tensor, "n d"] | None = None

    @property
    def node(self) -> Int64[Tensor, " w"]:
        """Variable of each column."""
        return torch.repeat_interleave(torch.arange(len(self.blocks)), torch.tensor(self.blocks))

    @property
    def places(self) -> tuple[slice, ...]:
        """Where the columns of each variable lie."""
        ends = np.cumsum(self.blocks).tolist()
        return tuple(slice(e - m, e) for e, m in zip(ends, self.blocks, strict=True))


def gaussian_columns(
    data: Dataset,
    *,
    n_columns: int = 1,
    ordinal: Sequence[str] = (),
    rank_counts: bool = False,
) -> VariableColumns:
    """Write a table for BGe or block BGe, as the scores do for complete tables.

    Everything (centre, scale, knots, ranks, frequencies) comes from the seen cells.

    Args:
        data: A table, perhaps with missing cells.
        n_columns: Columns of a continuous variable: 1 standardises it, more take a spline of its
            normal score. The columns of a missing cell are then drawn as if they were jointly
            Gaussian, which serves the graph; the cell itself is shown by its first column.
        ordinal: Categorical variables whose codes are taken as numbers.
        rank_counts: Whether counts are taken as normal scores (block BGe) or standardised (BGe).

    Returns:
        Blocks of columns; a category with r seen levels has r - 1.

    Raises:
        InputError: If a variable has no spread among its seen cells, or a cell was set by
            intervention but not recorded.
    """
    check_recorded(data)
    observed = torch.from_numpy(data.observed)
    intervened = None if data.intervened is None else torch.from_numpy(data.intervened)
    kinds = data.kinds or ("continuous",) * data.d
    parts, variables = [], []
    for j, (name, kind) in enumerate(zip(data.names, kinds, strict=True)):
        seen = observed[:, j]
        x = torch.from_numpy(np.asarray(data.values[:, j], dtype=np.float64))[seen]
        if not len(x) or bool((x == x[0]).all()):
            raise InputError(
                f"column {name!r} has {len(x)} seen cells and no spread among them. Leave it out "
                f"with exclude=[{name!r}]."
            )
        free = torch.ones_like(x, dtype=torch.bool)
        if intervened is not None and int((~intervened[seen, j]).sum()) > 1:
            free = ~intervened[seen, j]
        if kind in ("binary", "categorical") and name not in ordinal:
            columns, variable = _indicators(x)
        elif (kind == "continuous" and n_columns > 1) or (kind == "count" and rank_counts):
            columns, variable = _splines(x, n_columns if kind == "continuous" else 1, kind)
        else:
            columns, variable = _standardised(x, x[free], kind)
        block = torch.zeros(data.n, columns.shape[1], dtype=torch.float64)
        block[seen] = columns
        parts.append(block)
        variables.append(variable)
    return VariableColumns(
        values=torch.cat(parts, dim=1),
        observed=observed,
        blocks=tuple(part.shape[1] for part in parts),
        variables=tuple(variables),
        intervened=intervened,
    )


def check_recorded(data: Dataset) -> None:
    """Refuse cells that were set by intervention but not recorded: nothing can say their value.

    Args:
        data: The table.

    Raises:
        InputError: If there is such a cell.
    """
    if data.intervened is not None and (data.intervened & ~data.observed).any():
        row, j = np.argwhere(data.intervened & ~data.observed)[0].tolist()
        raise InputError(
            f"column {data.names[j]!r} was set by intervention in row {row}, but its value is "
            "missing. Fill in the value that it was set to, or leave the row out."
        )


def _standardised(x: Tensor, free: Tensor, kind: str) -> tuple[Tensor, Numbers]:
    spread = float(free.std(correction=0))
    centre, scale = float(free.mean()), spread if spread > 0 else 1.0
    shown = Numbers(centre=centre, scale=scale, **_limits(x, kind))
    return ((x - centre) / scale).unsqueeze(-1), shown


def _splines(x: Tensor, n_columns: int, kind: str) -> tuple[Tensor, Numbers]:
    score = normal_scores(x.unsqueeze(1))
    columns = spline_columns(score[:, 0], n_columns) if n_columns > 1 else score
    order = x.argsort()
    first = np.maximum.accumulate(columns[order, 0].numpy())
    return columns, Numbers(anchors=(first, x[order].numpy()), **_limits(x, kind))


class _Limits(TypedDict, total=False):
    whole: bool
    lowest: float
    highest: float


def _limits(x: Tensor, kind: str) -> _Limits:
    """Counts are whole and not negative, ordered codes stay among those that were seen."""
    if kind == "continuous":
        return {}
    lowest, highest = (0.0, np.inf) if kind == "count" else (float(x.min()), float(x.max()))
    return _Limits(whole=True, lowest=lowest, highest=highest)


def _indicators(x: Tensor) -> tuple[Tensor, Levels]:
    """Whiten the indicators: any rotation of these columns gives the same block score."""
    values, which, counts = x.unique(return_inverse=True, return_counts=True)
    merged, _ = merge_rare_levels(which.numpy(), RARE)
    group = torch.zeros_like(counts)
    group[which] = torch.from_numpy(merged)
    root = (torch.bincount(group, weights=counts.double()) / len(x)).sqrt()
    # The columns of Q behind the first are orthogonal to the roots, so indicators divided by
    # the roots have mean zero and identity covariance in them.
    others = torch.eye(len(root), dtype=torch.float64)[:, 1:]
    basis, _ = torch.linalg.qr(torch.cat([root.unsqueeze(-1), others], 1))
    rows = (basis[:, 1:] / root.unsqueeze(-1))[group]
    return rows[which], Levels(values, rows, counts.double())
