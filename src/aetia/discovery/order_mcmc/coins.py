r"""Probabilities that draw a parent set, one coin for each candidate.

The sum over subsets is built bit by bit: at stage i, :math:`L_i(m)` sums the sets that differ from
m in their first i members only. Read backwards, member i of m drops out with probability
:math:`\exp(L_i(m \setminus i) - L_{i+1}(m))`, which is exact and needs additions only.
"""

from __future__ import annotations

from jaxtyping import Float, Float32
from torch import Tensor

from aetia.graphs.subset_sums import subset_sum_stages

__all__ = ["parent_coins"]


def parent_coins(
    table: Float[Tensor, " sets"],
) -> tuple[Float[Tensor, " sets"], Float32[Tensor, "k half"]]:
    """Compute the sums over subsets of one variable and the coins that draw a set.

    Args:
        table: Log scores of the ``2^k`` sets; minus infinity for sets that are impossible.

    Returns:
        The sums, and ``coins[b, m]``: the probability that member b drops out of a set whose
        other members are m, where the bits of m above b have moved down by one. The
        probabilities are rounded to single precision (6e-8); impossible choices are exactly 0
        or 1.
    """
    stages = subset_sum_stages(table)
    k = len(stages) - 1
    coins = table.new_empty(k, len(table) // 2)
    for b in range(k):
        without = stages[b].view(-1, 2, 1 << b)[:, 0]
        total = stages[b + 1].view(-1, 2, 1 << b)[:, 1]
        coins[b] = (without - total).exp().nan_to_num(0.0).reshape(-1)
    return stages[-1], coins.float()
