"""A table with missing cells as columns of numbers: what the Gaussian completion works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError

__all__ = ["Columns", "Levels", "check_recorded", "gaussian_columns"]


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels of a nominal variable that were seen, and the numbers that stand for them.

    Attributes:
        values: What the user's table holds for each level.
        rows: Whitened indicators: mean 0 and identity covariance over the seen cells.
        counts: Seen cells of each level.
    """

    values: Float[Tensor, " r"]
    rows: Float[Tensor, "r m"]
    counts: Float[Tensor, " r"]


@dataclass(frozen=True, eq=False)
class Columns:
    """Blocks of columns, one block for each variable.

    Attributes:
        values: Numbers in the scale of the score, zero where the variable was not seen.
        observed: True where the variable was seen.
        blocks: Number of columns of each variable.
        levels: Levels of nominal variables, None for numbers.
        whole: True for numbers that are shown rounded (counts and ordinal codes).
        centre: Subtracted from the first column of each variable ...
        scale: ... which was then divided by this.
        intervened: True where a variable was set, or None.
    """

    values: Float[Tensor, "n w"]
    observed: Bool[Tensor, "n d"]
    blocks: tuple[int, ...]
    levels: tuple[Levels | None, ...]
    whole: tuple[bool, ...]
    centre: Float[Tensor, " d"]
    scale: Float[Tensor, " d"]
    intervened: Bool[Tensor, "n d"] | None = None

    @property
    def node(self) -> Tensor:
        """Variable of each column."""
        return torch.repeat_interleave(torch.arange(len(self.blocks)), torch.tensor(self.blocks))

    @property
    def first(self) -> Tensor:
        """First column of each variable."""
        return torch.cat([torch.zeros(1, dtype=torch.int64), torch.tensor(self.blocks).cumsum(0)])


def gaussian_columns(data: Dataset) -> Columns:
    """Write a table for the block BGe score: numbers standardised, categories as indicators.

    Centre and scale are those of the seen cells (in rows where the variable was not set).

    Args:
        data: A table, perhaps with missing cells.

    Returns:
        One column for numbers, r - 1 for a variable with r seen levels (one if binary).

    Raises:
        InputError: If a variable has no spread among its seen cells, or a cell was set by
            intervention but not recorded.
    """
    x = torch.from_numpy(np.asarray(data.values, dtype=np.float64))
    observed = torch.from_numpy(data.observed)
    intervened = None if data.intervened is None else torch.from_numpy(data.intervened)
    check_recorded(data)
    kinds = data.kinds or ("continuous",) * data.d
    parts, levels = [], []
    centre, scale = torch.zeros(data.d).double(), torch.ones(data.d).double()
    for j, kind in enumerate(kinds):
        seen = observed[:, j]
        free = seen if intervened is None else seen & ~intervened[:, j]
        free = free if int(free.sum()) > 1 else seen
        if not bool(seen.any()) or bool((x[seen, j] == x[seen, j][0]).all()):
            raise InputError(
                f"column {data.names[j]!r} has {int(seen.sum())} seen cells and no spread among "
                f"them. Leave it out with exclude=[{data.names[j]!r}]."
            )
        if kind in ("binary", "categorical"):
            found = _levels(x[seen, j])
            block = torch.zeros(data.n, found.rows.shape[1], dtype=torch.float64)
            block[seen] = found.rows[torch.searchsorted(found.values, x[seen, j].contiguous())]
        else:
            found = None
            centre[j] = x[free, j].mean()
            spread = x[free, j].std(correction=0)
            scale[j] = spread if spread > 0 else 1.0
            block = torch.where(seen, (x[:, j] - centre[j]) / scale[j], 0.0).unsqueeze(-1)
        parts.append(block)
        levels.append(found)
    return Columns(
        values=torch.cat(parts, dim=1),
        observed=observed,
        blocks=tuple(part.shape[1] for part in parts),
        levels=tuple(levels),
        whole=tuple(kind == "count" for kind in kinds),
        centre=centre,
        scale=scale,
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


def _levels(seen: Float[Tensor, " n"]) -> Levels:
    """Whiten the indicators: any rotation of these columns gives the same block score."""
    values, counts = seen.unique(return_counts=True)
    root = (counts.double() / len(seen)).sqrt()
    # The columns of Q behind the first are orthogonal to the roots, so indicators divided by
    # the roots have mean zero and identity covariance in them.
    basis, _ = torch.linalg.qr(torch.cat([root.unsqueeze(-1), torch.eye(len(values))[:, 1:]], 1))
    return Levels(values, basis[:, 1:] / root.unsqueeze(-1), counts.double())
