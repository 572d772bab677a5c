"""The distribution of the scale of the noise, and checks of ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aetia.errors import InputError
from aetia.options import build, check_literals, check_positive, earlier_names

__all__ = ["NoiseScale", "check_order", "read_noise_scale", "read_range"]


@earlier_names(law="distribution")
@dataclass(frozen=True, kw_only=True)
class NoiseScale:
    """How the standard deviation of a variable's noise is drawn, once for each variable.

    Attributes:
        distribution: ``"constant"`` (always ``low``), ``"uniform"`` (between ``low`` and ``high``)
            or ``"gamma"`` (with ``shape`` and ``rate``).
        low: Standard deviation of a constant distribution, smallest one of a uniform distribution.
        high: Largest standard deviation of a uniform distribution.
        shape: Shape of a gamma distribution.
        rate: Rate of a gamma distribution, whose mean is ``shape / rate``.
    """

    distribution: Literal["constant", "uniform", "gamma"] = "gamma"
    low: float = 0.2
    high: float = 2.0
    shape: float = 2.0
    rate: float = 2.0

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "low", "high", "shape", "rate")
        if self.distribution == "uniform":
            check_order(self)

    def draw(self, d: int, rng: np.random.Generator) -> np.ndarray:
        """Draw standard deviations.

        Args:
            d: Number of variables.
            rng: Source of randomness.

        Returns:
            One for each variable, float32.
        """
        if self.distribution == "constant":
            return np.full(d, self.low, np.float32)
        if self.distribution == "uniform":
            return rng.uniform(self.low, self.high, d).astype(np.float32)
        return np.maximum(rng.gamma(self.shape, 1 / self.rate, d), 1e-3).astype(np.float32)


def read_noise_scale(value: Any) -> NoiseScale:
    if isinstance(value, NoiseScale):
        return value
    if isinstance(value, Mapping):
        return build(NoiseScale, value)
    raise InputError(f"noise_scale must be a NoiseScale or a mapping of its options, got {value!r}")


def check_order(config: Any) -> None:
    if config.low > config.high:
        raise InputError(
            f"{type(config).__name__}: low={config.low:g} is larger than high={config.high:g}."
        )


def read_range(config: Any, name: str) -> tuple[float, float]:
    value = getattr(config, name)
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not 0 < low <= high < math.inf:
        raise InputError(
            f"{type(config).__name__}: {name} must be a range (low, high) above 0, got {value!r}."
        )
    return low, high
