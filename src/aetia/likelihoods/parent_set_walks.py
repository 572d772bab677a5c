"""The subset walk of every variable against its candidate parents."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from aetia.likelihoods.schur_walk import SchurWalk, schur_walk

__all__ = ["parent_set_walks"]


def parent_set_walks(
    matrices: Float[Tensor, "k d d"],
    candidates: Int64[Tensor, "d c"],
    max_parents: int,
    *,
    ridge: float = 0.0,
) -> Iterator[SchurWalk]:
    """Walk over the parent sets of one variable after the other.

    Args:
        matrices: Second moments of the columns, one for all variables (k = 1) or one for each.
        candidates: Possible parents of each variable.
        max_parents: Larger sets are left out.
        ridge: Added to the diagonal of the parents, not of the response.

    Yields:
        For each variable the subsets of its candidates, the log determinant of the parents'
        block, and the residual sum of squares of the variable (``rest[:, 0, 0]``).
    """
    c = candidates.shape[-1]
    diagonal = torch.cat([matrices.new_full((c,), ridge), matrices.new_zeros(1)]).diag()
    for j, own in enumerate(candidates):
        index = torch.cat([own, own.new_tensor([j])])
        matrix = matrices[j if len(matrices) > 1 else 0]
        yield schur_walk(
            matrix[index[:, None], index[None, :]] + diagonal,
            [1] * c,
            max_parents if max_parents < c else None,
        )
