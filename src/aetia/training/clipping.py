"""Norms of gradients, dense or sparse, and their clipping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

__all__ = ["clip_values", "gradient_norms", "gradient_values"]

_EPS = 1e-6  # as in torch.nn.utils.clip_grad_norm_


def gradient_values(parameters: Sequence[Parameter]) -> list[Tensor]:
    """Collect the numbers of the gradients, which may be changed in place.

    Args:
        parameters: Those without a gradient are passed over; sparse gradients are coalesced.

    Returns:
        One tensor for each gradient.
    """
    values = []
    for p in parameters:
        if p.grad is not None and p.grad.is_sparse:
            p.grad = p.grad.coalesce()
        if p.grad is not None:
            values.append(p.grad.values() if p.grad.is_sparse else p.grad)
    return values


@torch.no_grad()
def gradient_norms(values: Mapping[str, Sequence[Tensor]]) -> dict[str, float]:
    """Compute the Euclidean norm of each group.

    Args:
        values: Numbers of the gradients of each group; none count as zero.

    Returns:
        Norms by the name of the group, read off the device at once.
    """
    present = {name: list(v) for name, v in values.items() if v}
    if not present:
        return dict.fromkeys(values, 0.0)
    norms = torch.stack([torch.nn.utils.get_total_norm(v) for v in present.values()]).tolist()
    return dict.fromkeys(values, 0.0) | dict(zip(present, norms, strict=True))


@torch.no_grad()
def clip_values(values: Sequence[Tensor], norm: float, limit: float) -> None:
    """Scale gradients down to a norm, in place.

    Args:
        values: Numbers of gradients.
        norm: Their norm.
        limit: Largest norm; gradients below it stay as they are.
    """
    for v in values:
        size = torch.tensor(norm, dtype=v.dtype)  # in the arithmetic of the gradient
        v.mul_((limit / (size + _EPS)).clamp(max=1.0))
