r"""Score tables of models that are linear in columns made from each parent.

Every variable i contributes a block of columns :math:`\phi_i(x_i)`; the response of variable j is
regressed on the blocks of its parents with weights integrated out in closed form,

- under Zellner's g-prior, with p columns and :math:`\rho` the share of the sum of squares that
  least squares leaves,
  :math:`\tfrac{n-1-p}{2} \log(1+g) - \tfrac{n-1}{2} \log(1 + g \rho)`;
- under independent weights :math:`N(0, \tau \sigma^2)`, with the penalised share,
  :math:`-\tfrac12 \log|I + \tau \Phi^\top \Phi| - \tfrac{n-1}{2} \log \rho_\tau`.

Intercept and log noise variance have flat priors; both are relative to the empty parent set, whose
evidence does not depend on the columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.likelihoods.regression_walk import SubsetRegressions, regression_walk
from aetia.likelihoods.row_groups import rows_of_variables

__all__ = ["AveragedScores", "BasisScores", "SubsetScores", "ridge_scores", "zellner_scores"]

_EXACT = 1e-12
"""Least share of the sum of squares that counts as noise: rounding alone leaves that much."""


class SubsetScores(NamedTuple):
    """Log evidence of all responses for some parent sets, relative to the empty set."""

    subsets: Int64[Tensor, " m"]
    """Bit b is set where block b is a parent."""
    scores: Float[Tensor, "m r"]


def zellner_scores(
    matrix: Float[Tensor, "p p"],
    blocks: Sequence[int],
    max_blocks: int,
    n: int,
    *,
    g: float | None = None,
) -> SubsetScores:
    """Compute the evidence of parent sets under Zellner's g-prior.

    Args:
        matrix: Products of the centred columns of all blocks, then of the centred responses.
        blocks: Number of columns of each block.
        max_blocks: The largest parent set.
        n: Rows behind the products.
        g: Rows for which the prior counts as one; None is n, a prior worth one row.

    Returns:
        Scores; minus infinity where there are as many columns as rows.
    """
    walk = regression_walk(matrix, blocks, max_blocks)
    g = float(n) if g is None else g
    free = (n - 1.0 - walk.n_columns.double()).unsqueeze(1)
    share = _shares(walk, matrix)
    scores = 0.5 * free * math.log1p(g) - 0.5 * (n - 1) * (g * share).log1p()
    if n < 2:  # no residual to speak of: every set explains these rows equally well
        return SubsetScores(walk.subsets, torch.zeros_like(scores))
    too_large = (free <= 0) & (walk.n_columns > 0).unsqueeze(1)
    return SubsetScores(walk.subsets, torch.where(too_large, -torch.inf, scores))


def ridge_scores(
    matrix: Float[Tensor, "p p"],
    blocks: Sequence[int],
    max_blocks: int,
    n: int,
    *,
    variances: Sequence[float],
) -> SubsetScores:
    r"""Compute the evidence of parent sets under independent normal weights.

    Args:
        matrix: Products of the centred columns of all blocks, then of the centred responses.
        blocks: Number of columns of each block.
        max_blocks: The largest parent set.
        n: Rows behind the products.
        variances: Prior variances :math:`\tau` of a weight, in units of the noise variance; the
            evidence is averaged over them.

    Returns:
        Scores.
    """
    p = sum(blocks)
    subsets, parts = torch.zeros(0, dtype=torch.int64), []
    for tau in variances:
        scale = torch.ones_like(matrix.diagonal())
        scale[:p] = math.sqrt(tau)
        penalised = matrix * scale.unsqueeze(0) * scale.unsqueeze(1)
        penalised.diagonal()[:p] += 1.0
        walk = regression_walk(penalised, blocks, max_blocks)
        share = _shares(walk, matrix)
        parts.append(-0.5 * walk.log_det.unsqueeze(1) - 0.5 * (n - 1) * share.log())
        subsets = walk.subsets
    scores = torch.stack(parts).logsumexp(0) - math.log(len(parts))
    return SubsetScores(subsets, scores)


def _shares(walk: SubsetRegressions, matrix: Tensor) -> Float[Tensor, "m r"]:
    """Residual over total sum of squares; 1 for a response that does not vary."""
    total = matrix.diagonal()[-walk.residual.shape[1] :]
    share = walk.residual / torch.where(total > 0, total, 1.0)
    return torch.where(total > 0, share.clamp_min(_EXACT), torch.ones_like(share))


class BasisScores:
    """Tables of one such model, bound to data."""

    def __init__(
        self,
        features: Sequence[Float[Tensor, "n _"]],
        responses: Float[Tensor, "n d"],
        intervened: Bool[np.ndarray, "n d"] | None,
        score: Callable[[Tensor, Sequence[int], int, int], SubsetScores],
        max_parents: int,
    ) -> None:
        """Bind columns and responses.

        Args:
            features: The block of columns that each variable contributes as a parent.
            responses: What is regressed, one column for each variable.
            intervened: True where a variable was set by intervention: the row leaves its score.
            score: :func:`zellner_scores` or :func:`ridge_scores` with its options bound.
            max_parents: Larger sets cannot be scored.
        """
        self.features = tuple(f.double() for f in features)
        self.responses = responses.double()
        self.groups = [
            (torch.from_numpy(rows), nodes)
            for rows, nodes in rows_of_variables(tuple(responses.shape), intervened)
        ]
        self.score = score
        self.max_parents = max_parents
        self.empty = self.responses.new_zeros(self.responses.shape[1])

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Score every subset of the candidates of each variable, relative to the empty set.

        Args:
            candidates: Possible parents of each variable.
            max_parents: Sets with more parents score minus infinity.

        Returns:
            ``tables[j, m]`` for the subset of ``candidates[j]`` with the bits of m.
        """
        d, k = candidates.shape
        out = self.responses.new_full((d, 1 << k), -torch.inf)
        limit = min(max_parents, self.max_parents)
        all_others = k == d - 1 and bool((candidates == _others(d, candidates.device)).all())
        for rows, nodes in self.groups:
            if all_others:
                self._fill_from_one_walk(out, rows, nodes, limit)
            else:
                for j in nodes:
                    parents = candidates[j].tolist()
                    subsets, scores = self._scored(parents, rows, [j], limit)
                    out[j, subsets] = scores[:, 0]
        return out

    def _fill_from_one_walk(self, out: Tensor, rows: Tensor, nodes: list[int], limit: int) -> None:
        """Walk over all variables with all responses, then leave out sets with the response."""
        subsets, scores = self._scored(list(range(len(self.features))), rows, nodes, limit)
        for column, j in enumerate(nodes):
            without = ((subsets >> j) & 1 == 0).nonzero().flatten()
            full = subsets[without]
            low = full & ((1 << j) - 1)
            out[j, low | (full >> (j + 1) << j)] = scores[without, column]

    def _scored(
        self, parents: list[int], rows: Tensor, nodes: list[int], limit: int
    ) -> SubsetScores:
        columns = [self.features[i] for i in parents]
        matrix = torch.cat([*columns, self.responses[:, nodes]], dim=1)[rows]
        n = len(matrix)
        if n:
            matrix = matrix - matrix.mean(0)
        return self.score(matrix.mT @ matrix, [f.shape[1] for f in columns], limit, n)


