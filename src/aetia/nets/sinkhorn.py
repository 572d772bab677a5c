"""Random permutations by Gumbel-Sinkhorn (Mena et al., 2018)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

__all__ = ["gumbel_sinkhorn", "log_sinkhorn", "standard_gumbel"]


def log_sinkhorn(
    log_scores: Float[Tensor, "*batch d d"], *, n_iterations: int, tolerance: float = 1e-6
) -> Float[Tensor, "*batch d d"]:
    """Normalise rows and columns in turn, until both sum to one.

    Args:
        log_scores: Logs of positive matrices.
        n_iterations: Most rounds of normalising rows, then columns.
        tolerance: Stop when every row sum is within this of 1, the column sums being exact.

    Returns:
        Logs of (nearly) doubly stochastic matrices, in float32 or better.
    """
    x = log_scores if log_scores.dtype == torch.float64 else log_scores.float()
    for _ in range(n_iterations):
        x = x - x.logsumexp(-1, keepdim=True)
        x = x - x.logsumexp(-2, keepdim=True)
        if float((x.detach().logsumexp(-1)).abs().max()) < tolerance:
            break
    return x


def gumbel_sinkhorn(
    log_scores: Float[Tensor, "*batch d d"],
    *,
    generator: torch.Generator,
    temperature: float = 1.0,
    n_iterations: int = 1000,
    tolerance: float = 1e-6,
) -> Float[Tensor, "*batch d d"]:
    """Draw permutation matrices with a straight-through gradient.

    The hard permutation maximises the noisy scores (Hungarian algorithm, on the CPU); its gradient
    is that of the Sinkhorn relaxation.

    Args:
        log_scores: ``[i, m]``: how much variable i belongs in position m.
        generator: Source of the Gumbel noise, on the CPU.
        temperature: Divides the noisy scores in the relaxation; a smaller one brings its gradient
            closer to that of a permutation, and makes it vary more.
        n_iterations: Most Sinkhorn rounds.
        tolerance: Rounds stop when every row sum is within this of 1.

    Returns:
        Permutation matrices ``[i, m]``.
    """
    if log_scores.dtype != torch.float64:
        log_scores = log_scores.float()
    noisy = log_scores + standard_gumbel(log_scores.shape, generator).to(log_scores)
    hard = _assignments(noisy.detach())
    if not log_scores.requires_grad:
        return hard
    soft = log_sinkhorn(noisy / temperature, n_iterations=n_iterations, tolerance=tolerance).exp()
    return hard - soft.detach() + soft


def standard_gumbel(shape: torch.Size, generator: torch.Generator) -> Float[Tensor, "*shape"]:
    """Draw standard Gumbel noise in float32.

    Args:
        shape: Shape of the result.
        generator: Source of randomness; the noise is on its device.

    Returns:
        Finite noise.
    """
    u = torch.rand(shape, generator=generator, device=generator.device)
    tiny = torch.finfo(u.dtype).tiny
    return -(-(u.clamp_min(tiny).log())).clamp_min(tiny).log()


def _assignments(scores: Tensor) -> Tensor:
    """Solve one assignment problem for each matrix."""
    flat = scores.flatten(0, -3).cpu().numpy() if scores.ndim > 2 else scores.cpu().numpy()[None]
    columns = np.stack([linear_sum_assignment(s, maximize=True)[1] for s in flat])
    at = torch.from_numpy(columns).to(scores.device).view(*scores.shape[:-1], 1)
    return torch.zeros_like(scores).scatter_(-1, at, 1.0)
