"""The evidence of the linear Gaussian model, its weights integrated out, for hard graphs."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.likelihoods.moments import Moments
from aetia.likelihoods.parent_set_walks import parent_set_walks
from aetia.likelihoods.parent_sets import ParentSetScores
from aetia.likelihoods.schur_walk import scatter_subsets

__all__ = ["LinearEvidence"]


class LinearEvidence:
    """Log evidence of graphs under the linear Gaussian model, weights integrated out.

    For a fixed noise variance v and weights N(0, s^2), with C = S_PP + (v/s^2) I:
    ``-N/2 log(2 pi v) - 1/2 log|C s^2 / v| - (S_jj - S_jP C^{-1} S_Pj) / 2v``. With learned
    variances the model is normal-inverse-gamma and the evidence Student.
    """

    parameters: tuple[str, ...] = ()

    def __init__(
        self,
        moments: Moments,
        *,
        noise_variance: float | Literal["learned"],
        theta_prior_scale: float,
        noise_shape: float,
        noise_rate: float,
    ) -> None:
        self.learned = noise_variance == "learned"
        self.noise = 1.0 if noise_variance == "learned" else float(noise_variance)
        self.ridge = self.noise / theta_prior_scale**2
        self.noise_shape = noise_shape
        self.noise_rate = noise_rate
        self.moments = moments
        self.gram = moments.about_zero()
        self.floats_per_graph = self.gram.shape[-1] ** 2
        self._table = ParentSetScores(self.gram.shape[-1], self._score_parent_sets)

    def node_scores(self, graphs: Bool[Tensor, "*batch d d"]) -> Float[Tensor, "*batch d"]:
        """Compute the log evidence of each variable given its parents.

        Args:
            graphs: Hard graphs.

        Returns:
            One term for each variable, in float64.
        """
        return self._table(graphs)

    @property
    def empty(self) -> Float[Tensor, " d"]:
        """Log evidence of each variable without parents."""
        d = self.gram.shape[-1]
        return self.node_scores(torch.zeros(d, d, dtype=torch.bool))

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Score every subset of the candidates of each variable, relative to the empty set.

        Args:
            candidates: Possible parents of each variable.
            max_parents: Larger sets score minus infinity.

        Returns:
            One score for each subset.
        """
        d, k = candidates.shape
        ridge = self.ridge
        out = torch.empty(d, 1 << k, dtype=torch.float64)
        walks = parent_set_walks(self.gram, candidates, max_parents, ridge=ridge)
        for j, walk in enumerate(walks):
            residual = walk.rest[:, 0, 0]
            n = self.moments.n[j if len(self.gram) > 1 else 0]
            log_det = walk.log_det - walk.sizes.double() * math.log(ridge)
            scores = -0.5 * log_det + self._data_term(n, residual) - self._data_term(n, residual[0])
            out[j] = scatter_subsets(scores, walk.subsets, k)
        return out

    def _score_parent_sets(self, parents: Tensor, node: Tensor) -> Tensor:
        out = torch.empty(len(node), dtype=torch.float64, device=parents.device)
        ridge = self.ridge
        sizes = parents.sum(-1)
        single = len(self.gram) == 1
        for size in sizes.unique().tolist():
            rows = (sizes == size).nonzero().flatten()
            members = parents[rows].nonzero()[:, 1].view(len(rows), size)
            j = node[rows]
            which = torch.zeros_like(rows) if single else j
            block = self.gram[which[:, None, None], members[:, :, None], members[:, None, :]]
            block = block + ridge * torch.eye(size, dtype=block.dtype, device=block.device)
            cross = self.gram[which[:, None], members, j[:, None]].unsqueeze(-1)
            factor = torch.linalg.cholesky(block)
            half = torch.linalg.solve_triangular(factor, cross, upper=False).squeeze(-1)
            residual = self.gram[which, j, j] - half.square().sum(-1)
            log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) - size * math.log(ridge)
            n = self.moments.n[which]
            out[rows] = -0.5 * log_det + self._data_term(n, residual)
        return out

    def _data_term(self, n: Tensor, residual: Tensor) -> Tensor:
        v = self.noise
        if not self.learned:
            return -0.5 * (residual / v + n * math.log(2 * math.pi * v))
        a, b = self.noise_shape, self.noise_rate
        return (
            torch.lgamma(a + n / 2)
            - math.lgamma(a)
            + a * math.log(b)
            - (a + n / 2) * (b + residual / 2).log()
            - 0.5 * n * math.log(2 * math.pi)
        )
