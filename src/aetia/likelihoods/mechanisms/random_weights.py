"""Gamma and Dirichlet draws from an explicit generator of torch."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["bootstrap_weights", "standard_gamma"]


def standard_gamma(
    shape: Float[Tensor, "*batch"], generator: torch.Generator
) -> Float[Tensor, "*batch"]:
    """Draw standard gamma variables; torch draws them from its global generator only.

    Args:
        shape: Shape parameters.
        generator: Source of randomness, advanced by one draw.

    Returns:
        One draw for each entry.
    """
    seed = int(torch.randint(2**62, (1,), generator=generator))
    rng = np.random.Generator(np.random.PCG64(seed))
    return torch.from_numpy(np.asarray(rng.standard_gamma(shape.numpy())))


def bootstrap_weights(
    n_draws: int, counts: Float[Tensor, " values"], generator: torch.Generator
) -> Float[Tensor, "draws values"]:
    """Draw weights, Dirichlet in the counts: the Bayesian bootstrap (Rubin, 1981) of rows.

    Args:
        n_draws: Number of weight vectors.
        counts: Rows behind each value; all 1 for the rows themselves.
        generator: Source of randomness.

    Returns:
        Weights that sum to one in every draw.
    """
    if bool((counts == 1).all()):
        weights = torch.empty(n_draws, len(counts), dtype=torch.float64)
        weights.exponential_(generator=generator)
    else:
        weights = standard_gamma(counts.expand(n_draws, -1), generator)
    return weights / weights.sum(-1, keepdim=True)
