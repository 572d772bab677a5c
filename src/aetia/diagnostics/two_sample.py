"""How far two samples are apart: unbiased statistics, zero on average for equal distributions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "energy_distance",
    "frechet_distance",
    "frechet_of_moments",
    "median_bandwidth",
    "mmd_squared",
    "sliced_wasserstein",
]

_CHUNK = 2048
"""Rows whose distances to all others are held at once."""


def _pair_means(
    a: Float[Tensor, " n d"],
    b: Float[Tensor, " k d"],
    kernel: Callable[[Tensor], Tensor],
    *,
    same: bool,
) -> float:
    """Average a function of squared distances over pairs of distinct points."""
    total = 0.0
    for part in a.split(_CHUNK):
        squares = torch.cdist(part, b, compute_mode="donot_use_mm_for_euclid_dist").square()
        total += float(kernel(squares).sum())
    if not same:
        return total / (len(a) * len(b))
    diagonal = float(kernel(a.new_zeros(())))
    return (total - len(a) * diagonal) / (len(a) * (len(a) - 1))


def mmd_squared(
    a: Float[Tensor, " n d"], b: Float[Tensor, " k d"], bandwidth: float = 1.0
) -> float:
    """Estimate the squared maximum mean discrepancy under an RBF kernel (Gretton et al., 2012).

    Args:
        a: One sample.
        b: The other.
        bandwidth: Length scale s of the kernel exp(-d^2 / (2 s^2)), in the units of the samples.

    Returns:
        An unbiased estimate, which may be negative.
    """
    a, b = a.double(), b.double()

    def kernel(squares: Tensor) -> Tensor:
        return torch.exp(-squares / (2 * bandwidth**2))

    within = _pair_means(a, a, kernel, same=True) + _pair_means(b, b, kernel, same=True)
    return within - 2 * _pair_means(a, b, kernel, same=False)


def energy_distance(a: Float[Tensor, " n d"], b: Float[Tensor, " k d"]) -> float:
    """Estimate twice the mean distance between the samples less those within (Szekely & Rizzo).

    Args:
        a: One sample.
        b: The other.

    Returns:
        An unbiased estimate, which may be negative.
    """
    a, b = a.double(), b.double()
    within = _pair_means(a, a, torch.sqrt, same=True) + _pair_means(b, b, torch.sqrt, same=True)
    return 2 * _pair_means(a, b, torch.sqrt, same=False) - within


def median_bandwidth(sample: Float[Tensor, " n d"], n_points: int = 1000) -> float:
    """Choose a bandwidth: the median distance of points (Gretton et al., 2012).

    Args:
        sample: Reference points.
        n_points: Most points that are compared; of a larger sample they are taken at equal
            intervals.

    Returns:
        A positive number; 1 if most points coincide.
    """
    some = sample[torch.linspace(0, len(sample) - 1, min(len(sample), n_points)).long()].double()
    median = float(torch.pdist(some).median())
    return median if median > 0 else 1.0


def sliced_wasserstein(
    a: Float[Tensor, " n d"],
    b: Float[Tensor, " k d"],
    generator: torch.Generator,
    n_directions: int = 256,
) -> float:
    """Estimate the sliced 2-Wasserstein distance (Bonneel et al., 2015).

    Args:
        a: One sample.
        b: The other.
        generator: Source of the random directions.
        n_directions: Lines onto which both are projected.

    Returns:
        Root mean squared distance of quantiles over the lines.
    """
    directions = torch.randn(
        (a.shape[1], n_directions), generator=generator, dtype=torch.float64, device=a.device
    )
    directions = directions / directions.norm(dim=0)
    shares = (torch.arange(512, dtype=torch.float64, device=a.device) + 0.5) / 512
    one, other = (torch.quantile(x.double() @ directions, shares, dim=0) for x in (a, b))
    return float((one - other).square().mean().sqrt())


def frechet_distance(a: Float[np.ndarray, " n d"], b: Float[np.ndarray, " k d"]) -> float:
    r"""Compute the Frechet distance of normal distributions with the samples' moments.

    .. math:: |\mu_a - \mu_b|^2 + \mathrm{tr}(\Sigma_a + \Sigma_b
              - 2 (\Sigma_a^{1/2} \Sigma_b \Sigma_a^{1/2})^{1/2})

    Args:
        a: Features of one sample; at least twice as many rows as columns, or it is far too large.
        b: Features of the other sample.

    Returns:
        A non-negative number.
    """
    moments = [(x.mean(0), np.atleast_2d(np.cov(x, rowvar=False))) for x in (a, b)]
    (mean_a, cov_a), (mean_b, cov_b) = moments
    return frechet_of_moments(mean_a, cov_a, mean_b, cov_b)


def frechet_of_moments(
    mean_a: Float[np.ndarray, " d"],
    cov_a: Float[np.ndarray, " d d"],
    mean_b: Float[np.ndarray, " d"],
    cov_b: Float[np.ndarray, " d d"],
) -> float:
    """Compute the Frechet distance of two normal distributions.

    Args:
        mean_a: Mean of the first distribution.
        cov_a: Its covariance.
        mean_b: Mean of the second distribution.
        cov_b: Its covariance.

    Returns:
        A non-negative number.
    """
    values, vectors = np.linalg.eigh((cov_a + cov_a.T) / 2)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    inner = root @ ((cov_b + cov_b.T) / 2) @ root
    cross = np.sqrt(np.linalg.eigvalsh((inner + inner.T) / 2).clip(min=0)).sum()
    gap = float(((mean_a - mean_b) ** 2).sum())
    return max(gap + float(np.trace(cov_a) + np.trace(cov_b) - 2 * cross), 0.0)
