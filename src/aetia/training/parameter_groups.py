"""Which parameters decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch.nn import Parameter

__all__ = ["parameter_groups"]


def parameter_groups(parameters: Iterable[Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Split parameters into matrices, which decay, and the rest, which does not.

    Args:
        parameters: Of a module or a part of it.
        weight_decay: Of the matrices.

    Returns:
        Groups for an optimiser; biases, normalisations and scalars have no decay.
    """
    every = [p for p in parameters if p.requires_grad]
    matrices = [p for p in every if p.ndim >= 2]
    rest = [p for p in every if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    return [g for g in groups if g["params"]]
