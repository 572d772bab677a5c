"""Which graphs of many are equal."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

__all__ = ["distinct_graphs", "row_codes"]

_WORD = 62


def row_codes(rows: Int64[Tensor, "n m"], n_bits: int) -> Int64[Tensor, " n"]:
    """Number the distinct rows of small integers, in their lexicographic order.

    Sorting integers once for each column is many times faster than sorting rows.

    Args:
        rows: Non-negative integers below ``2^n_bits``.
        n_bits: Bits of an integer.

    Returns:
        Equal codes exactly for equal rows; 0, 1, 2, ... without gaps.
    """
    code = torch.zeros(len(rows), dtype=torch.int64)
    if n_bits + max(len(rows), 1).bit_length() > _WORD:
        for column in rows.unbind(-1):  # too wide to stand beside a code: number it first
            value = column.unique(return_inverse=True)[1]
            code = (code * (int(value.max()) + 1) + value).unique(return_inverse=True)[1]
        return code
    for column in rows.unbind(-1):
        code = ((code << n_bits) | column).unique(return_inverse=True)[1]
    return code


def distinct_graphs(
    graphs: Bool[Tensor, "s d d"],
) -> tuple[Bool[Tensor, "u d d"], Int64[Tensor, " s"]]:
    """Merge equal graphs.

    Args:
        graphs: Adjacency matrices.

    Returns:
        The distinct ones, in a fixed order, and which of them each graph is.
    """
    s, d = graphs.shape[:2]
    if not s:
        return graphs, torch.zeros(0, dtype=torch.int64)
    parts = graphs.mT.reshape(s, d, d).split(_WORD // 2, dim=-1)  # parents of each variable
    words = [part.long() @ (1 << torch.arange(part.shape[-1])) for part in parts]
    code = row_codes(torch.cat(words, dim=-1), min(d, _WORD // 2))
    first = torch.full((int(code.max()) + 1,), s, dtype=torch.int64)
    first.scatter_reduce_(0, code, torch.arange(s), "amin")
    return graphs[first], code
