"""How much of the gradient comes from each part of a loss, and where it goes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from aetia.errors import InputError

__all__ = ["gradient_shares", "objective_gradients"]


def gradient_shares(
    parts: Mapping[str, Tensor], parameters: Sequence[Parameter]
) -> dict[str, float]:
    """Compare the gradient norms of the parts of a loss.

    Args:
        parts: Scalars; those without a gradient are left out.
        parameters: What the norms are over.

    Returns:
        Shares that add up to 1, or nothing if fewer than two parts have a gradient.
    """
    live = {name: v for name, v in parts.items() if v.requires_grad}
    if len(live) < 2:
        return {}
    norms = {name: math.sqrt(sum(_squares(value, parameters))) for name, value in live.items()}
    total = sum(norms.values())
    return {name: norm / total if total else 0.0 for name, norm in norms.items()}


def objective_gradients(
    parts: Mapping[str, Tensor], objective: str, groups: Mapping[str, Sequence[Parameter]]
) -> dict[str, float]:
    """Compute the norm of the gradient that the data give to each group.

    Args:
        parts: Terms of the loss by name, from which gradients can be taken.
        objective: Name of the part that depends on the data.
        groups: Parameters by group.

    Returns:
        Norms; zero for a group that the part does not depend on.

    Raises:
        InputError: If there is no such part.
    """
    if objective not in parts:
        raise InputError(
            f"the phase names the objective {objective!r}, but its loss has the parts "
            f"{', '.join(map(repr, parts)) or '(none)'}."
        )
    value = parts[objective]
    if not value.requires_grad:
        return dict.fromkeys(groups, 0.0)
    members = [p for group in groups.values() for p in group]
    squares = iter(_squares(value, members))
    return {name: math.sqrt(sum(next(squares) for _ in group)) for name, group in groups.items()}


def _squares(value: Tensor, parameters: Sequence[Parameter]) -> list[float]:
    grads = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    return [
        0.0 if g is None else float(g.detach().to_dense().double().square().sum()) for g in grads
    ]
