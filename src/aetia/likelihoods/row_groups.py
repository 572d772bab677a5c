"""Which rows explain which variables: those in which a variable was not set by intervention."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64

__all__ = ["rows_of_variables"]


def rows_of_variables(
    shape: tuple[int, ...], intervened: Bool[np.ndarray, "n d"] | None
) -> list[tuple[Int64[np.ndarray, " r"], list[int]]]:
    """Group the variables by the rows in which they were not set by intervention.

    Args:
        shape: Number of rows and of variables.
        intervened: True where a variable was set.

    Returns:
        Rows and the variables that are explained by exactly these rows.
    """
    n, d = shape
    if intervened is None or not intervened.any():
        return [(np.arange(n), list(range(d)))]
    groups: dict[bytes, list[int]] = {}
    for j in range(d):
        groups.setdefault(np.packbits(intervened[:, j]).tobytes(), []).append(j)
    return [(np.flatnonzero(~intervened[:, nodes[0]]), nodes) for nodes in groups.values()]
