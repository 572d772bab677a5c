"""What one more parent is worth, for every variable and every other variable at once."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.graphs import Constraints
from aetia.likelihoods import LocalScores

__all__ = ["extension_gains"]

_BLOCK_BITS = 10
_MAX_TABULATED = 5
_MAX_CELLS = 20_000_000


def extension_gains(
    scores: LocalScores,
    parents: Bool[Tensor, "d d"],
    count_terms: Float[Tensor, " d"],
    constraints: Constraints,
) -> Float[Tensor, "d d"]:
    """Compute the log-odds of adding u to the parents of j, for all u and j.

    A score of whole graphs (``node_scores``) is used where the likelihood has one. Otherwise small
    tables are, and a variable with more than five parents is looked at with five of them.

    Args:
        scores: The likelihood bound to the data.
        parents: Parents of each variable, ``parents[i, j]`` for i -> j; the graph may be cyclic,
            because each variable is looked at alone.
        count_terms: Log prior weight of having 0 to d - 1 parents.
        constraints: Knowledge.

    Returns:
        ``gains[u, j]``; minus infinity for parents that j has, for forbidden ones and for j.
    """
    if hasattr(scores, "node_scores"):
        gains = _by_graphs(scores, parents)
    else:
        gains = _by_tables(scores, parents)
    sizes = parents.sum(0)
    terms = torch.cat([count_terms.double(), count_terms.new_full((1,), -torch.inf).double()])
    gains = gains + (terms[sizes + 1] - terms[sizes]) + constraints.log_odds.double()
    itself = torch.eye(len(parents), dtype=torch.bool)
    gains = gains.masked_fill(parents | constraints.forbidden | itself, -torch.inf)
    return gains.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _by_graphs(scores: LocalScores, parents: Tensor) -> Float[Tensor, "d d"]:
    """Score whole graphs: in graph r every variable j has the further parent j + r (mod d)."""
    d = len(parents)
    node = torch.arange(d)
    base = scores.node_scores(parents)  # pyright: ignore[reportAttributeAccessIssue]
    gains = torch.zeros(d, d, dtype=torch.float64)
    for shifts in torch.arange(1, d).split(max(1, _MAX_CELLS // d**2)):
        extra = (node + shifts[:, None]) % d
        graphs = parents.repeat(len(shifts), 1, 1)
        graphs[torch.arange(len(shifts))[:, None], extra, node] = True
        more = scores.node_scores(graphs)  # pyright: ignore[reportAttributeAccessIssue]
        gains[extra, node.expand_as(extra)] = more - base
    return gains


def _by_tables(scores: LocalScores, parents: Tensor) -> Float[Tensor, "d d"]:
    """Tabulate the parents with a block of other variables, one block after the other."""
    d = len(parents)
    sizes = parents.sum(0).clamp_max(_MAX_TABULATED)
    largest = int(sizes.max())
    # Each row lists the parents, then all others.
    rank = torch.where(parents.mT, 0, 1) + torch.eye(d, dtype=torch.int64) * 2
    listed = rank.argsort(dim=-1, stable=True)[:, : d - 1]
    node = torch.arange(d)
    own = (1 << sizes) - 1
    gains = torch.zeros(d, d, dtype=torch.float64)
    width = max(1, min(_BLOCK_BITS - largest, d - 1 - largest))
    for first in range(largest, max(d - 1, largest + 1), width):
        first = max(largest, min(first, d - 1 - width))
        columns = torch.cat([listed[:, :largest], listed[:, first : first + width]], dim=-1)
        tables = scores.tables(columns, largest + 1)
        for c in range(columns.shape[-1]):
            gains[columns[:, c], node] = tables[node, own | (1 << c)] - tables[node, own]
    return gains
