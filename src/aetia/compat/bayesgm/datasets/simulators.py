"""Simulated tables: the original simulators' numbers for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from aetia.errors import InputError
from aetia.scm.table_designs import (
    heteroskedastic_regression,
    latent_heteroskedastic,
    linear_regression,
    low_rank_table,
)

__all__ = [
    "simulate_heteroskedastic_data",
    "simulate_low_rank_data",
    "simulate_regression",
    "simulate_z_hetero",
]

Matrix = Float[np.ndarray, "n p"]
Column = Float[np.ndarray, " n"]


def simulate_regression(
    n_samples: int,
    n_features: int,
    n_targets: int,
    effective_rank: int | None = None,
    variance: Any = None,
    random_state: int = 123,
) -> tuple[Matrix, Float[np.ndarray, "n k"]]:
    """Draw targets that are linear in the inputs.

    Args:
        n_samples: Rows.
        n_features: Inputs.
        n_targets: Targets.
        effective_rank: Approximate rank of the inputs; None for independent normal ones.
        variance: Variance of the noise of each row; None for 0.01 times the row's mean square.
        random_state: Seed.

    Returns:
        Inputs and targets.
    """
    rng = np.random.RandomState(random_state)
    inputs = None
    if effective_rank is not None:
        from sklearn.datasets import make_low_rank_matrix

        inputs = 100 * make_low_rank_matrix(
            n_samples=n_samples,
            n_features=n_features,
            effective_rank=effective_rank,
            random_state=random_state,
        )
    given = None if variance is None else np.asarray(variance, np.float64)
    found = linear_regression(n_samples, n_features, n_targets, rng, inputs=inputs, variance=given)
    return found.inputs, found.outcome


def simulate_low_rank_data(
    n_samples: int = 10000,
    z_dim: int = 2,
    x_dim: int = 4,
    rank: int = 2,
    sigma_z: bool = False,
    random_state: int = 123,
) -> tuple[Matrix, Float[np.ndarray, "n k"]]:
    """Draw four columns of two latents with correlated noise.

    Args:
        n_samples: Rows.
        z_dim: Latents; only 2.
        x_dim: Columns; only 4.
        rank: Has no effect, as in the original; the correlated noise has rank 2.
        sigma_z: Whether the first latent scales the noise.
        random_state: Seed.

    Returns:
        Columns and latents, float32.
    """
    del rank
    if (z_dim, x_dim) != (2, 4):
        raise InputError(
            f"simulate_low_rank_data has 2 latents and 4 columns, got {z_dim} and {x_dim}; the "
            "original fails for other numbers too."
        )
    table = low_rank_table(n_samples, np.random.RandomState(random_state), scale_by_latent=sigma_z)
    return table.values.astype(np.float32), table.latents.astype(np.float32)


def simulate_heteroskedastic_data(
    n: int = 1000, d: int = 5, seed: int = 42
) -> tuple[Matrix, Column, Column]:
    """Draw an outcome whose spread waves with the second input.

    Args:
        n: Rows.
        d: Inputs.
        seed: Seed.

    Returns:
        Inputs, outcome, and the standard deviation of its noise.
    """
    found = heteroskedastic_regression(n, d, np.random.RandomState(seed))
    return found.inputs, found.outcome, found.std


def simulate_z_hetero(
    n: int = 20000, k: int = 3, d: int = 19, seed: int = 42
) -> tuple[Matrix, Column]:
    """Draw noisy projections of latents, and an outcome whose mean and spread depend on them.

    Args:
        n: Rows.
        k: Latents.
        d: Inputs.
        seed: Seed.

    Returns:
        Inputs and outcome.
    """
    found = latent_heteroskedastic(n, k, d, np.random.RandomState(seed))
    return found.inputs, found.outcome
