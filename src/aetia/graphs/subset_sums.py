"""Sums over all subsets of a set, for every set at once, in log space."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["subset_log_sums", "subset_sum_stages"]


def subset_log_sums(tables: Float[Tensor, "*batch sets"]) -> Float[Tensor, "*batch sets"]:
    """Sum each table over the subsets of every set (the zeta transform).

    Args:
        tables: Log values, one for each of ``2^k`` sets by their bits; minus infinity is zero.

    Returns:
        Log of the sum over all subsets of each set. Only additions: no digits cancel.
    """
    sums = tables.clone()
    for stage in range(_n_bits(tables)):
        _add_bit(sums, stage)
    return sums


def subset_sum_stages(table: Float[Tensor, " sets"]) -> Float[Tensor, "stages sets"]:
    """Keep every stage of the transform of one table.

    Args:
        table: Log values of ``2^k`` sets.

    Returns:
        ``k + 1`` stages: at stage i subsets may differ from the set in its first i bits only. The
        last is :func:`subset_log_sums`. Walked backwards, they give exact draws of a subset.
    """
    k = _n_bits(table)
    stages = table.new_empty(k + 1, len(table))
    stages[0] = table
    for stage in range(k):
        stages[stage + 1] = stages[stage]
        _add_bit(stages[stage + 1], stage)
    return stages


def _add_bit(sums: Tensor, bit: int) -> None:
    halves = sums.view(*sums.shape[:-1], -1, 2, 1 << bit)
    halves[..., 1, :] = torch.logaddexp(halves[..., 0, :], halves[..., 1, :])


def _n_bits(tables: Tensor) -> int:
    return tables.shape[-1].bit_length() - 1
