"""Beyond a dozen variables: scores over a few candidate parents of each, and their choice."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from aetia.discovery.missing.block_scores import column_constants
from aetia.graphs import Constraints
from aetia.likelihoods.schur_walk import schur_walk

__all__ = ["CandidateScores", "choose_candidates", "n_candidates_for"]

MOST_CANDIDATES = 10
"""Candidate parents of a variable where not every subset of all variables is visited."""


def n_candidates_for(d: int, most_dense: int) -> int:
    """Say how many parents of a variable are considered.

    Args:
        d: Number of variables.
        most_dense: Up to this many, all of them.

    Returns:
        All others, or a fixed number.
    """
    return d - 1 if d <= most_dense else min(d - 1, MOST_CANDIDATES)


def choose_candidates(
    scale: Float[Tensor, "w w"],
    blocks: tuple[int, ...],
    constraints: Constraints,
    n_candidates: int,
) -> Int64[Tensor, "d k"]:
    """Pick the possible parents of each variable, one after another by the gain of the next.

    Args:
        scale: Posterior scale matrix, pooled over imputations.
        blocks: Number of columns of each variable.
        constraints: Required parents come first, forbidden ones last.
        n_candidates: How many.

    Returns:
        Candidates in ascending order.
    """
    d, node = len(blocks), torch.repeat_interleave(torch.arange(len(blocks)), torch.tensor(blocks))
    chosen = []
    for j in range(d):
        picked = constraints.required[:, j].nonzero().flatten().tolist()
        while len(picked) < n_candidates:
            inside = torch.isin(node, torch.tensor(picked, dtype=torch.int64))
            rest = _given(scale, inside)
            own = node == j
            gains = torch.full((d,), -torch.inf, dtype=torch.float64)
            for i in range(d):
                if i != j and i not in picked:
                    theirs = node == i
                    alone = torch.logdet(rest[own][:, own])
                    cross = rest[own][:, theirs]
                    explained = cross @ torch.linalg.solve(rest[theirs][:, theirs], cross.mT)
                    gains[i] = alone - torch.logdet(rest[own][:, own] - explained)
                    gains[i] -= 1e6 * bool(constraints.forbidden[i, j])
            picked.append(int(gains.argmax()))
        chosen.append(sorted(picked))
    return torch.tensor(chosen)


def _given(scale: Float[Tensor, "w w"], inside: Tensor) -> Float[Tensor, "w w"]:
    """Schur complement of the columns inside, in the places of all others."""
    if not bool(inside.any()):
        return scale
    cross = scale[:, inside]
    rest = scale - cross @ torch.linalg.solve(scale[inside][:, inside], cross.mT)
    # Picked columns are not asked for again; a unit diagonal keeps them regular.
    return rest + torch.diag(inside.double())


class CandidateScores:
    """Block BGe tables over candidate parents, one walk for each variable.

    Args:
        blocks: Number of columns of each variable.
        candidates: Possible parents of each variable.
        n_rows: Rows that explain each variable.
        group: Which matrix R belongs to each variable.
        alpha_mu: Rows that the prior mean is worth.
        alpha_w: Degrees of freedom of the Wishart prior.
    """

    def __init__(
        self,
        blocks: tuple[int, ...],
        candidates: Int64[Tensor, "d k"],
        n_rows: Float[Tensor, " d"],
        group: Int64[Tensor, " d"],
        *,
        alpha_mu: float,
        alpha_w: float,
    ) -> None:
        d, k = candidates.shape
        width = sum(blocks)
        first = torch.tensor([0, *blocks]).cumsum(0).tolist()
        constants = column_constants(n_rows, width, alpha_mu, alpha_w)
        summed = torch.cat([torch.zeros(d, 1, dtype=torch.float64), constants.cumsum(1)], dim=1)
        self._layouts: dict[tuple[int, ...], list[int]] = {}
        self._columns, self._constant, self._factor = [], [], []
        self._group, self._shape = group, (d, 1 << k)
        for j in range(d):
            sizes = tuple(blocks[i] for i in candidates[j].tolist())
            self._layouts.setdefault((*sizes, blocks[j]), []).append(j)
            members = [*candidates[j].tolist(), j]
            self._columns.append(
                torch.cat([torch.arange(first[i], first[i] + blocks[i]) for i in members])
            )
            p = torch.zeros(1, dtype=torch.int64)
            for size in sizes:
                p = torch.cat([p, p + size])
            explained = float(n_rows[j] > 0)
            self._constant.append((summed[j, p + blocks[j]] - summed[j, p]) * explained)
            self._factor.append(0.5 * (n_rows[j] + alpha_w - width + p) * explained)
        self._explained = (n_rows > 0).double()

    def tables(self, scales: Float[Tensor, "c g w w"]) -> Float[Tensor, "d sets c"]:
        """Score every subset of the candidates of every variable.

        Args:
            scales: Posterior scale matrices R of each chain, one for each group of variables.

        Returns:
            Log scores, chains last.
        """
        out = scales.new_empty(*self._shape, len(scales))
        for layout, nodes in self._layouts.items():
            columns = torch.stack([self._columns[j] for j in nodes])
            minors = scales[:, self._group[nodes]][
                :,
                torch.arange(len(nodes)).view(-1, 1, 1),
                columns.unsqueeze(-1),
                columns.unsqueeze(-2),
            ]
            walk = schur_walk(minors, layout[:-1])
            own = layout[-1]
            last = walk.rest[..., 0, 0].log() if own == 1 else torch.logdet(walk.rest)
            factor = torch.stack([self._factor[j] for j in nodes])
            constant = torch.stack([self._constant[j] for j in nodes])
            # (e+p)/2 ld(S) - (e+p+m)/2 ld(S+j), where ld(S+j) = ld(S) + ld(j given S).
            half = 0.5 * own * self._explained[nodes].unsqueeze(-1)
            scores = constant - half * walk.log_det - (factor + half) * last
            out[nodes] = scores.permute(1, 2, 0)
        return out
