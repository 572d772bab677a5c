"""Centring and scaling of columns, with the way back to the user's units."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.data.dataset import Dataset

__all__ = ["LARGEST_STANDARDISED", "Scaled", "Scaling", "scale_columns", "standardise_rows"]

Scaling = Literal["auto", "standardise", "centre", "none"]

LARGEST_STANDARDISED = 10.0
"""Standardised values are clipped here for networks: heavy tails have no variance."""


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


def standardise_rows(
    values: Float[Tensor, "*batch n d"], *, largest: float = LARGEST_STANDARDISED
) -> Float[Tensor, "*batch n d"]:
    """Give every variable of every table mean 0 and standard deviation 1, as networks read them.

    Statistics are over all rows of a table, observational or not, as in AVICI, and never cross
    tables. A constant column becomes 0.

    Args:
        values: Tables.
        largest: Values beyond this many standard deviations are clipped.

    Returns:
        The scaled tables.
    """
    mean = values.mean(-2, keepdim=True)
    gaps = values - mean
    std = gaps.square().mean(-2, keepdim=True).sqrt()
    # The rounding of a large constant is no variation.
    varies = std > 8 * torch.finfo(values.dtype).eps * mean.abs()
    return torch.where(varies, gaps / std, 0.0).clamp(-largest, largest)