@runtime_checkable
class _Tables(Protocol):
    """All that an average needs of a model."""

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Score every subset of the candidates, relative to the empty set."""
        ...


class AveragedScores:
    """Evidence averaged over models, for each variable and parent set.

    A model that cannot score a set counts as if its evidence there were zero.
    """

    def __init__(self, parts: Sequence[_Tables], empty: Float[Tensor, " d"]) -> None:
        """Average.

        Args:
            parts: The models, all of equal prior probability.
            empty: Log score of each variable without parents.
        """
        self.parts = tuple(parts)
        self.empty = empty

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Average the tables of the models.

        Args:
            candidates: Possible parents of each variable.
            max_parents: Sets with more parents score minus infinity.

        Returns:
            Log of the mean evidence, relative to the empty set.
        """
        share = math.log(len(self.parts))
        out = self.parts[0].tables(candidates, max_parents) - share
        for part in self.parts[1:]:
            table = part.tables(candidates, max_parents)
            scored = table > -torch.inf
            out[scored] = torch.logaddexp(out[scored], table[scored] - share)
            del table  # 84 MB for 20 columns
        out[:, 0] = 0.0  # free of rounding
        return out


def _others(d: int, device: torch.device) -> Int64[Tensor, "d k"]:
    """List for each variable all others, ascending."""
    each = torch.arange(d, device=device)
    return each.expand(d, d)[~torch.eye(d, dtype=torch.bool, device=device)].view(d, d - 1)
