r"""Simulated tables with a known distribution, for imputation and generation.

Draws follow the order of the original simulators: a ``RandomState`` with their seed gives their
numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit

from aetia.errors import InputError

__all__ = [
    "LatentTable",
    "Regression",
    "heteroskedastic_regression",
    "latent_heteroskedastic",
    "linear_regression",
    "low_rank_table",
    "missing_cells",
    "mixture_table",
    "nonlinear_factors",
    "swiss_roll",
]

Rng = np.random.Generator | np.random.RandomState

LOADINGS = np.array([[1.0, -0.5], [0.3, 0.8], [-0.7, 0.2], [0.5, 1.0]])
OFFSET = np.array([0.0, 0.5, 1.0, 2.0])
FACTORS = np.array([[0.25, 0.0], [0.25, 0.0], [0.0, 0.25], [0.0, 0.25]])
DIAGONAL = np.array([0.1, 0.1, 0.2, 0.2])
"""The four columns of :func:`low_rank_table`."""


class LatentTable(NamedTuple):
    """A table and the latents behind it."""

    values: Float[np.ndarray, "n p"]
    latents: Float[np.ndarray, "n k"]


class Regression(NamedTuple):
    """Inputs, an outcome, and the distribution of the outcome at each row."""

    inputs: Float[np.ndarray, "n d"]
    outcome: Float[np.ndarray, " n *k"]
    mean: Float[np.ndarray, " n *k"]
    std: Float[np.ndarray, " n *k"]


def low_rank_table(n: int, rng: Rng, *, scale_by_latent: bool = False) -> LatentTable:
    r"""Draw four columns :math:`x \sim N(A z + b, D + W W')` of two latents.

    Args:
        n: Rows.
        rng: Source of randomness.
        scale_by_latent: Multiply the noise of each row by its first latent.

    Returns:
        The table. Without scaling it is normal with mean b and covariance A A' + D + W W'.
    """
    z = _normal(rng, (n, 2)).astype(np.float32).astype(np.float64)
    covariance = np.diag(DIAGONAL) + FACTORS @ FACTORS.T
    # One root for all rows: the root of a multiple has the same directions.
    _, squares, directions = np.linalg.svd(covariance)
    noise = (_normal(rng, (n, 4)) * np.sqrt(squares)) @ directions
    size = np.abs(z[:, :1]) if scale_by_latent else 1.0
    return LatentTable(z @ LOADINGS.T + OFFSET + size * noise, z)


def heteroskedastic_regression(n: int, d: int, rng: Rng) -> Regression:
    """Draw an outcome ``x1 + s(x2) noise`` whose spread waves with the second input.

    Args:
        n: Rows.
        d: Inputs, at least 2.
        rng: Source of randomness.

    Returns:
        Standard normal inputs; s is 0.1 below -2, 2 above 2, and 0.5 + 0.5 sin(2 pi x2) between.
    """
    x = _normal(rng, (n, d))
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * x[:, 1])
    std = np.where(x[:, 1] < -2, 0.1, np.where(x[:, 1] > 2, 2.0, wave))
    return Regression(x, x[:, 0] + _normal(rng, n) * std, x[:, 0], std)


def latent_heteroskedastic(n: int, k: int, d: int, rng: Rng) -> Regression:
    r"""Draw noisy projections of k latents and an outcome whose mean and spread depend on them.

    .. math:: x = 0.2 z A' + 0.1 \epsilon, \quad
              y = \sin(z w) + (0.1 + 0.5 \sigma(z u)) \epsilon

    Args:
        n: Rows.
        k: Latents.
        d: Inputs.
        rng: Source of randomness, also of A, w and u (standard normal).

    Returns:
        Inputs and outcome, with the distribution of the outcome given the latents.
    """
    z, a = _normal(rng, (n, k)), _normal(rng, (d, k))
    x = 0.2 * z @ a.T + 0.1 * _normal(rng, (n, d))
    w, u = _normal(rng, k), _normal(rng, k)
    mean, std = np.sin(z @ w), 0.1 + 0.5 * expit(z @ u)
    return Regression(x, mean + std * _normal(rng, n), mean, std)


def linear_regression(
    n: int,
    d: int,
    n_targets: int,
    rng: Rng,
    *,
    inputs: Float[np.ndarray, "n d"] | None = None,
    variance: Float[np.ndarray, " n"] | None = None,
) -> Regression:
    """Draw targets that are linear in the inputs, with small positive coefficients.

    Args:
        n: Rows.
        d: Inputs.
        n_targets: Targets.
        rng: Source of randomness.
        inputs: Given inputs; None for standard normal ones.
        variance: Variance of the noise of each row; None for 0.01 times the row's mean square.

    Returns:
        Inputs and targets; coefficients and intercepts are 0.1 times uniform numbers.
    """
    x = rng.normal(size=(n, d)) if inputs is None else inputs
    beta = 0.1 * rng.uniform(low=0.0, high=1.0, size=(1 + d, n_targets))
    mean = np.column_stack([np.ones(n), x]) @ beta
    spread = 0.01 * np.mean(x**2, axis=1) if variance is None else np.asarray(variance)
    std = np.tile(np.sqrt(spread)[:, None], (1, n_targets))
    return Regression(x, rng.normal(loc=mean, scale=std), mean, std)


def swiss_roll(
    n: int, rng: Rng, *, turns: float = 2 * np.pi, noise_std: float = 0.4
) -> LatentTable:
    """Draw points along the spiral ``(r sin 2r, r cos 2r)``.

    Args:
        n: Rows.
        rng: Source of randomness.
        turns: Largest r; the n values of r are evenly spaced.
        noise_std: Standard deviation of the noise in both columns.

    Returns:
        Shuffled points, with r as the latent.
    """
    r = np.linspace(0, turns, n)
    x = np.column_stack([r * np.sin(2 * r), r * np.cos(2 * r)])
    x = x + rng.normal(0, noise_std, size=(n, 2))
    order = np.arange(n)
    rng.shuffle(order)
    return LatentTable(x[order], r[order, None])


def mixture_table(
    n: int, d: int, n_components: int, rng: Rng, *, noise_std: float = 0.2, bound: float = 1.0
) -> LatentTable:
    """Draw columns that are independent mixtures of normals with evenly spaced centres.

    Args:
        n: Rows.
        d: Columns.
        n_components: Components of every column, equally probable.
        rng: Source of randomness.
        noise_std: Standard deviation of each component.
        bound: Centres lie in ``[-bound, bound]``.

    Returns:
        The table, with the index of the component of every cell.
    """
    centres = np.linspace(-bound, bound, n_components)
    columns, which = [], []
    for _ in range(d):
        k = rng.choice(n_components, size=n, replace=True)
        which.append(k)
        columns.append(rng.normal(centres[k], noise_std))
    return LatentTable(np.column_stack(columns), np.column_stack(which).astype(np.float64))


def nonlinear_factors(n: int, d: int, k: int, rng: Rng, *, noise_std: float = 0.3) -> LatentTable:
    r"""Draw nonlinear functions of k latents: :math:`\tanh(z A) + 0.5 \sin(z B) + \epsilon`.

    Args:
        n: Rows.
        d: Columns.
        k: Latents.
        rng: Source of randomness, also of A and B (normal, standard deviation 1.5).
        noise_std: Standard deviation of the noise in every column.

    Returns:
        The table and its latents.
    """
    z = _normal(rng, (n, k))
    a, b = 1.5 * _normal(rng, (k, d)), 1.5 * _normal(rng, (k, d))
    x = np.tanh(z @ a) + 0.5 * np.sin(z @ b)
    return LatentTable(x + noise_std * _normal(rng, (n, d)), z)


def missing_cells(
    values: Float[np.ndarray, "n p"], share: float, rng: Rng, mechanism: str = "mcar"
) -> Bool[np.ndarray, "n p"]:
    """Choose cells to hide, the same share of every column on average.

    Args:
        values: A complete table.
        share: Share of the cells that are hidden, from 0 to below 1.
        rng: Source of randomness.
        mechanism: ``"mcar"``: at random. ``"mar"``: the first half of the columns is always seen,
            and the others are hidden more often (odds e per standard deviation) where the mean of
            the first is large. ``"mnar"``: cells are hidden more often where they themselves are
            large.

    Returns:
        True where a cell is hidden. With ``"mar"`` the share is that of the columns that can be.

    Raises:
        InputError: If the share or the mechanism makes no sense.
    """
    if not 0 <= share < 1:
        raise InputError(f"share must lie in [0, 1), got {share!r}.")
    if mechanism not in ("mcar", "mar", "mnar"):
        raise InputError(f"mechanism={mechanism!r} is not one of mcar, mar, mnar.")
    n, p = values.shape
    if mechanism == "mcar":
        return rng.uniform(size=(n, p)) < share
    standard = (values - values.mean(0)) / values.std(0)
    if mechanism == "mnar":
        return rng.uniform(size=(n, p)) < _with_mean(standard, share)
    seen = -(-p // 2)
    drive = standard[:, :seen].mean(1)
    odds = np.repeat((drive / drive.std())[:, None], p, axis=1)
    hidden = rng.uniform(size=(n, p)) < _with_mean(odds, share)
    hidden[:, :seen] = False
    return hidden


def _with_mean(log_odds: np.ndarray, share: float) -> np.ndarray:
    """Shift the log-odds of every column until its probabilities average to the share."""
    if share == 0:
        return np.zeros_like(log_odds)
    low, high = np.full(log_odds.shape[1], -30.0), np.full(log_odds.shape[1], 30.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = expit(log_odds + middle).mean(0) > share
        high, low = np.where(above, middle, high), np.where(above, low, middle)
    return expit(log_odds + (low + high) / 2)


def _normal(rng: Rng, size: int | tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=size)
