"""Named groups of parameters, with a weight decay and a learning rate of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch.nn import Parameter

from aetia.errors import InputError

__all__ = ["ParameterGroup", "complete_groups", "parameter_groups"]

REST = "rest"
"""Name of the parameters of a phase that are in none of its groups."""


@dataclass(frozen=True, eq=False)
class ParameterGroup:
    """Some parameters of a phase, whose gradients are recorded under a name.

    Attributes:
        parameters: The members.
        weight_decay: Decay of all members, vectors too; None for the configured decay of matrices
            and none of the rest. Logits of edges need 0: decay moves them to a probability of 0.5.
        learning_rate: Factor on the learning rate of the run.
    """

    parameters: Sequence[Parameter]
    weight_decay: float | None = None
    learning_rate: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(
                "ParameterGroup: learning_rate is a factor larger than 0, got "
                f"{self.learning_rate!r}."
            )
        decay = self.weight_decay
        if decay is not None and not (math.isfinite(decay) and decay >= 0):
            raise InputError(f"ParameterGroup: weight_decay must be at least 0, got {decay!r}.")

    def has_options(self) -> bool:
        """Tell whether an optimiser must treat the members differently.

        Returns:
            True with a decay or a factor.
        """
        return self.weight_decay is not None or self.learning_rate != 1.0


def complete_groups(
    groups: Mapping[str, ParameterGroup], parameters: Sequence[Parameter]
) -> dict[str, ParameterGroup]:
    """Add the parameters that no group holds, as the group ``rest``.

    Args:
        groups: Groups of parameters by name.
        parameters: All that the phase updates.

    Returns:
        Groups that hold each parameter once.

    Raises:
        InputError: If a parameter is in two groups, or in none of the phase's parameters.
    """
    known = {id(p) for p in parameters}
    owner: dict[int, str] = {}
    for name, group in groups.items():
        for p in group.parameters:
            if id(p) not in known:
                raise InputError(
                    f"the group {name!r} holds a parameter of shape {tuple(p.shape)} that its "
                    "phase does not update. Add it to the phase's parameters."
                )
            if id(p) in owner:
                raise InputError(
                    f"a parameter of shape {tuple(p.shape)} is in the groups {owner[id(p)]!r} and "
                    f"{name!r}. Leave it in one."
                )
            owner[id(p)] = name
    others = [p for p in parameters if id(p) not in owner]
    if others and REST in groups:
        raise InputError(
            f"the group {REST!r} lacks {len(others)} parameters of its phase; choose another name, "
            "the loop uses this one for what is in no group."
        )
    return {**groups, **({REST: ParameterGroup(others)} if others else {})}


def parameter_groups(groups: Iterable[ParameterGroup], weight_decay: float) -> list[dict[str, Any]]:
    """Split groups into matrices, which decay, and the rest, which does not.

    Args:
        groups: The groups of a phase.
        weight_decay: Weight decay of the matrices in groups without a decay of their own.

    Returns:
        Groups for an optimiser, with the factor ``rate``.
    """
    out = []
    for group in groups:
        every = [p for p in group.parameters if p.requires_grad]
        own, factor = group.weight_decay, {"rate": group.learning_rate}
        if own is not None:
            out.append({"params": every, "weight_decay": own, **factor})
            continue
        matrices = [p for p in every if p.ndim >= 2]
        others = [p for p in every if p.ndim < 2]
        out.append({"params": matrices, "weight_decay": weight_decay, **factor})
        out.append({"params": others, "weight_decay": 0.0, **factor})
    return [g for g in out if g["params"]]
