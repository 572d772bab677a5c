"""The data must reach the graph: checked before the first step."""

from __future__ import annotations

import torch

from aetia.discovery.rcgnn.neural.inputs import Inputs
from aetia.discovery.rcgnn.neural.model import CorruptedSCM
from aetia.errors import NumericalError

__all__ = ["check_connected", "structure_gradient"]


def structure_gradient(module: CorruptedSCM, batch: Inputs) -> float:
    """Compute the norm of the gradient of the data term with respect to the gate logits.

    Args:
        module: The model.
        batch: Blocks.

    Returns:
        The norm; 0 if no data reach the graph.
    """
    with torch.enable_grad():
        gates = module.gates.obeying(torch.sigmoid(module.gates.logits)).unsqueeze(0)
        term = module.data_term(batch, gates)
        if not term.requires_grad:
            return 0.0
        (slope,) = torch.autograd.grad(term, module.gates.flat, allow_unused=True)
    return 0.0 if slope is None else float(slope.norm())


def check_connected(module: CorruptedSCM, batch: Inputs) -> None:
    """Refuse to train a graph that no data reach.

    Args:
        module: The model, with slopes by least squares.
        batch: Blocks.

    Raises:
        NumericalError: If the data term has no gradient with respect to the gates, or closing all
            gates does not raise it.
    """
    norm = structure_gradient(module, batch)
    with torch.no_grad():
        gates = module.gates.allowed.float().unsqueeze(0)
        open_, closed = (float(module.data_term(batch, g)) for g in (gates, 0 * gates))
    if not norm > 0:
        raise NumericalError(
            f"the graph is disconnected from the data: the gradient of the data term with respect "
            f"to the gates has norm {norm:g}. Predictions must pass through the gates; check the "
            "mechanisms."
        )
    if not closed > open_:
        raise NumericalError(
            f"the graph is disconnected from the data: closing all gates changes the data term "
            f"from {open_:.6g} to {closed:.6g} nats per cell, and should raise it. Predictions "
            "must pass through the gates, and depend on them; check the mechanisms."
        )
