"""Piecewise-linear features of a number: itself, and how far it lies above some quantiles.

A network whose inputs are hinges at knots where the data lie finds squares and waves of single
columns, which it would need many rows to find from the columns alone (Gorishniy, Rubachev &
Babenko, 2022, on embeddings of numbers).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

__all__ = ["hinges", "quantile_knots"]


def quantile_knots(x: Float[Tensor, " n *columns"], n_knots: int) -> Float[Tensor, " k *columns"]:
    """Choose knots at quantiles that cut a column into equal parts.

    Args:
        x: A column, or several.
        n_knots: How many.

    Returns:
        Knots of each column.
    """
    shares = torch.linspace(0, 1, n_knots + 2, dtype=x.dtype, device=x.device)[1:-1]
    return torch.quantile(x[:1_000_000], shares, dim=0)


def hinges(
    x: Float[Tensor, "*rows"], knots: Float[Tensor, " k"]
) -> Float[Tensor, "*rows features"]:
    """Compute x and its distances above the knots.

    Args:
        x: Numbers.
        knots: Shared by all of them.

    Returns:
        ``k + 1`` features of each number.
    """
    return torch.cat([x[..., None], F.relu(x[..., None] - knots)], -1)
