"""A penalty of cycles within a step, while gates learn."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aetia.graphs import exponential_trace

__all__ = ["CyclePenalty"]


class CyclePenalty(nn.Module):
    r"""Augmented Lagrangian :math:`\alpha h + \tfrac{\mu}{2} h^2`.

    With :math:`h = \mathrm{tr}\, e^{Z \circ Z} - d`. Z are the gates without noise, exactly 0
    where an edge is improbable: such edges do not drive the multipliers up if they close a cycle.

    Args:
        first: Initial mu.
        largest: Mu stops growing there.
    """

    multiplier: Float[Tensor, ""]
    weight: Float[Tensor, ""]
    last: Float[Tensor, ""]

    def __init__(self, first: float, largest: float = 10.0) -> None:
        super().__init__()
        self.largest = largest
        self.register_buffer("multiplier", torch.tensor(0.0))
        self.register_buffer("weight", torch.tensor(first))
        self.register_buffer("last", torch.tensor(torch.inf))

    def forward(self, within: Float[Tensor, "d d"]) -> Float[Tensor, ""]:
        """Penalise cycles among the gates within a step."""
        h = exponential_trace(within.square())
        return self.multiplier * h + 0.5 * self.weight * h.square()

    @torch.no_grad()
    def update(self, within: Float[Tensor, "d d"]) -> None:
        """Raise the multiplier, and the weight where cycles did not shrink to a quarter.

        Args:
            within: Gates within a step.
        """
        h = exponential_trace(within.square())
        if h <= 1e-8:
            return
        self.multiplier += self.weight * h
        if h > 0.25 * self.last:
            self.weight.mul_(10.0).clamp_(max=self.largest)
        self.last.copy_(h)
