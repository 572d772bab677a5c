r"""Random orders by the Plackett-Luce distribution.

The first item is drawn with probability proportional to :math:`e^{s_i}`, the next from those that
are left, and so on; equivalently, items are sorted by :math:`s_i` plus standard Gumbel noise
(Yellott, 1977). Orders cost O(d log d), and their probabilities are known exactly.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from aetia.nets.sinkhorn import standard_gumbel

__all__ = ["log_prob_of_orders", "precedence_probabilities", "sample_orders"]


def sample_orders(
    scores: Float[Tensor, "*batch d"], n: int, generator: torch.Generator
) -> Int64[Tensor, "n *batch d"]:
    """Draw orders.

    Args:
        scores: Higher ones tend to come first.
        n: Number of orders.
        generator: Source of randomness, on the CPU.

    Returns:
        ``[..., k]``: the k-th item.
    """
    noise = standard_gumbel(torch.Size((n, *scores.shape)), generator).to(scores)
    return (scores.detach() + noise).argsort(-1, descending=True)


def log_prob_of_orders(
    scores: Float[Tensor, "*batch d"], orders: Int64[Tensor, "n *batch d"]
) -> Float[Tensor, "*n_and_batch"]:
    """Compute the log-probability of orders.

    Args:
        scores: Score of each item; higher ones tend to come first.
        orders: ``[..., k]``: the k-th item.

    Returns:
        One number for each order, differentiable in the scores.
    """
    sorted_scores = scores.expand(orders.shape).gather(-1, orders)
    left = sorted_scores.flip(-1).logcumsumexp(-1).flip(-1)
    return (sorted_scores - left).sum(-1)


def precedence_probabilities(scores: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d d"]:
    """Compute the probability that item i comes before item j, exactly.

    Args:
        scores: Score of each item; higher ones tend to come first.

    Returns:
        ``sigmoid(s_i - s_j)``, with a zero diagonal.
    """
    p = (scores.unsqueeze(-1) - scores.unsqueeze(-2)).sigmoid()
    return p * (1 - torch.eye(p.shape[-1], dtype=p.dtype, device=p.device))
