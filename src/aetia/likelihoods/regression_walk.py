r"""Regressions of several responses on all unions of at most k blocks of columns.

With the Gram matrix of all columns, the regression on one more block costs one small
factorisation and one product of matrices. Sets that can still grow keep the Gram matrix of the
blocks behind them, given what they hold; sets that have reached the largest size are finished at
once and touch nothing but their last block and the responses. All d variables of a table are
responses of one and the same walk: 21,700 sets of at most 5 of 20 blocks of 4 columns take less
than 0.1 s on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = ["SubsetRegressions", "regression_walk"]

_COLLINEAR = 1e-10
"""A pivot below this share of the column's square is rounding: the column adds nothing."""


class SubsetRegressions(NamedTuple):
    """One entry for each union of blocks, in no particular order."""

    subsets: Int64[Tensor, " m"]
    """Bit b is set where block b is taken."""
    n_columns: Int64[Tensor, " m"]
    """Columns of the blocks taken, collinear ones included."""
    log_det: Float[Tensor, " m"]
    """Log determinant of the Gram matrix of these columns."""
    residual: Float[Tensor, "m r"]
    """Residual sum of squares of each response."""


class _Growing(NamedTuple):
    """Sets that may take more blocks."""

    subsets: Int64[Tensor, " m"]
    n_columns: Int64[Tensor, " m"]
    log_det: Float[Tensor, " m"]
    residual: Float[Tensor, "m r"]
    rows: Float[Tensor, "m q c"]
    """Products of the q columns still to come with one another and with the responses."""


def regression_walk(
    matrix: Float[Tensor, "p p"], blocks: Sequence[int], max_blocks: int
) -> SubsetRegressions:
    """Regress every response on every union of at most ``max_blocks`` blocks.

    Args:
        matrix: Products of the columns of all blocks, then of the responses, with one another.
        blocks: Number of columns of each block; the remaining columns are responses.
        max_blocks: The largest number of blocks in a union.

    Returns:
        The regressions. A column that those taken before it span (up to rounding) is skipped: it
        changes neither residuals nor determinant, but it counts in ``n_columns``.
    """
    n_features = sum(blocks)
    squares = matrix.diagonal()
    nothing = torch.zeros(1, dtype=torch.int64, device=matrix.device)
    levels = [
        _Growing(
            nothing,
            nothing,
            matrix.new_zeros(1),
            squares[n_features:].unsqueeze(0),
            matrix[:n_features].unsqueeze(0),
        )
    ]
    finished: list[SubsetRegressions] = []
    at = 0
    for b, width in enumerate(blocks):
        least = _COLLINEAR * squares[at : at + width]
        grown = [_take(s, b, least, last=k + 1 >= max_blocks) for k, s in enumerate(levels)]
        levels = [
            _Growing(*s[:4], s.rows[:, width:, width:]) if max_blocks > 0 else s for s in levels
        ]
        for k, new in enumerate(grown):
            if k + 1 >= max_blocks:
                if max_blocks > 0:
                    finished.append(SubsetRegressions(*new[:4]))
            elif k + 1 < len(levels):
                levels[k + 1] = _joined(levels[k + 1], new)
            else:
                levels.append(new)
        at += width
    finished += [SubsetRegressions(*s[:4]) for s in levels]
    return SubsetRegressions(*(torch.cat(parts) for parts in zip(*finished, strict=True)))


def _joined(old: _Growing, new: _Growing) -> _Growing:
    return _Growing(*(torch.cat(pair) for pair in zip(old, new, strict=True)))


def _take(sets: _Growing, block: int, least: Float[Tensor, " w"], *, last: bool) -> _Growing:
    """Take the first block of columns; ``last`` leaves out what only larger sets need."""
    width = len(least)
    n_rest = sets.rows.shape[1]
    rows = sets.rows[:, :width]
    if last:
        rows = torch.cat([rows[..., :width], rows[..., n_rest:]], dim=-1)
    scaled, log_det = _eliminate(rows, least)
    residual = sets.residual - scaled[..., -sets.residual.shape[1] :].square().sum(1)
    rest = sets.rows[:, width:, width:]
    if not last:
        rest = torch.baddbmm(rest, scaled[..., width:n_rest].mT, scaled[..., width:], alpha=-1.0)
    return _Growing(
        sets.subsets | (1 << block),
        sets.n_columns + width,
        sets.log_det + log_det,
        residual.clamp_min(0.0),
        rest,
    )


def _eliminate(
    rows: Float[Tensor, "m w c"], least: Float[Tensor, " w"]
) -> tuple[Float[Tensor, "m w c"], Float[Tensor, " m"]]:
    """Factorise the leading w columns of each block and apply the factor's inverse to all."""
    rows = rows.clone()
    log_det = rows.new_zeros(len(rows))
    for k in range(len(least)):
        pivot = rows[:, k, k]
        usable = pivot > least[k]
        safe = torch.where(usable, pivot, torch.ones_like(pivot))
        log_det = log_det + safe.log()
        row = rows[:, k] * torch.where(usable, safe.rsqrt(), 0.0).unsqueeze(-1)
        rows[:, k] = row
        below = row[:, k + 1 : len(least)]
        rows[:, k + 1 :] -= below.unsqueeze(-1) * row.unsqueeze(-2)
    return rows, log_det
