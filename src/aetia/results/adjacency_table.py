"""Edges by pair of variables: are the two adjacent, and which way does the edge point?

Data often show that two variables are adjacent and leave the direction open. A list of directed
edges hides this, because the two directions share the probability; a table of pairs shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DECIDED_SHARE",
    "adjacency_line",
    "adjacency_probabilities",
    "adjacency_table",
    "lagged_adjacency_table",
    "short_probability",
]

DECIDED_SHARE = 0.9
"""A direction counts as decided when it holds this share of the probability of adjacency."""


def adjacency_probabilities(
    probabilities: Float[np.ndarray, "*batch d d"],
) -> Float[np.ndarray, "*batch d d"]:
    """Compute the probability that two variables are adjacent, whatever the direction.

    Args:
        probabilities: Edge probabilities.

    Returns:
        The sum of both directions, which exclude each other in a DAG. Marginals of a network
        whose edges are independent may add up to more than 1, which is cut off.
    """
    return np.minimum(probabilities + np.swapaxes(probabilities, -1, -2), 1.0)


def adjacency_table(
    probabilities: Float[np.ndarray, "d d"], names: Sequence[str], threshold: float
) -> pd.DataFrame:
    """List pairs of variables, those most probably adjacent first.

    Args:
        probabilities: Edge probabilities.
        names: Column names.
        threshold: Smallest probability of adjacency listed.

    Returns:
        Columns ``a``, ``b``, ``adjacent``, ``a_to_b``, ``b_to_a``, ``decided``. The more probable
        direction is a -> b. ``decided`` is ``"a -> b"`` by name when this direction holds at least
        90 % of the probability of adjacency, else ``"open"``.
    """
    adjacent = adjacency_probabilities(probabilities)
    first, second = np.nonzero(np.triu((adjacent >= threshold) & (adjacent > 0), 1))
    # Equal directions keep the order of the columns, whatever the rounding.
    turned = probabilities[first, second] < probabilities[second, first] - 1e-12
    a, b = np.where(turned, second, first), np.where(turned, first, second)
    order = np.argsort(-adjacent[a, b], kind="stable")
    a, b = a[order], b[order]
    return _frame(names, a, b, adjacent[a, b], probabilities[a, b], probabilities[b, a])


def lagged_adjacency_table(
    by_lag: Float[np.ndarray, "m d d"], names: Sequence[str], threshold: float
) -> pd.DataFrame:
    """List pairs of variables of a time series at each lag.

    Args:
        by_lag: Edge probabilities within the step, at lag 1, 2, ...
        names: Column names.
        threshold: Smallest probability of adjacency listed.

    Returns:
        The columns of :func:`adjacency_table` and ``lag``. From an earlier step an edge can point
        one way only, so every lagged edge has a row of its own and is decided. A variable's own
        past is left out.
    """
    import pandas as pd

    tables = [adjacency_table(by_lag[0], names, threshold).assign(lag=0)]
    off = ~np.eye(len(names), dtype=bool)
    for lag, p in enumerate(by_lag[1:], start=1):
        a, b = np.nonzero((p >= threshold) & (p > 0) & off)
        tables.append(_frame(names, a, b, p[a, b], p[a, b], np.zeros(len(a))).assign(lag=lag))
    rows: Any = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    rows = rows[["a", "b", "lag", "adjacent", "a_to_b", "b_to_a", "decided"]]
    return rows.sort_values("adjacent", ascending=False, kind="stable", ignore_index=True)


def _frame(
    names: Sequence[str],
    a: np.ndarray,
    b: np.ndarray,
    adjacent: np.ndarray,
    a_to_b: np.ndarray,
    b_to_a: np.ndarray,
) -> pd.DataFrame:
    import pandas as pd

    # Sums of weights miss a share such as 0.9 by rounding.
    decided = a_to_b >= (DECIDED_SHARE - 1e-9) * (a_to_b + b_to_a)
    return pd.DataFrame(
        {
            "a": [names[k] for k in a],
            "b": [names[k] for k in b],
            "adjacent": adjacent,
            "a_to_b": a_to_b,
            "b_to_a": b_to_a,
            "decided": [
                f"{names[i]} -> {names[j]}" if known else "open"
                for i, j, known in zip(a, b, decided, strict=True)
            ],
        }
    )


def short_probability(p: float) -> str:
    """Write a probability in two digits that never turn "nearly sure" into "sure".

    Args:
        p: The probability.

    Returns:
        Text such as ``.43``; ``>.99`` and ``<.01`` near the ends, ``1`` and ``0`` only at them.

    Example:
        >>> [short_probability(p) for p in (0.4321, 0.9996, 1.0, 0.002)]
        ['.43', '>.99', '1', '<.01']
    """
    if p >= 1 - 1e-9 or p <= 1e-9:
        return f"{p:.0f}"
    if p >= 0.995:
        return ">.99"
    return "<.01" if p < 0.005 else f"{p:.2f}".removeprefix("0")


def adjacency_line(row: Mapping[str, Any]) -> str:
    """Write one row of an adjacency table as a line for people.

    Args:
        row: A row of :func:`adjacency_table` or :func:`lagged_adjacency_table`.

    Returns:
        Text such as ``adjacent .98: rain -> wet .55, wet -> rain .43``, or of an earlier step
        ``rain -> wet (lag 1) .70``.
    """
    lag, adjacent = row.get("lag"), short_probability(row["adjacent"])
    if lag:
        return f"{row['a']} -> {row['b']} (lag {lag}) {adjacent}"
    ways = f"{row['a']} -> {row['b']} {short_probability(row['a_to_b'])}"
    if row["b_to_a"] > 1e-9:
        ways += f", {row['b']} -> {row['a']} {short_probability(row['b_to_a'])}"
    return f"adjacent {adjacent}{'' if lag is None else ' (lag 0)'}: {ways}"
