r"""The likelihood of held-out rows, and means of their latents, by importance sampling.

The proposal is adapted to each row: a first set of draws from the defensive proposal gives the
moments of p(z | seen cells), a multivariate Student distribution with these moments a better set,
and so on; a last set, mixed with the prior, estimates

.. math:: \log p(x_{seen}) = \log E_q \frac{p(x_{seen} \mid z) p(z)}{q(z)}

All rows use the same random numbers, so the answer for a row does not depend on its neighbours.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.generation.bgm.latent_distribution import DefensiveProposal, log_prior
from aetia.generation.bgm.latent_posterior import RowPosterior

__all__ = ["Evidence", "evidence"]

_DEGREES_OF_FREEDOM = 5
_PRIOR_SHARE = 0.1


class Evidence(NamedTuple):
    """What importance sampling says about every row."""

    log_likelihood: Float[Tensor, " n"]
    latent_mean: Float[Tensor, "n k"]
    ess: Float[Tensor, " n"]
    """Effective number of draws; few means that the estimates are unreliable."""


class _Student(NamedTuple):
    """A multivariate Student distribution for each row, mixed with the prior."""

    mean: Float[Tensor, "n k"]
    root: Float[Tensor, "n k k"]

    def sample(self, normal: Tensor, chi: Tensor) -> Tensor:
        n_prior = round(len(normal) * _PRIOR_SHARE)
        scaled = normal[n_prior:] / (chi[n_prior:] / _DEGREES_OF_FREEDOM).sqrt()
        moved = self.mean + (self.root @ scaled.expand(-1, len(self.mean), -1)[..., None])[..., 0]
        return torch.cat([normal[:n_prior].expand(-1, len(self.mean), -1), moved])

    def log_prob(self, z: Tensor) -> Tensor:
        k = z.shape[-1]
        standard = torch.linalg.solve_triangular(
            self.root, (z - self.mean)[..., None], upper=False
        )[..., 0]
        constant = (
            math.lgamma((_DEGREES_OF_FREEDOM + k) / 2)
            - math.lgamma(_DEGREES_OF_FREEDOM / 2)
            - 0.5 * k * math.log(_DEGREES_OF_FREEDOM * math.pi)
        )
        log_det = self.root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        tail = (1 + standard.square().sum(-1) / _DEGREES_OF_FREEDOM).log()
        student = constant - log_det - 0.5 * (_DEGREES_OF_FREEDOM + k) * tail
        share = _PRIOR_SHARE
        return torch.logaddexp(student + math.log1p(-share), log_prior(z) + math.log(share))


def evidence(
    posterior: RowPosterior,
    proposal: DefensiveProposal,
    n_draws: int,
    generator: torch.Generator,
    *,
    n_rounds: int = 3,
) -> Evidence:
    """Estimate the likelihood of every row.

    Args:
        posterior: Posterior of the rows, without a model of missingness.
        proposal: First proposal.
        n_draws: Draws of the last round; earlier ones use as many.
        generator: Source of randomness.
        n_rounds: Adaptations of the proposal.

    Returns:
        Log likelihoods of the seen cells in the units of the model, means of z, and effective
        numbers of draws.
    """
    with torch.no_grad():
        z = proposal.sample(n_draws, generator, shared=True)
        weights = posterior.log_density(z) - proposal.log_prob(z)
        for _ in range(n_rounds):
            student = _matched(z, weights, proposal)
            options = {"generator": generator, "device": z.device, "dtype": z.dtype}
            normal = torch.randn(n_draws, 1, z.shape[-1], **options)
            # A chi-square variable with 5 degrees of freedom is a sum of 5 squares.
            squares = torch.randn(n_draws, 1, _DEGREES_OF_FREEDOM, **options)
            z = student.sample(normal, squares.square().sum(-1, keepdim=True))
            weights = posterior.log_density(z) - student.log_prob(z)
        total = weights.logsumexp(0)
        chances = (weights - total).exp()
        mean = (chances[..., None] * z).sum(0)
        return Evidence(total - math.log(n_draws), mean, 1 / chances.square().sum(0))


def _matched(z: Tensor, weights: Tensor, proposal: DefensiveProposal) -> _Student:
    """Fit a Student distribution to weighted draws; rows with few effective ones keep the guess."""
    chances = torch.softmax(weights, 0)
    mean = (chances[..., None] * z).sum(0)
    gaps = z - mean
    covariance = torch.einsum("sn,sni,snj->nij", chances, gaps, gaps)
    ess = 1 / chances.square().sum(0)
    k = z.shape[-1]
    trust = (ess / (ess + k))[:, None, None]
    guess = torch.diag_embed(proposal.guess.std.square())
    covariance = trust * covariance + (1 - trust) * guess
    ridge = 1e-8 + 1e-5 * covariance.diagonal(dim1=-2, dim2=-1)
    return _Student(mean, torch.linalg.cholesky(covariance + torch.diag_embed(ridge)))
