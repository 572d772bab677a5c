"""The Lorenz-96 system: a chaotic ring whose causal graph is known."""

from __future__ import annotations

import numpy as np

from aetia.data import Labelled, Truth, Windows
from aetia.errors import InputError
from aetia.randomness import RandomState, seed_sequence

__all__ = ["simulate_lorenz96"]


def simulate_lorenz96(
    d: int = 10,
    n_steps: int = 1000,
    *,
    n_series: int = 1,
    forcing: float = 10.0,
    interval: float = 0.1,
    noise_std: float = 0.1,
    substeps: int = 10,
    burn_in: int = 100,
    random_state: RandomState = None,
) -> Labelled:
    r"""Integrate :math:`\dot x_i = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F` (Lorenz, 1996).

    Args:
        d: Variables on the ring, at least 4.
        n_steps: Recorded steps.
        n_series: Recordings with starts of their own.
        forcing: F; above 8 the system is chaotic.
        interval: Time between recorded steps.
        noise_std: Standard deviation of what is added to the state at each recorded step.
        substeps: Steps of the fourth-order Runge-Kutta scheme in an interval.
        burn_in: Recorded steps that are thrown away first.
        random_state: None, an integer or a generator.

    Returns:
        The recordings; the truth has edges of lag 1 from i+1, i-2, i-1 and i itself into i.

    Raises:
        InputError: If d is below 4.
    """
    if d < 4:
        raise InputError(f"simulate_lorenz96: the ring needs at least 4 variables, got d={d}.")
    rng = np.random.default_rng(seed_sequence(random_state))
    x = forcing + rng.standard_normal((n_series, d))
    h = interval / substeps
    out = np.empty((n_series, n_steps, d))
    for t in range(burn_in + n_steps):
        for _ in range(substeps):
            x = _runge_kutta(x, forcing, h)
        x = x + noise_std * rng.standard_normal(x.shape)
        if t >= burn_in:
            out[:, t - burn_in] = x
    at = np.arange(d)
    lagged = np.zeros((1, d, d), dtype=bool)
    for shift in (1, -2, -1, 0):
        lagged[0, (at + shift) % d, at] = True
    names = tuple(f"x{i}" for i in range(d))
    data = Windows(
        values=out,
        observed=np.ones(out.shape, dtype=bool),
        names=names,
        series=np.arange(n_series),
        series_names=tuple(f"series {s}" for s in range(n_series)),
        start=np.zeros(n_series, dtype=np.int64),
        source="simulated Lorenz-96 system",
    )
    return Labelled(data, Truth(graph=np.zeros((d, d), dtype=bool), names=names, lagged=lagged))


def _drift(x: np.ndarray, forcing: float) -> np.ndarray:
    ahead, back, back2 = np.roll(x, -1, -1), np.roll(x, 1, -1), np.roll(x, 2, -1)
    return (ahead - back2) * back - x + forcing


def _runge_kutta(x: np.ndarray, forcing: float, h: float) -> np.ndarray:
    k1 = _drift(x, forcing)
    k2 = _drift(x + h / 2 * k1, forcing)
    k3 = _drift(x + h / 2 * k2, forcing)
    k4 = _drift(x + h * k3, forcing)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
