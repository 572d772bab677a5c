"""From particles to weighted graphs: removal of cycles, merging of copies, weights."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["distinct_graphs", "particle_log_weights"]


def distinct_graphs(
    graphs: Bool[Tensor, "s d d"],
) -> tuple[Bool[Tensor, "u d d"], Int64[Tensor, " s"], Int64[Tensor, " u"]]:
    """Find the distinct graphs among the particles.

    Args:
        graphs: One graph for each particle.

    Returns:
        The distinct graphs, which of them each particle has, and how often each occurs.
    """
    return torch.unique(graphs, dim=0, return_inverse=True, return_counts=True)  # pyright: ignore[reportReturnType]


def particle_log_weights(
    kind: Literal["empirical", "mixture"],
    which: Int64[Tensor, " s"],
    log_joint: Float[Tensor, " s"],
) -> Float[Tensor, " s"]:
    """Weigh particles, counting no graph twice.

    ``"empirical"`` gives every particle the same weight (so a graph that was hit twice has twice
    the weight: that is its estimated probability). ``"mixture"`` gives every *distinct* graph
    the mean of exp(log_joint) over its particles, shared among them in proportion: a graph's
    weight is a density, not a number of hits.

    Args:
        kind: Which weights.
        which: Index of the distinct graph of each particle.
        log_joint: Log score of each particle: evidence or joint density, times the prior.

    Returns:
        Normalised log-weights.
    """
    if kind == "empirical":
        return torch.full_like(log_joint, -float(len(log_joint))).fill_(0.0).log_softmax(0)
    copies = torch.bincount(which)[which].to(log_joint.dtype)
    return (log_joint - copies.log()).log_softmax(0)
