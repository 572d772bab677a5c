r"""A causal model out of one denoiser: every column given its parents.

With :math:`p(x_i \mid x_{pa(i)})` for every node, a graph and its conditional distributions are a
causal model: draws in causal order, clamped nodes for interventions (the truncated
factorisation). Counterfactuals need the noise of a unit; for a scalar node that is monotone in a
scalar noise its rank :math:`u = F(x_i \mid x_{pa(i)})` is that noise, and the answer is
:math:`F^{-1}(u \mid x'_{pa(i)})`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["Conditional", "abduct_by_rank", "draw_in_causal_order"]

Conditional = Callable[[int, list[int], Float[np.ndarray, "n d"], int], Float[np.ndarray, "n k"]]
"""``draw(node, parents, rows, k)`` draws a node k times given its parents, in the user's units."""


def draw_in_causal_order(
    adjacency: Bool[np.ndarray, "d d"],
    order: list[int],
    do: Mapping[int, float],
    n: int,
    draw: Conditional,
) -> Float[np.ndarray, "n d"]:
    """Draw rows of the causal model under an intervention.

    Args:
        adjacency: True where row causes column.
        order: Causes first.
        do: Values of clamped nodes.
        n: Rows.
        draw: Draws one node given its parents.

    Returns:
        Rows.
    """
    rows = np.full((n, len(adjacency)), np.nan)
    for node in order:
        if node in do:
            rows[:, node] = do[node]
        else:
            parents = np.flatnonzero(adjacency[:, node]).tolist()
            rows[:, node] = draw(node, parents, rows, 1)[:, 0]
    return rows


def abduct_by_rank(
    value: Float[np.ndarray, " n"],
    factual: Float[np.ndarray, "n k"],
    counterfactual: Float[np.ndarray, "n s k"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "n s"]:
    """Carry the rank of a value over to another distribution.

    Args:
        value: What happened.
        factual: Draws of the distribution it came from.
        counterfactual: Draws of the distributions to carry it to.
        rng: Spreads the rank over what the draws leave open: ties, and the gap to the next draw.

    Returns:
        One value for each distribution.
    """
    k = factual.shape[1]
    below = (factual < value[:, None]).sum(1)
    ties = (factual == value[:, None]).sum(1)
    # With k draws the rank of a continuous value is known up to an interval of width 1 / (k + 1).
    low, high = below / (k + 1), (below + ties + 1) / (k + 1)
    u = low[:, None] + (high - low)[:, None] * rng.random(counterfactual.shape[:2])
    ordered = np.sort(counterfactual, -1)
    k_other = ordered.shape[-1]
    at = (u * (k_other + 1) - 1).clip(0, k_other - 1)
    left = np.floor(at).astype(int)
    right = np.minimum(left + 1, k_other - 1)
    lower = np.take_along_axis(ordered, left[..., None], -1)[..., 0]
    upper = np.take_along_axis(ordered, right[..., None], -1)[..., 0]
    return lower + (at - left) * (upper - lower)
