r"""The prior of parent sets: a modular structure prior with hard and soft knowledge in it.

A modular prior is a product over variables, :math:`p(G) \propto \prod_j \rho_j(Pa_j)`. Everything
that a user knows about single edges is modular too, so that it lives in the tables and the
samplers know nothing of it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from aetia.errors import InputError
from aetia.graphs.knowledge import Constraints

__all__ = ["prior_tables"]


def prior_tables(
    candidates: Int64[Tensor, "d k"],
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
) -> Float[Tensor, "d sets"]:
    """Tabulate the log prior of all subsets of each variable's candidates.

    Args:
        candidates: Indices of the k possible parents of each variable.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Required and forbidden edges, and log-odds added for single edges.

    Returns:
        ``tables[j, m]``, minus infinity for sets that break a hard statement.

    Raises:
        InputError: If a required parent is not among the candidates.
    """
    d, k = candidates.shape
    nodes = torch.arange(d).unsqueeze(-1).expand(d, k)
    required = constraints.required[candidates, nodes]
    if int(required.sum()) < int(constraints.required.sum()):
        raise InputError("a required edge is not among the candidate parents of its target.")
    forbidden = constraints.forbidden[candidates, nodes]
    present = constraints.log_odds[candidates, nodes].double()
    present = present.masked_fill(forbidden, -torch.inf)
    absent = torch.zeros_like(present).masked_fill(required, -torch.inf)
    tables = torch.zeros(d, 1, dtype=torch.float64)
    counts = torch.zeros(1, dtype=torch.int64)
    for bit in range(k):
        tables = torch.cat([tables + absent[:, [bit]], tables + present[:, [bit]]], dim=-1)
        counts = torch.cat([counts, counts + 1])
    return tables + count_terms.double()[counts]
