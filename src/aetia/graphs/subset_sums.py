"""Sums over all subsets of a set, for every set at once, in log space, and draws of subsets."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["draw_subsets", "subset_log_sums", "subset_sum_stages"]

_FITS_INTO_CACHE = 1 << 12
"""Longer tables are summed one after the other."""


def subset_log_sums(tables: Float[Tensor, "*batch sets"]) -> Float[Tensor, "*batch sets"]:
    """Sum each table over the subsets of every set (the zeta transform).

    Args:
        tables: Log values, one for each of ``2^k`` sets by their bits; minus infinity is zero.

    Returns:
        Log of the sum over all subsets of each set. Only additions: no digits cancel.
    """
    if tables.ndim > 1 and tables.shape[-1] > _FITS_INTO_CACHE:
        flat = tables.reshape(-1, tables.shape[-1])
        out = torch.empty_like(flat)
        for row, table in enumerate(flat):
            out[row] = subset_log_sums(table)
        return out.view(tables.shape)
    n_low, n_high = _halves(tables)
    sums = _swap_halves(tables, n_low)
    for bit in range(n_high, n_high + n_low):
        _add_bit(sums, bit)
    sums = _swap_halves(sums, n_high)
    for bit in range(n_low, n_low + n_high):
        _add_bit(sums, bit)
    return sums


def draw_subsets(
    table: Float[Tensor, " sets"], allowed: Int64[Tensor, " n"], generator: torch.Generator
) -> Int64[Tensor, " n"]:
    """Draw a subset of each allowed set, with probability proportional to its value.

    At stage i of the transform, subsets may differ from a set in its first i bits only. Walked
    backwards, the stages say with which probability each member stays out: one coin a member.

    Args:
        table: Log values of ``2^k`` sets.
        allowed: Bits of the sets to draw from.
        generator: Source of randomness.

    Returns:
        Bits of the drawn subsets; draws are exact and independent.
    """
    n_low, n_high = _halves(table)
    low = _stages(_swap_halves(table, n_low), range(n_high, n_high + n_low))
    high = _stages(_swap_halves(low[-1], n_high), range(n_low, n_low + n_high))
    chosen = _toss(high, range(n_low, n_low + n_high), allowed, generator)
    chosen = (chosen & ((1 << n_low) - 1)) << n_high | chosen >> n_low
    chosen = _toss(low, range(n_high, n_high + n_low), chosen, generator)
    return (chosen & ((1 << n_high) - 1)) << n_low | chosen >> n_high


def subset_sum_stages(table: Float[Tensor, " sets"]) -> Float[Tensor, "stages sets"]:
    """Keep every stage of the transform of one table.

    Args:
        table: Log values of ``2^k`` sets.

    Returns:
        ``k + 1`` stages: at stage i subsets may differ from the set in its first i bits only. The
        last is :func:`subset_log_sums`.
    """
    return _stages(table, range(table.shape[-1].bit_length() - 1))


def _halves(tables: Tensor) -> tuple[int, int]:
    """Split the k bits into low and high ones."""
    k = tables.shape[-1].bit_length() - 1
    return k // 2, k - k // 2


def _swap_halves(tables: Tensor, n_low: int) -> Tensor:
    """Write low bits as high ones and back: memory is read in long runs either way."""
    swapped = tables.unflatten(-1, (-1, 1 << n_low)).mT
    return swapped.clone(memory_format=torch.contiguous_format).flatten(-2)


def _add_bit(sums: Tensor, bit: int) -> None:
    halves = sums.view(*sums.shape[:-1], -1, 2, 1 << bit)
    torch.logaddexp(halves[..., 0, :], halves[..., 1, :], out=halves[..., 1, :])


def _stages(table: Float[Tensor, " sets"], bits: range) -> Float[Tensor, "stages sets"]:
    stages = table.new_empty(len(bits) + 1, len(table))
    stages[0] = table
    for place, bit in enumerate(bits):
        stages[place + 1] = stages[place]
        _add_bit(stages[place + 1], bit)
    return stages


def _toss(
    stages: Float[Tensor, "stages sets"],
    bits: range,
    chosen: Int64[Tensor, " n"],
    generator: torch.Generator,
) -> Int64[Tensor, " n"]:
    """Decide the members among some bits, the last first."""
    for place in range(len(bits) - 1, -1, -1):
        without = chosen & ~(1 << bits[place])
        stay_out = (stages[place, without] - stages[place + 1, chosen]).exp()
        coin = torch.rand(len(chosen), dtype=torch.float64, generator=generator)
        chosen = torch.where(coin < stay_out, without, chosen)
    return chosen
