"""No cycles within a step: a penalty while gates learn, and a guarantee at the end."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.graphs import exponential_trace, is_acyclic, transitive_closure

__all__ = ["CyclePenalty", "without_cycles"]


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


def without_cycles(
    edges: Bool[Tensor, "d d"],
    probability: Float[Tensor, "d d"],
    held: Bool[Tensor, "d d"],
) -> Bool[Tensor, "d d"]:
    """Drop the least probable edge of each cycle until there is none.

    Args:
        edges: Graph within a step.
        probability: Of each edge.
        held: Edges that must stay; they are acyclic.

    Returns:
        An acyclic graph.
    """
    edges = edges.clone()
    while not bool(is_acyclic(edges)):
        on_cycle = edges & transitive_closure(edges).mT & ~held
        weakest = torch.where(on_cycle, probability, torch.inf).argmin()
        edges.view(-1)[weakest] = False
    return edges
