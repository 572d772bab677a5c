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
    n_draws: int, n_rows: int, generator: torch.Generator
) -> Float[Tensor, "draws rows"]:
    """Draw weights of rows, uniform on the simplex: the Bayesian bootstrap (Rubin, 1981).

    Args:
        n_draws: Number of weight vectors.
        n_rows: Number of rows.
        generator: Source of randomness.

    Returns:
        Weights that sum to one in every draw.
    """
    weights = torch.empty(n_draws, n_rows, dtype=torch.float64)
    weights.exponential_(generator=generator)
    return weights / weights.sum(-1, keepdim=True)
