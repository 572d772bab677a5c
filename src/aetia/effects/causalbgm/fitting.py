"""What both phases of the fit share: one pass of the training loop over all members at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.folds import Folds
from aetia.effects.causalbgm.generative import Units
from aetia.effects.causalbgm.networks import Networks
from aetia.effects.causalbgm.selection import BestWeights, held_out_loss
from aetia.training import Phase, TrainingConfig, train

__all__ = [
    "Loss",
    "Rows",
    "averages",
    "batch_size",
    "clip_members",
    "kl_weight",
    "n_training_rows",
    "train_members",
]

Rows: TypeAlias = list[dict[str, Any]]
Loss: TypeAlias = tuple[Tensor, Mapping[str, Tensor]]
"""The sum over members, and its parts for the health record."""


def train_members(
    module: nn.Module,
    *,
    networks: Networks,
    phases: Sequence[Phase],
    batches: Callable[[int], Iterator[Any]],
    units: Units,
    folds: Folds,
    exponent: float,
    options: TrainingConfig,
    seed: int,
    best: BestWeights,
) -> Rows:
    """Run phases, and tell ``best`` the validation losses of all members on the way.

    Args:
        module: What is trained; it has its last weights afterwards.
        networks: The ensemble in it.
        phases: Losses and parameters.
        batches: Minibatches from a step on.
        units: The study.
        folds: Folds of the units: which members hold out which units.
        exponent: Exponent of the variances in validation losses.
        options: Options of the loop.
        seed: Root of everything random.
        best: Keeper of the weights.

    Returns:
        The health record.
    """
    first = int(best.step.max())  # steps are counted on from one phase of a fit to the next

    last: dict[str, Tensor] = {}

    def validate(_: nn.Module, step: int) -> list[dict[str, Any]]:
        loss = held_out_loss(networks, units, folds, exponent)
        best.update(networks, loss, first + step)
        if step == options.n_steps:
            last.update({k: v.clone() for k, v in module.state_dict().items()})
        return [{"task": m, "loss": float(v)} for m, v in enumerate(loss)]

    trained = train(
        module, phases, batches, config=options, seed=seed, validate=validate, resume=False
    )
    # The loop puts back the step that was best for all members together: through it a unit would
    # reach the member that holds it out. The members' own best weights are in `best`.
    module.load_state_dict(last)
    return trained.rows


@torch.no_grad()
def clip_members(parameters: Sequence[nn.Parameter], limit: float) -> float:
    """Clip the gradient of every member on its own.

    A norm over all members would let the units that one member holds out, which others are trained
    on, change its gradient.

    Args:
        parameters: Parameters with gradients; members are their first dimension.
        limit: Largest gradient norm of a member.

    Returns:
        The norm over all members, before clipping.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = torch.cat([g.flatten(1) for g in gradients], 1).norm(dim=1)
    of_members = norms.tolist()
    if not all(norm <= limit for norm in of_members):
        factor = (limit / (norms + 1e-12)).clamp(max=1.0)
        for g in gradients:
            g.mul_(factor.view(-1, *[1] * (g.ndim - 1)))
    return math.hypot(*of_members)


def batch_size(config: CausalBGMConfig, n: int) -> int:
    """Choose the units of a step.

    Args:
        config: Options.
        n: Units of the study.

    Returns:
        A number.
    """
    if config.batch_size != "auto":
        return config.batch_size
    return 64 if n < 4000 else 256


def n_training_rows(folds: Folds) -> float:
    """Average the number of training rows over members.

    Args:
        folds: Folds of the units.

    Returns:
        A number. Losses are means over units; what belongs to all units together counts one share
        of it.
    """
    return float((~folds.held_out()).sum(1).float().mean())


def kl_weight(config: CausalBGMConfig, n_rows: float) -> float:
    """Choose the penalty weight of the divergence of weights from their prior.

    Args:
        config: Options.
        n_rows: Training rows of a member.

    Returns:
        A number.
    """
    return 1.0 / n_rows if config.kl_weight == "auto" else config.kl_weight


@torch.no_grad()
def averages(parts: Mapping[str, Tensor], losses: Tensor) -> dict[str, Tensor]:
    """Average the parts of a loss over members, all at once.

    Args:
        parts: Parts, one value for each member.
        losses: The same, stacked.

    Returns:
        Part to average.
    """
    return dict(zip(parts, losses.mean(1).unbind(), strict=True))
