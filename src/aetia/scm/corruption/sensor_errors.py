"""Errors of readings, one sensor at a time: response, noise, outliers, drift."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from aetia.scm.corruption.options import Nonlinear, Outliers

__all__ = ["DRIFT_MEMORY", "curve_coefficients", "curved", "drift_path", "noise", "outliers"]

DRIFT_MEMORY = 0.95
"""What is left of a drift one step later."""


def curve_coefficients(
    options: Nonlinear, generator: np.random.Generator
) -> Float[np.ndarray, " powers"]:
    """Draw the coefficients of a curved response.

    Args:
        options: Degree and size.
        generator: Source of randomness of this sensor.

    Returns:
        Those of z^2, z^3, ...
    """
    powers = np.arange(2, options.degree + 1)
    return generator.normal(size=len(powers)) * options.size / powers


def curved(
    z: Float[np.ndarray, "*batch"], coefficients: Float[np.ndarray, " powers"]
) -> Float[np.ndarray, "*batch"]:
    """Sum the powers of a standardised value.

    Args:
        z: Standardised true values.
        coefficients: Coefficients of z^2, z^3, ...

    Returns:
        What is added, in standard deviations.
    """
    total = np.zeros_like(z)
    for power, coefficient in enumerate(coefficients, start=2):
        total += coefficient * z**power
    return total


def noise(
    z: Float[np.ndarray, "*batch"],
    size: float,
    generator: np.random.Generator,
    *,
    heteroscedastic: bool,
) -> Float[np.ndarray, "*batch"]:
    """Draw independent normal errors.

    Args:
        z: Standardised true values.
        size: Spread, in standard deviations of the sensor.
        generator: Source of randomness of this sensor.
        heteroscedastic: Whether the spread is multiplied by ``1 + |z|``.

    Returns:
        What is added, in standard deviations.
    """
    errors = size * generator.normal(size=z.shape)
    return errors * (1 + np.abs(z)) if heteroscedastic else errors


def outliers(
    shape: tuple[int, ...], options: Outliers, generator: np.random.Generator
) -> tuple[Float[np.ndarray, "*batch"], Bool[np.ndarray, "*batch"]]:
    """Draw large errors of single readings, uniform up to their size, up or down.

    Args:
        shape: Shape of the readings of this sensor.
        options: Rate and size.
        generator: Source of randomness of this sensor.

    Returns:
        What is added, in standard deviations, and where.
    """
    hit = generator.random(shape) < options.rate
    size = options.size * generator.uniform(-1.0, 1.0, shape)
    return np.where(hit, size, 0.0), hit


def drift_path(
    n_steps: int, size: float, generator: np.random.Generator
) -> Float[np.ndarray, " n_steps"]:
    """Draw one slow error over a whole recording, from zero.

    Args:
        n_steps: Steps of the recording.
        size: Spread of its innovations, in standard deviations of the sensor.
        generator: Source of randomness of this sensor in this recording.

    Returns:
        The path, in standard deviations.
    """
    from scipy.signal import lfilter  # takes a second to import

    innovations = size * generator.normal(size=n_steps)
    return np.asarray(lfilter([1.0], [1.0, -DRIFT_MEMORY], innovations))
