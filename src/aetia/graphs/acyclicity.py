r"""Smooth measures of how cyclic a graph is: zero exactly on acyclic graphs.

All functions take adjacency matrices with entries in [0, 1] and a zero diagonal, hard or
soft, with any number of leading batch dimensions, and are differentiable. They are applied
to ``G`` itself, not to its elementwise square.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = [
    "ACYCLICITY",
    "AcyclicityName",
    "exponential_trace",
    "log_determinant",
    "perron_radius",
    "power_trace",
    "spectral_radius",
]

AcyclicityName: TypeAlias = Literal["power", "expm", "logdet", "spectral"]


def power_trace(graphs: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
    r"""Compute :math:`h(G) = \mathrm{tr}[(I + G/d)^d] - d` (Yu et al., 2019; DiBS).

    Args:
        graphs: Hard or soft adjacency matrices, zero diagonal.

    Returns:
        A value at least 0, and 0 only for acyclic graphs. Cost ``O(d^3 log d)`` each.

    Example:
        >>> float(power_trace(torch.tensor([[0.0, 1.0], [1.0, 0.0]])))
        0.5
    """
    return _PowerTrace.apply(graphs)


class _PowerTrace(torch.autograd.Function):
    """The derivative is ``((I + G/d)^(d-1))^T``, at hand once the value is."""

    @staticmethod
    def forward(ctx, graphs: Tensor) -> Tensor:  # noqa: ANN001
        d = graphs.shape[-1]
        base = graphs / d
        base.diagonal(dim1=-2, dim2=-1).add_(1.0)
        slope = torch.linalg.matrix_power(base, d - 1).mT
        ctx.save_for_backward(slope)
        return (slope * base).sum((-2, -1)) - d

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> Tensor:  # noqa: ANN001  # pyright: ignore[reportIncompatibleMethodOverride]
        (slope,) = ctx.saved_tensors
        return grad[..., None, None] * slope


def exponential_trace(graphs: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
    r"""Compute :math:`\mathrm{tr}\, e^{G} - d` (NOTEARS, Zheng et al., 2018, eq. 6).

    Args:
        graphs: Hard or soft adjacency matrices, zero diagonal.

    Returns:
        The number of closed walks, each of length k weighted by 1/k!.
    """
    d = graphs.shape[-1]
    # matrix_exp refuses some transposed, sliced layouts.
    return torch.linalg.matrix_exp(graphs.contiguous()).diagonal(dim1=-2, dim2=-1).sum(-1) - d


def log_determinant(
    graphs: Float[Tensor, "*batch d d"], *, s: float | None = None
) -> Float[Tensor, "*batch"]:
    r"""Compute :math:`-\log\det(sI - G) + d \log s` (DAGMA, Bello et al., 2022, thm. 1).

    Args:
        graphs: Hard or soft adjacency matrices, zero diagonal.
        s: Must exceed the spectral radius. None takes ``d``, which every matrix with
            entries in [0, 1] and zero diagonal satisfies (its spectral radius is at most d-1).

    Returns:
        A value at least 0; infinity outside the domain, where the determinant is not positive.
    """
    d = graphs.shape[-1]
    scale = float(d if s is None else s)
    eye = torch.eye(d, dtype=graphs.dtype, device=graphs.device)
    sign, log_abs = torch.linalg.slogdet(eye - graphs / scale)
    return torch.where(sign > 0, -log_abs, torch.inf)


def spectral_radius(
    graphs: Float[Tensor, "*batch d d"], *, n_squarings: int = 12
) -> Float[Tensor, "*batch"]:
    r"""Compute the largest absolute eigenvalue (NO-BEARS, Lee et al., 2019; AVICI).

    The value comes from the eigenvalues. They are not differentiable at defective matrices,
    and every acyclic graph is one, so the gradient is that of Perron-Frobenius theory,
    :math:`u v^\top / u^\top v`, with the left and right vectors found by squaring ``I + G``.

    Args:
        graphs: Non-negative matrices, zero diagonal.
        n_squarings: The vectors come from the power ``2 ** n_squarings``. On acyclic graphs,
            where the true gradient is infinite, this bounds its size.

    Returns:
        The spectral radius, 0 for acyclic graphs.
    """
    d = graphs.shape[-1]
    fixed = graphs.detach()
    value = torch.linalg.eigvals(fixed).abs().amax(-1).to(graphs.dtype)
    power = fixed + torch.eye(d, dtype=graphs.dtype, device=graphs.device)
    for _ in range(n_squarings):
        power = power @ power
        power = power / power.amax((-2, -1), keepdim=True)
    right, left = power.sum(-1), power.sum(-2)
    slope = left.unsqueeze(-1) * right.unsqueeze(-2)
    slope = slope / (left * right).sum(-1)[..., None, None].clamp_min(torch.finfo(slope.dtype).tiny)
    linear = (slope * graphs).sum((-2, -1))
    return value + linear - linear.detach()


def perron_radius(
    weights: Float[Tensor, "*batch d d"], *, n_iterations: int = 10
) -> Float[Tensor, "*batch"]:
    r"""Approximate the largest eigenvalue by power iteration (NO-BEARS, Lee et al., 2019).

    .. math:: \rho = u^\top W v / u^\top v,

    with the left and right vectors u, v iterated from ones, and held constant in the gradient.
    The initial vectors are positive, so for non-negative W both stay so and :math:`u^\top v > 0`
    where there is a cycle; from signed vectors the ratio explodes for half of all matrices. At
    least d steps are made, after which powers of an acyclic W are zero, and the last two iterates
    are averaged, because those of a periodic W (any two variables) alternate. Cheaper than
    :func:`spectral_radius`, and without eigenvalues, which are slow on a GPU.

    Args:
        weights: Non-negative matrices, such as edge probabilities; zero diagonal.
        n_iterations: Iterations of the power method; d if that is more.

    Returns:
        The spectral radius, up to the convergence of the iteration; 0 for acyclic graphs.
    """
    fixed = weights.detach()
    n_steps = max(n_iterations, weights.shape[-1])
    u, v = _perron_vector(fixed.mT, n_steps), _perron_vector(fixed, n_steps)
    numerator = torch.einsum("...i,...ij,...j->...", u, weights, v)
    return numerator / (u * v).sum(-1).clamp_min(1e-12)


def _perron_vector(weights: Tensor, n_steps: int) -> Tensor:
    tiny = torch.finfo(weights.dtype).tiny
    v = torch.ones_like(weights[..., :1])
    for _ in range(n_steps):
        v = weights @ v
        v = v / v.norm(dim=-2, keepdim=True).clamp_min(tiny)
    once = weights @ v
    first = once.norm(dim=-2, keepdim=True)
    second = (weights @ (once / first.clamp_min(tiny))).norm(dim=-2, keepdim=True)
    # v + W v / rho: a step of period two cancels in the sum; rho is the growth over two steps.
    return (v + once / (first * second).sqrt().clamp_min(tiny)).squeeze(-1)


ACYCLICITY: dict[AcyclicityName, Callable[[Tensor], Tensor]] = {
    "power": power_trace,
    "expm": exponential_trace,
    "logdet": log_determinant,
    "spectral": spectral_radius,
}
"""Name, as in the option ``acyclicity=``, to function."""
