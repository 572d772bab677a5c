"""All DAGs of up to five variables with their probabilities, from score tables."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.graphs import all_dags

__all__ = ["enumerate_posterior"]


def enumerate_posterior(
    tables: Float[Tensor, "d sets"], candidates: Int64[Tensor, "d k"]
) -> tuple[Bool[Tensor, "s d d"], Float[Tensor, " s"]]:
    """Score every DAG.

    Args:
        tables: Log local scores with priors, -inf for impossible parent sets.
        candidates: Possible parents of each variable; all others.

    Returns:
        The possible DAGs and their log scores.
    """
    d, k = candidates.shape
    graphs = all_dags(d)
    nodes = torch.arange(d)
    chosen = graphs[:, candidates, nodes.unsqueeze(-1)].long()  # [s, j, b]
    subsets = (chosen << torch.arange(k)).sum(-1)
    scores = tables[nodes, subsets].sum(-1)
    possible = scores > -torch.inf
    return graphs[possible], scores[possible]
