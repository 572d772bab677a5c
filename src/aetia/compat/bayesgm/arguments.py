"""Checks of what methods are called with, shared by all models."""

from __future__ import annotations

import numbers
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from aetia.errors import InputError

__all__ = ["Triplet", "check_alpha", "check_count", "read_doses", "read_matrix", "read_triplet"]


class Triplet(NamedTuple):
    """Treatment, outcome and covariates, in the original's order."""

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    v: Float[np.ndarray, "n p"]


def check_count(name: str, value: Any, *, least: int = 1) -> int:
    """Refuse what is no whole number.

    Args:
        name: Name of the argument, for messages.
        value: What was passed.
        least: Smallest allowed value.

    Returns:
        The number.

    Raises:
        InputError: Naming argument and value.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise InputError(f"{name} must be an integer of at least {least}, got {value!r}.")
    return int(value)


def check_alpha(alpha: Any) -> float:
    """Refuse what is no significance level.

    Args:
        alpha: Probability outside of an interval.

    Returns:
        The number.

    Raises:
        InputError: If it is not strictly between 0 and 1.
    """
    if not isinstance(alpha, numbers.Real) or not 0 < float(alpha) < 1:
        raise InputError(
            f"the significance level alpha must be greater than 0 and less than 1, got {alpha!r}."
        )
    return float(alpha)


def read_doses(x_values: Any) -> Float[np.ndarray, " k"]:
    """Read treatment values.

    Args:
        x_values: One number or many.

    Returns:
        All of them.

    Raises:
        InputError: If there are none: a continuous treatment has no default.
    """
    if x_values is None:
        raise InputError(
            "for continuous treatment x_values must not be None; pass a list of treatment values, "
            "or one value."
        )
    doses = np.atleast_1d(np.asarray(x_values, dtype=np.float64)).ravel()
    if not len(doses) or not np.isfinite(doses).all():
        raise InputError(f"x_values must be finite numbers, got {x_values!r}.")
    return doses


def read_matrix(
    data: Any, name: str, n_columns: int, *, missing: bool = False
) -> Float[np.ndarray, "n p"]:
    """Read rows.

    Args:
        data: An array or a frame.
        name: Name of the argument, for messages.
        n_columns: How many are expected.
        missing: Whether NaN is allowed.

    Returns:
        The rows.

    Raises:
        InputError: If shape or values cannot be used.
    """
    try:
        matrix = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers: {error}") from error
    if matrix.ndim != 2 or matrix.shape[1] != n_columns or not len(matrix):
        raise InputError(
            f"{name} must have shape (n, {n_columns}) as in params, got {matrix.shape}."
        )
    bad = np.isinf(matrix) if missing else ~np.isfinite(matrix)
    if bad.any():
        raise InputError(
            f"{name} has {int(bad.sum())} cells that are {'' if missing else 'missing or '}"
            "infinite."
        )
    return matrix


def read_triplet(data: Any, v_dim: int) -> Triplet:
    """Read ``(data_x, data_y, data_v)``.

    Args:
        data: The three arrays; columns may be flat.
        v_dim: Number of covariates.

    Returns:
        The study.

    Raises:
        InputError: If a part is missing or has another shape.
    """
    if not isinstance(data, (tuple, list)) or len(data) != 3:
        raise InputError("data must be a triplet (data_x, data_y, data_v).")
    v = read_matrix(data[2], "data_v", v_dim, missing=True)
    columns = []
    for name, part in (("data_x", data[0]), ("data_y", data[1])):
        part = np.asarray(part)
        column = read_matrix(part.reshape(len(part), -1) if part.ndim else part, name, 1)[:, 0]
        if len(column) != len(v):
            raise InputError(f"{name} has {len(column)} rows, data_v has {len(v)}.")
        columns.append(column)
    return Triplet(columns[0], columns[1], v)
