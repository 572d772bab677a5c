"""How one variable enters the mechanism of another: identity, or four bounded or folded curves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["EDGE_FUNCTIONS", "NONLINEAR"]


def _soft_absolute(x: np.ndarray) -> np.ndarray:
    """Compute sqrt(1 + x^2) - 1: a smooth |x|."""
    return np.sqrt(1 + x**2) - 1


def _bump(x: np.ndarray) -> np.ndarray:
    return x * np.exp(-(x**2) / 4)


EDGE_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda x: x,
    "tanh": np.tanh,
    "sin": np.sin,
    "bump": _bump,
    "soft-absolute": _soft_absolute,
}
"""Name to function of one variable."""

NONLINEAR: tuple[str, ...] = ("tanh", "sin", "bump", "soft-absolute")
"""The curves that nonlinear processes draw from."""
