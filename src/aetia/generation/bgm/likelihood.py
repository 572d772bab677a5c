r"""The distribution of a row given its latents, with the cells that nobody saw integrated out.

.. math::

    x \mid z &\sim N(\mu(z), D(z)) \quad \text{or} \quad N(\mu(z), D(z) + U(z) U(z)') \\
    x_j \mid z &\sim Bernoulli(\text{logit}\, \mu_j(z)) \quad \text{for binary columns}

(BGM, Liu & Wong, 2026, arXiv 2601.05355.) Given z, missing cells simply drop out of a diagonal
distribution; of the low-rank one the marginal of the seen cells is normal again, and its inverse
and determinant need matrices of the size of the rank only (Woodbury).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["ColumnLikelihood", "RowDistribution"]

_LOG_2PI = math.log(2 * math.pi)


class RowDistribution(NamedTuple):
    """Outputs of the generator, read."""

    mean: Float[Tensor, "*rows p"]
    """Means; logits for binary columns."""
    variance: Float[Tensor, "*rows p"] | None = None
    """Diagonal of D; None if every column is binary."""
    factors: Float[Tensor, "*rows p r"] | None = None
    """U, zero for binary columns."""


class ColumnLikelihood(NamedTuple):
    """Which distribution every column has.

    Attributes:
        kind: ``"gaussian"``, ``"low-rank"`` or ``"bernoulli"``.
        is_binary: Columns with a Bernoulli distribution, in any kind; all for ``"bernoulli"``.
        rank: Columns of U.
        smallest_std: Floor of the standard deviations, in the units of the model.
    """

    kind: Literal["gaussian", "low-rank", "bernoulli"]
    is_binary: Bool[Tensor, " p"]
    rank: int = 0
    smallest_std: float = 0.01

    @property
    def n_columns(self) -> int:
        """Columns of the table."""
        return len(self.is_binary)

    @property
    def has_binary(self) -> bool:
        """Whether some columns, but not all by kind, are binary."""
        return self.kind != "bernoulli" and bool(self.is_binary.any())

    @property
    def n_outputs(self) -> int:
        """Numbers that the generator gives for every row."""
        blocks = {"bernoulli": 1, "gaussian": 2, "low-rank": 2 + self.rank}
        return blocks[self.kind] * self.n_columns

    def read(self, raw: Float[Tensor, "*rows outputs"]) -> RowDistribution:
        """Read outputs of the generator.

        Args:
            raw: Means (logits), then raw variances, then factors.

        Returns:
            The distribution of every row.
        """
        p = self.n_columns
        if self.kind == "bernoulli":
            return RowDistribution(raw)
        variance = F.softplus(raw[..., p : 2 * p]) + self.smallest_std**2
        if self.kind == "gaussian":
            return RowDistribution(raw[..., :p], variance)
        factors = raw[..., 2 * p :].unflatten(-1, (p, self.rank))
        return RowDistribution(raw[..., :p], variance, factors * ~self.is_binary[:, None])

    def log_prob(
        self,
        raw: Float[Tensor, "*rows outputs"],
        x: Float[Tensor, "*some p"],
        observed: Bool[Tensor, "*some p"],
    ) -> Float[Tensor, "*rows"]:
        """Compute the log density of the seen cells of every row.

        Args:
            raw: Outputs of the generator; leading dimensions are draws.
            x: Rows; anything finite where not observed.
            observed: True where a value was seen.

        Returns:
            One number for each draw of each row; binary columns count by their probability.
        """
        row = self.read(raw)
        seen = observed.to(x.dtype)
        if row.variance is None:
            return ((x * row.mean - F.softplus(row.mean)) * seen).sum(-1)
        residual = x - row.mean
        if self.has_binary:
            flips = (x * row.mean - F.softplus(row.mean)) * seen
            value = torch.where(self.is_binary, flips, 0.0).sum(-1)
            seen = torch.where(self.is_binary, 0.0, seen)
        else:
            value = 0.0
        precise = seen / row.variance
        terms = residual.square() * precise + seen * (row.variance.log() + _LOG_2PI)
        value = value - 0.5 * terms.sum(-1)
        if row.factors is None:
            return value
        root = _woodbury(row.factors, precise)
        pulled = ((precise * residual)[..., None] * row.factors).sum(-2)
        solved = torch.linalg.solve_triangular(root, pulled[..., None], upper=False)[..., 0]
        log_det = 2 * root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return value + 0.5 * solved.square().sum(-1) - 0.5 * log_det

    def mean(
        self,
        raw: Float[Tensor, "*rows outputs"],
        x: Float[Tensor, "*some p"],
        observed: Bool[Tensor, "*some p"],
    ) -> Float[Tensor, "*rows p"]:
        """Compute the mean of every cell given latents and, in the low-rank case, seen cells.

        Args:
            raw: Outputs of the generator.
            x: Rows.
            observed: True where a value was seen.

        Returns:
            Means; probabilities for binary columns.
        """
        row = self.read(raw)
        mean = row.mean
        if row.factors is not None and row.variance is not None:
            factor_mean, _ = _factor_moments(row, x, observed, self.is_binary)
            mean = mean + (row.factors @ factor_mean[..., None])[..., 0]
        return torch.where(self.is_binary, torch.sigmoid(mean), mean)

    def soft(
        self, raw: Float[Tensor, "*rows outputs"], generator: torch.Generator
    ) -> Float[Tensor, "*rows p"]:
        """Draw every cell in a way that gradients pass; binary columns give probabilities.

        Args:
            raw: Outputs of the generator.
            generator: Source of randomness.

        Returns:
            Rows, differentiable in the outputs.
        """
        row = self.read(raw)
        x = row.mean
        if row.variance is not None:
            x = x + row.variance.sqrt() * torch.empty_like(x).normal_(generator=generator)
        if row.factors is not None:
            noise = torch.empty_like(row.factors[..., :1, :]).normal_(generator=generator)
            x = x + (row.factors * noise).sum(-1)
        return torch.where(self.is_binary, torch.sigmoid(row.mean), x)

    def sample(
        self,
        raw: Float[Tensor, "*rows outputs"],
        x: Float[Tensor, "*some p"],
        observed: Bool[Tensor, "*some p"],
        generator: torch.Generator,
    ) -> Float[Tensor, "*rows p"]:
        """Draw every cell given latents and, in the low-rank case, seen cells.

        Args:
            raw: Outputs of the generator.
            x: Rows.
            observed: True where a value was seen.
            generator: Source of randomness.

        Returns:
            Draws of all cells; those of seen cells are to be ignored.
        """
        row = self.read(raw)
        mean = row.mean
        if row.factors is not None:
            centre, root = _factor_moments(row, x, observed, self.is_binary)
            spread = torch.empty_like(centre).normal_(generator=generator)
            turned = torch.linalg.solve_triangular(root.mT, spread[..., None], upper=True)
            mean = mean + (row.factors @ (centre[..., None] + turned))[..., 0]
        draws = mean
        if row.variance is not None:
            noise = torch.empty_like(mean).normal_(generator=generator)
            draws = mean + row.variance.sqrt() * noise
            if not self.has_binary:
                return draws
        coin = torch.empty_like(mean).uniform_(generator=generator)
        return torch.where(self.is_binary, (coin < torch.sigmoid(mean)).to(mean.dtype), draws)


def _woodbury(factors: Tensor, precise: Tensor) -> Tensor:
    """Compute the Cholesky root of I + U' D^-1 U over the seen cells."""
    inner = factors.mT @ (precise[..., None] * factors)
    inner = inner + torch.eye(inner.shape[-1], dtype=inner.dtype, device=inner.device)
    # Far out, where trajectories diverge, entries overflow: NaN there, which is then refused.
    return torch.linalg.cholesky_ex(inner)[0]


def _factor_moments(
    row: RowDistribution, x: Tensor, observed: Tensor, is_binary: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute mean and root of the precision of the factors s, x = m + U s + noise, given cells."""
    assert row.variance is not None
    assert row.factors is not None
    precise = (observed & ~is_binary).to(x.dtype) / row.variance
    root = _woodbury(row.factors, precise)
    pulled = ((precise * (x - row.mean))[..., None] * row.factors).sum(-2)
    return torch.cholesky_solve(pulled[..., None], root)[..., 0], root
