"""Independent edges, the distribution that AVICI predicts: its loss, and draws without cycles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.discovery.amortised.network import DAGDraws
from aetia.graphs import Constraints, greedy_dag, is_acyclic

__all__ = ["IndependentEdges", "edge_cross_entropy"]


def edge_cross_entropy(
    logits: Float[Tensor, "b d d"],
    graphs: Bool[Tensor, "b d d"],
    variables: Bool[Tensor, "b d"] | None = None,
    *,
    label_smoothing: float = 0.0,
) -> Float[Tensor, " b"]:
    """Compute -log q(G | D) per ordered pair (AVICI, eq. 4), for each table.

    Args:
        logits: Log-odds of edges.
        graphs: True graphs.
        variables: False marks padding.
        label_smoothing: Targets are moved this far from 0 and 1.

    Returns:
        Mean over the off-diagonal pairs of real variables, in nats and float32.
    """
    target = graphs.float() * (1 - 2 * label_smoothing) + label_smoothing
    cost = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    d = logits.shape[-1]
    pairs = ~torch.eye(d, dtype=torch.bool, device=logits.device).expand(logits.shape)
    if variables is not None:
        pairs = pairs & variables[:, :, None] & variables[:, None, :]
    return (cost * pairs).sum((-2, -1)) / pairs.sum((-2, -1)).clamp_min(1)


@dataclass(frozen=True, eq=False)
class IndependentEdges:
    """A coin for every ordered pair.

    Attributes:
        logits: Log-odds; the diagonal is ignored.
    """

    logits: Float[Tensor, "b d d"]

    def marginals(self) -> Float[Tensor, "b d d"]:
        """Compute edge probabilities.

        Returns:
            Exact, in float64.
        """
        return _off_diagonal(self.logits.double().sigmoid())

    def log_prob(self, graphs: Bool[Tensor, "b d d"]) -> Float[Tensor, " b"]:
        """Compute the log-probability of graphs.

        Args:
            graphs: One for each table.

        Returns:
            Nats, in float64.
        """
        d = graphs.shape[-1]
        return -edge_cross_entropy(self.logits.double(), graphs).double() * d * (d - 1)

    def sample(self, n: int, generator: torch.Generator) -> Bool[Tensor, "n b d d"]:
        """Draw graphs; they may have cycles.

        Args:
            n: Draws for each table.
            generator: Source of randomness, on the CPU.

        Returns:
            Adjacency matrices.
        """
        p = self.marginals().cpu()
        return torch.rand((n, *p.shape), generator=generator, dtype=p.dtype) < p

    def draw_dags(self, constraints: Constraints, n: int, generator: torch.Generator) -> DAGDraws:
        """Draw acyclic graphs of the first table.

        Raw draws without cycles are exact draws from the distribution restricted to DAGs; in the
        others, edges enter from the most probable down unless they would close a cycle.

        Args:
            constraints: Hard statements hold in every draw; beliefs multiply the odds.
            n: Number of draws.
            generator: Source of randomness.

        Returns:
            Draws of equal weight; ``share_cyclic`` is that of the raw draws.
        """
        logits = self.logits[:1].double().cpu() + constraints.log_odds
        logits = logits.masked_fill(constraints.forbidden, -torch.inf)
        logits = logits.masked_fill(constraints.required, torch.inf)
        predicted = IndependentEdges(logits)
        p = predicted.marginals()[0]
        raw = predicted.sample(n, generator)[:, 0]
        acyclic = is_acyclic(raw)
        graphs = raw.clone()
        if not acyclic.all():
            priority = p + constraints.required.double()
            graphs[~acyclic] = greedy_dag(raw[~acyclic], priority)
        return DAGDraws(
            graphs=graphs,
            log_weights=torch.zeros(n, dtype=torch.float64),
            marginals=p,
            facts={
                "share_cyclic": float((~acyclic).double().mean()),
                "edges_dropped_per_draw": float((raw & ~graphs).sum() / n),
            },
        )


def _off_diagonal(p: Tensor) -> Tensor:
    return p * (1 - torch.eye(p.shape[-1], dtype=p.dtype, device=p.device))
