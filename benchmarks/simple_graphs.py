"""Floors that any method must clear, and our own DYNOTEARS; all take standardised readings."""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm
from scipy.optimize import minimize

Answer = tuple[np.ndarray, np.ndarray]


def lag_covariances(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairwise-complete second moments of (s_t, s_t) and (s_{t-1}, s_t)."""
    seen = np.isfinite(x)
    y = np.where(seen, x, 0.0)

    def moment(a: slice, b: slice) -> np.ndarray:
        counts = np.einsum("nti,ntj->ij", seen[:, a].astype(float), seen[:, b].astype(float))
        return np.einsum("nti,ntj->ij", y[:, a], y[:, b]) / np.maximum(counts, 1)

    every, before, after = slice(None), slice(None, -1), slice(1, None)
    return moment(every, every), moment(before, after)


def empty(x: np.ndarray) -> Answer:
    zero = np.zeros((x.shape[2], x.shape[2]))
    return zero.astype(bool), zero


def at_random(x: np.ndarray, rng: np.random.Generator) -> Answer:
    """As many edges as variables, anywhere."""
    d = x.shape[2]
    scores = rng.random((d, d))
    np.fill_diagonal(scores, 0.0)
    return scores >= np.sort(scores, axis=None)[-d], scores


def correlation(x: np.ndarray, threshold: float = 0.3) -> Answer:
    scores = np.abs(lag_covariances(x)[0])
    np.fill_diagonal(scores, 0.0)
    return scores > threshold, scores


def lead_lag_correlation(x: np.ndarray, threshold: float = 0.3) -> Answer:
    """Adjacent if correlated within the step or a step apart; directed by the larger lag."""
    now, lagged = lag_covariances(x)
    strength = np.maximum(np.abs(now), np.maximum(np.abs(lagged), np.abs(lagged.T)))
    forward = np.abs(lagged) > np.abs(lagged.T)
    scores = np.where(forward, strength, 0.5 * strength)
    np.fill_diagonal(scores, 0.0)
    graph = (strength > threshold) & forward
    np.fill_diagonal(graph, False)
    return graph, scores


def dynotears(x: np.ndarray, penalty: float = 0.03, threshold: float = 0.2) -> Answer:
    """Minimise least squares + l1 over (W, A), tr exp(W * W) = d (Pamfil et al., 2020)."""
    d = x.shape[2]
    filled = np.where(np.isfinite(x), x, 0.0)
    z = np.concatenate([filled[:, 1:], filled[:, :-1]], -1).reshape(-1, 2 * d)
    moments = z.T @ z / len(z)
    size, rho, alpha, h = 2 * d * d, 1.0, 0.0, np.inf
    both = np.zeros(2 * size)
    off = np.concatenate([1 - np.eye(d), np.ones((d, d))]).ravel()
    bounds = [(0, None if free else 0) for free in np.tile(off, 2)]
    target = np.concatenate([np.eye(d), np.zeros((d, d))])

    def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
        w = (v[:size] - v[size:]).reshape(2 * d, d)
        gap = target - w
        power = expm(w[:d] ** 2)
        cyclic = np.trace(power) - d
        slope = -moments @ gap
        slope[:d] += (rho * cyclic + alpha) * 2 * power.T * w[:d]
        loss = 0.5 * np.trace(gap.T @ moments @ gap) + 0.5 * rho * cyclic**2 + alpha * cyclic
        flat = slope.ravel()
        return loss + penalty * v.sum(), np.concatenate([flat + penalty, penalty - flat])

    for _ in range(20):
        while rho < 1e16:
            result = minimize(objective, both, jac=True, method="L-BFGS-B", bounds=bounds)
            w = (result.x[:size] - result.x[size:]).reshape(2 * d, d)
            new = float(np.trace(expm(w[:d] ** 2)) - d)
            if new <= 0.25 * h:
                break
            rho *= 10
        both, h = result.x, new
        alpha += rho * h
        if h <= 1e-8 or rho >= 1e16:
            break
    scores = np.maximum(np.abs(w[:d]), np.abs(w[d:]))
    np.fill_diagonal(scores, 0.0)
    return scores > threshold, scores
