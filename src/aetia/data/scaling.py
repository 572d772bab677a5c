"""Centring and scaling of columns, with the way back to the user's units."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.data.dataset import Dataset

__all__ = ["Scaled", "Scaling", "scale_columns"]

Scaling = Literal["auto", "standardise", "centre", "none"]


class Scaled(NamedTuple):
    """``values = (original - centre) / scale``."""

    values: Float[Tensor, "n d"]
    centre: Float[Tensor, " d"]
    scale: Float[Tensor, " d"]


def scale_columns(data: Dataset, scaling: Scaling) -> Scaled:
    """Centre and perhaps scale the columns of a table, in float64.

    Location and spread of a column are those of the rows in which it was not set by
    intervention (all rows, if there are fewer than two such rows).

    Args:
        data: The table.
        scaling: ``"standardise"``, ``"centre"`` or ``"none"``.

    Returns:
        The transformed values, with centre and scale in the user's units.
    """
    x = torch.from_numpy(data.values).double()
    centre, scale = x.new_zeros(data.d), x.new_ones(data.d)
    if scaling == "none":
        return Scaled(x, centre, scale)
    for j in range(data.d):
        column = x[:, j]
        if data.intervened is not None:
            free = column[~torch.from_numpy(data.intervened[:, j])]
            column = free if len(free) > 1 else column
        centre[j] = column.mean()
        if scaling == "standardise":
            spread = column.std(correction=0)
            scale[j] = spread if spread > 0 else 1.0
    return Scaled((x - centre) / scale, centre, scale)
