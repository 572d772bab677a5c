"""What is known about the graph, over the candidate causes of each variable at all lags."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.graphs import Constraints

__all__ = ["LaggedConstraints", "lagged_constraints"]


class LaggedConstraints(NamedTuple):
    """Knowledge over the candidate parents of each variable, at all lags."""

    forbidden: Bool[Tensor, "*#b d p"]
    """Target, candidate."""
    required: Bool[Tensor, "d d"]
    """Target, cause: at one lag at least."""
    log_odds: Float[Tensor, "d d"]
    """Target, cause: added once if the cause is a parent at any lag."""


def lagged_constraints(constraints: Constraints, n_lags: int) -> LaggedConstraints:
    """Apply statements about causes at every lag; a variable's own past is always free.

    Args:
        constraints: Statements, cause in rows.
        n_lags: Longest lag.

    Returns:
        The same by target and candidate.
    """
    d = len(constraints.forbidden)
    eye = torch.eye(d, dtype=torch.bool)
    within = constraints.forbidden.mT | eye
    lagged = constraints.forbidden.mT & ~eye
    return LaggedConstraints(
        torch.cat([within, *[lagged] * n_lags], -1),
        constraints.required.mT,
        constraints.log_odds.mT,
    )
