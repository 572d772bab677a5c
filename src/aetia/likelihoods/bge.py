r"""The BGe score: evidence of a Gaussian DAG with its parameters integrated out.

Geiger & Heckerman (2002) with the correction of Kuipers, Moffa & Heckerman (2014): with
:math:`T = tI`, :math:`R = T + S + \frac{N \alpha_\mu}{N + \alpha_\mu} \bar x \bar x^\top`,
l parents and :math:`P` the parent set of j,

.. math::
    \log p_j = \tfrac12 \log\tfrac{\alpha_\mu}{N + \alpha_\mu}
      + \log\Gamma\tfrac{N + \alpha_w - d + l + 1}{2} - \log\Gamma\tfrac{\alpha_w - d + l + 1}{2}
      - \tfrac N2 \log \pi + \tfrac{\alpha_w - d + 2l + 1}{2} \log t
      + \tfrac{N + \alpha_w - d + l}{2} \log|R_{PP}|
      - \tfrac{N + \alpha_w - d + l + 1}{2} \log|R_{P \cup j, P \cup j}|.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods.moments import Moments
from aetia.likelihoods.parameters import WeightPosterior, regress_on_parents
from aetia.likelihoods.parent_set_walks import parent_set_walks
from aetia.likelihoods.parent_sets import ParentSetScores
from aetia.likelihoods.schur_walk import scatter_subsets, subset_determinants
from aetia.options import check_positive

__all__ = ["BGe", "BGeScore"]

ALPHA_MU_GRID = (1.0, 0.3, 0.1, 0.03, 0.01)
"""Values that ``alpha_mu="auto"`` averages over."""


@dataclass(frozen=True, kw_only=True)
class BGe:
    """Options of the BGe score.

    Attributes:
        alpha_mu: Rows that the prior mean (zero) is worth; it also sets the prior scale
            ``t = alpha_mu (alpha_w - d - 1) / (alpha_mu + 1)``, which acts like independent
            measurement error of that total size: a larger value adds edges. ``"auto"`` averages
            over 1, .3, .1, .03 and .01 by their evidence, with ``ExactPosterior`` only; on sparse
            tables it finds less than .1 does.
        alpha_w: Degrees of freedom of the Wishart prior; ``"auto"`` is d + 2, and it must
            exceed d + 1.
    """

    alpha_mu: float | Literal["auto"] = 0.1
    alpha_w: float | Literal["auto"] = "auto"
    name = "bge"
    kinds = ("continuous", "binary", "count")
    scaling = "standardise"
    """What ``scaling="auto"`` means: the score changes with the units, because T is isotropic."""

    def __post_init__(self) -> None:
        check_positive(self, "alpha_mu", "alpha_w")

    def each_alpha_mu(self) -> tuple[BGe, ...]:
        """List the scores that ``alpha_mu="auto"`` averages over.

        Returns:
            One score for each value; only itself where the value is a number.
        """
        if self.alpha_mu != "auto":
            return (self,)
        return tuple(replace(self, alpha_mu=value) for value in ALPHA_MU_GRID)

    def on(
        self,
        x: Float[Tensor, "n d"],
        intervened: Bool[Tensor, "n d"] | None = None,
        *,
        likelihood_scale: float = 1.0,
    ) -> BGeScore:
        """Bind the score to a table.

        Args:
            x: The data.
            intervened: True where a variable was set by intervention.
            likelihood_scale: Multiplies the log evidence, for minibatches.

        Returns:
            The score of every graph over these columns.
        """
        return BGeScore(self, Moments.of(x, intervened), likelihood_scale=likelihood_scale)

    def local_scores(self, data: Dataset) -> BGeScore:
        """Bind the score to a complete table, for its tables over parent sets.

        Args:
            data: The table, in the scale that the score uses.

        Returns:
            The score, which is a ``LocalScores``.
        """
        intervened = None if data.intervened is None else torch.from_numpy(data.intervened)
        return self.on(torch.from_numpy(data.values).double(), intervened)

    def weight_posterior(self, graphs: Bool[Tensor, "s d d"], moments: Moments) -> WeightPosterior:
        """Compute the posterior of the weights and noise variances, given each graph.

        The covariance of a parent set and its child is inverse Wishart with
        ``N + alpha_w - d + l + 1`` degrees of freedom, which gives the weights a Student t.

        Args:
            graphs: DAGs.
            moments: Statistics of the table, in the scale that the score used.

        Returns:
            One Student posterior for each graph and variable.
        """
        bound = BGeScore(self, moments)
        d = graphs.shape[-1]
        mean, inverse, residual = regress_on_parents(graphs, bound.posterior_scale, 0.0)
        df = bound.moments.n + bound.alpha_w - d + graphs.sum(-2) + 1
        return WeightPosterior(mean, inverse, df / 2, residual / 2)


class BGeScore:
    """BGe bound to data: exact and remembered on hard graphs, smooth on soft ones."""

    parameters: tuple[str, ...] = ()

    def __init__(self, options: BGe, moments: Moments, *, likelihood_scale: float = 1.0) -> None:
        d = moments.mean.shape[-1]
        if options.alpha_mu == "auto":
            raise InputError(
                "BGe: alpha_mu='auto' averages over values by their evidence, which takes sums "
                "over all graphs: use ExactPosterior, or give a number such as 0.1."
            )
        self.moments = moments
        self.likelihood_scale = likelihood_scale
        self.alpha_mu = float(options.alpha_mu)
        self.alpha_w = float(d + 2 if options.alpha_w == "auto" else options.alpha_w)
        if self.alpha_w <= d + 1:
            raise InputError(
                f"BGe: alpha_w must exceed d + 1 = {d + 1}, got {self.alpha_w:g}; "
                "alpha_w='auto' takes d + 2."
            )
        self.prior_scale = self.alpha_mu * (self.alpha_w - d - 1) / (self.alpha_mu + 1)
        n, mean = moments.n[:, None, None], moments.mean
        outer = mean.unsqueeze(-1) * mean.unsqueeze(-2)
        shrunk = n * self.alpha_mu / (n + self.alpha_mu) * outer
        prior = self.prior_scale * torch.eye(d, dtype=torch.float64, device=mean.device)
        self.posterior_scale = prior + moments.scatter + shrunk
        self.floats_per_graph = d * d
        self._table = ParentSetScores(d, self._score_parent_sets)

    def node_scores(
        self, graphs: Float[Tensor, "*batch d d"] | Bool[Tensor, "*batch d d"]
    ) -> Float[Tensor, "*batch d"]:
        """Compute the log evidence of each variable given its parents.

        Args:
            graphs: Bool for the exact score, float for its smooth extension.

        Returns:
            One term for each variable, in float64; their sum is log p(data | graph).
        """
        if graphs.dtype == torch.bool:
            return self._table(graphs) * self.likelihood_scale
        return self._soft_scores(graphs) * self.likelihood_scale

    @property
    def empty(self) -> Float[Tensor, " d"]:
        """Log score of each variable without parents."""
        d = self.moments.mean.shape[-1]
        return self.node_scores(torch.zeros(d, d, dtype=torch.bool))

    def tables(self, candidates: Int64[Tensor, "d k"], max_parents: int) -> Float[Tensor, "d sets"]:
        """Score every subset of the candidates of each variable, relative to the empty set.

        Args:
            candidates: Possible parents of each variable.
            max_parents: Larger sets score minus infinity.

        Returns:
            One score for each subset. With all other variables as candidates and one matrix for
            all rows, one determinant for each subset of the variables gives every table.
        """
        d, k = candidates.shape
        if k == d - 1 and max_parents >= k and len(self.posterior_scale) == 1 and d > 1:
            others = torch.arange(d).expand(d, d)[~torch.eye(d, dtype=torch.bool)].view(d, d - 1)
            if torch.equal(candidates, others):
                return self._tables_of_one_matrix()
        out = torch.empty(d, 1 << k, dtype=torch.float64)
        walks = parent_set_walks(self.posterior_scale, candidates, max_parents)
        for j, walk in enumerate(walks):
            n = self.moments.n[j if len(self.moments.n) > 1 else 0]
            with_child = walk.log_det + walk.rest[:, 0, 0].log()
            scores = self._formula(n, walk.sizes.double(), walk.log_det, with_child)
            out[j] = scatter_subsets(scores - scores[0], walk.subsets, k)
        return out * self.likelihood_scale

    def _tables_of_one_matrix(self) -> Float[Tensor, "d sets"]:
        d = self.posterior_scale.shape[-1]
        log_det = subset_determinants(self.posterior_scale[0])
        sizes = torch.zeros(1, dtype=torch.int64)
        for _ in range(d - 1):
            sizes = torch.cat([sizes, sizes + 1])
        constant, by_parents, by_family = (terms[0, sizes] for terms in self.size_terms())
        out = torch.empty(d, 1 << (d - 1), dtype=torch.float64)
        for j in range(d):
            halves = log_det.view(-1, 2, 1 << j)  # bit j of the subset: without, and with j
            torch.mul(halves[:, 0].flatten(), by_parents, out=out[j])
            out[j].addcmul_(halves[:, 1].flatten(), by_family).add_(constant)
            out[j] -= out[j, 0].clone()
        return out

    def size_terms(
        self,
    ) -> tuple[Float[Tensor, "m d"], Float[Tensor, "m d"], Float[Tensor, "m d"]]:
        """Split the score: it is linear in two log determinants, given the number of parents.

        Returns:
            For each matrix of ``posterior_scale`` and each number of parents a constant, the
            factor of the log determinant of the parents, and that of parents and child together.
        """
        d = self.posterior_scale.shape[-1]
        l = torch.arange(d, dtype=torch.float64, device=self.posterior_scale.device)
        n, nothing, one = self.moments.n[:, None], torch.zeros_like(l), torch.ones_like(l)
        constant = self._formula(n, l, nothing, nothing)
        by_parents = self._formula(n, l, one, nothing) - constant
        by_family = self._formula(n, l, nothing, one) - constant
        scale = self.likelihood_scale
        return constant * scale, by_parents * scale, by_family * scale

    def _formula(self, n: Tensor, l: Tensor, log_det: Tensor, log_det_with: Tensor) -> Tensor:
        free = self.alpha_w - self.posterior_scale.shape[-1] + l
        score = (
            0.5 * (math.log(self.alpha_mu) - (n + self.alpha_mu).log())
            + torch.lgamma(0.5 * (n + free + 1))
            - torch.lgamma(0.5 * (free + 1))
            - 0.5 * n * math.log(math.pi)
            + 0.5 * (free + l + 1) * math.log(self.prior_scale)
            + 0.5 * (n + free) * log_det
            - 0.5 * (n + free + 1) * log_det_with
        )
        return torch.where(n > 0, score, torch.zeros_like(score))

    def _score_parent_sets(
        self, parents: Bool[Tensor, "q d"], node: Int64[Tensor, " q"]
    ) -> Float[Tensor, " q"]:
        """Score parent sets: one Cholesky factor of (parents, node) gives both determinants."""
        out = torch.empty(len(node), dtype=torch.float64, device=parents.device)
        sizes = parents.sum(-1)
        single = len(self.posterior_scale) == 1
        for size in sizes.unique().tolist():
            rows = (sizes == size).nonzero().flatten()
            members = parents[rows].nonzero()[:, 1].view(len(rows), size)
            index = torch.cat([members, node[rows, None]], dim=1)
            which = torch.zeros_like(rows) if single else node[rows]
            block = self.posterior_scale[which[:, None, None], index[:, :, None], index[:, None, :]]
            log_diagonal = 2.0 * torch.linalg.cholesky(block).diagonal(dim1=-2, dim2=-1).log()
            without, last = log_diagonal[:, :-1].sum(-1), log_diagonal[:, -1]
            n = self.moments.n[which]
            out[rows] = self._formula(n, sizes[rows].double(), without, without + last)
        return out

    def _soft_scores(self, graphs: Tensor) -> Tensor:
        d = graphs.shape[-1]
        parents = graphs.mT.double()  # [..., j, i]
        eye = torch.eye(d, dtype=torch.float64, device=graphs.device)
        return self._formula(
            self.moments.n,
            parents.sum(-1),
            self._masked_log_det(parents),
            self._masked_log_det(parents + eye),
        )

    def _masked_log_det(self, members: Tensor) -> Tensor:
        block = members.unsqueeze(-1) * members.unsqueeze(-2)
        eye = torch.eye(members.shape[-1], dtype=block.dtype, device=block.device)
        masked = block * self.posterior_scale + (1 - block) * eye
        return torch.linalg.slogdet(masked).logabsdet
