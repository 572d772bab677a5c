"""What is updated in a step, and by which loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from aetia.training.parameter_groups import ParameterGroup

__all__ = ["Phase"]

Parts = Mapping[str, Tensor]
Loss = Callable[[nn.Module, Any, int, torch.Generator], tuple[Tensor, Parts]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Phase:
    """One update of some parameters; several phases alternate within a step.

    Attributes:
        parameters: What is updated, chosen from the module.
        loss: ``loss(module, batch, step, generator) -> (loss, parts)``. Dropout inside already
            follows the generator. Parts are logged by name; those with a gradient also with
            their share of it.
        every: Run in every so many steps.
        name: What the phase is called in the record, when there are several.
        optimiser: Makes another optimiser than the configured one, for instance one with row-wise
            state.
        clip: Clips gradients in place of the norm over all parameters, and returns that norm: for
            ensembles, whose members must stay independent.
        groups: Names some of the parameters, whose gradient norms are recorded, who may have a
            weight decay and a rate of their own, and who may be clipped on their own; the others
            are the group ``rest``. Logits of edges are the group ``structure``.
        objective: Name of the part of the loss that depends on the data. The norm of its gradient
            on each group is recorded, and a part whose gradient is far larger is reported.
    """

    parameters: Callable[[nn.Module], Sequence[nn.Parameter]]
    loss: Loss
    every: int = 1
    name: str = "main"
    optimiser: Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer] | None = None
    clip: Callable[[Sequence[nn.Parameter], float], float] | None = None
    groups: Callable[[nn.Module], Mapping[str, ParameterGroup]] | None = None
    objective: str | None = None
