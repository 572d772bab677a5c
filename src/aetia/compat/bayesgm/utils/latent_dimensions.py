"""How many latents each role needs, by the original's rule.

The rule of :mod:`aetia.effects.causalbgm.latent_dimensions` cuts slices of equal size; here equal
targets stay together, so that a binary treatment gives two slices, as in the original.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from aetia.errors import InputError

__all__ = ["estimate_latent_dims", "get_SDR_dim", "slice_y"]


def estimate_latent_dims(
    x: Any,
    y: Any,
    v: Any,
    v_ratio: float = 0.7,
    z0_dim: int = 3,
    max_total_dim: int = 64,
    min_z3_dim: int = 3,
) -> list[int]:
    """Choose ``z_dims`` by sliced inverse regression and principal components.

    Args:
        x: Treatment.
        y: Outcome.
        v: Covariates.
        v_ratio: Share of the covariates' variance that all latents should explain.
        z0_dim: Latents that confound.
        max_total_dim: Bound of their number.
        min_z3_dim: Lower bound of the last entry.

    Returns:
        ``[z0, z1, z2, z3]``.
    """
    covariates = np.asarray(v, np.float64)
    sd = covariates.std(0)
    standard = (covariates - covariates.mean(0)) / np.where(sd > 0, sd, 1.0)
    z1, z2 = get_SDR_dim(standard, y), get_SDR_dim(standard, x)
    variances = np.linalg.svd(standard, compute_uv=False) ** 2
    total = min(_enough(variances, v_ratio), max_total_dim)
    return [z0_dim, z1, z2, max(total - z0_dim - z1 - z2, min_z3_dim)]


def get_SDR_dim(X: Any, y: Any, n_slices: int = 10, ratio: float = 0.8) -> int:  # noqa: N802
    """Estimate the dimension of what a target depends on, by sliced inverse regression.

    Args:
        X: Inputs.
        y: Target.
        n_slices: Groups of rows with neighbouring targets.
        ratio: Share of the variance between the groups' means that must be explained.

    Returns:
        A number of directions.
    """
    inputs, target = np.asarray(X, np.float64), _column(y, "y")
    root, _ = np.linalg.qr(inputs - inputs.mean(0))
    white = root[np.argsort(target, kind="stable")] * np.sqrt(len(inputs))
    labels, sizes = slice_y(target, n_slices)
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    means = np.add.reduceat(white, starts) / np.sqrt(sizes[:, None] * len(inputs))
    return _enough(np.linalg.svd(means, compute_uv=False) ** 2, ratio)


def slice_y(
    y: Any, n_slices: int = 10
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n_slices"]]:
    """Cut sorted targets into slices; equal targets stay together.

    Args:
        y: Targets.
        n_slices: How many slices, at most one for each distinct value.

    Returns:
        The slice of every row *in sorted order*, and the size of every slice.

    Raises:
        InputError: If all targets are the same.
    """
    _, counts = np.unique(_column(y, "y"), return_counts=True)
    if len(counts) == 1:
        raise InputError("the target has one value only; there is nothing to slice.")
    ends, n = np.cumsum(counts), int(counts.sum())
    if n_slices >= len(counts):
        starts = ends[:-1]
    else:
        size, starts, seen = n // n_slices, [], 0
        while True:
            # The first group of equal targets that completes the slice closes it.
            seen = int(ends[min(np.searchsorted(ends, seen + size), len(ends) - 1)])
            if seen >= n - 2:
                break
            starts.append(seen)
    labels = np.zeros(n, dtype=np.int64)
    labels[np.asarray(starts, dtype=np.int64)] = 1
    labels = np.cumsum(labels)
    return labels, np.bincount(labels)


def _enough(variances: Float[np.ndarray, " k"], share: float) -> int:
    """Count the largest variances that make up a share of their sum."""
    explained = np.cumsum(variances) / variances.sum()
    return int(min(np.searchsorted(explained, share), len(variances) - 1) + 1)


def _column(values: Any, name: str) -> Float[np.ndarray, " n"]:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1 or not len(column):
        raise InputError(f"{name} must be one column, got an array of shape {column.shape}.")
    return column
