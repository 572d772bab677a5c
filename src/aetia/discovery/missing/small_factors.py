"""Cholesky factors of very many very small matrices, the matrix in the first two axes.

Every step works on long contiguous rows, which for thousands of matrices of size 2 to 10 is many
times faster than a factorisation of each by LAPACK.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

__all__ = ["cholesky_factor", "solve_lower", "solve_upper"]


def cholesky_factor(matrices: Float[Tensor, "k k ..."]) -> Float[Tensor, "k k ..."]:
    """Factor symmetric positive definite matrices.

    Args:
        matrices: Only the lower triangle is read.

    Returns:
        Lower triangular factors; what stands above the diagonal has no meaning.
    """
    factor = matrices.clone()
    for i in range(len(matrices)):
        factor[i, i].sqrt_()
        factor[i + 1 :, i].div_(factor[i, i])
        column = factor[i + 1 :, i]
        factor[i + 1 :, i + 1 :].sub_(column.unsqueeze(1) * column.unsqueeze(0))
    return factor


def solve_lower(
    factor: Float[Tensor, "k k ..."], right: Float[Tensor, "k ..."]
) -> Float[Tensor, "k ..."]:
    """Solve ``L x = right``.

    Args:
        factor: Lower Cholesky factors L, as :func:`cholesky_factor` makes them.
        right: Right-hand sides.

    Returns:
        The solutions.
    """
    x = right.clone()
    for i in range(len(x)):
        x[i].div_(factor[i, i])
        x[i + 1 :].sub_(factor[i + 1 :, i] * x[i])
    return x


def solve_upper(
    factor: Float[Tensor, "k k ..."], right: Float[Tensor, "k ..."]
) -> Float[Tensor, "k ..."]:
    """Solve ``L^T x = right``.

    Args:
        factor: Lower Cholesky factors L, as :func:`cholesky_factor` makes them.
        right: Right-hand sides.

    Returns:
        The solutions.
    """
    x = right.clone()
    for i in range(len(x) - 1, -1, -1):
        x[i].div_(factor[i, i])
        x[:i].sub_(factor[i, :i] * x[i])
    return x
