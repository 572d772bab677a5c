r"""Clean states behind noisy, drifting, gappy sensors: the linear Gaussian state space.

.. math::
    s_t = \sum_{\tau=1}^{L} B_\tau s_{t-\tau} + e_t, \quad e_t \sim N(0, Q), \qquad
    c_t = \rho c_{t-1} + \eta_t, \qquad
    x_t^j = s_t^j + c_t^j + r_j \epsilon_t^j \text{ where observed.}

Filter and smoother (Kalman, 1960; Rauch, Tung and Striebel, 1965) run over all blocks at once.
Covariances depend only on which cells are seen, so blocks with the same pattern share them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "Patterns",
    "Smoothed",
    "StateSpace",
    "noiseless_variance",
    "patterns_of",
    "smooth",
    "stationary_covariance",
]


class StateSpace(NamedTuple):
    """Parameters, in the scale of the readings."""

    coefficients: Float[Tensor, "l d d"]
    """Reduced form: ``coefficients[k, j, i]`` is the effect of i on j, k + 1 steps later."""
    innovation: Float[Tensor, "d d"]
    """Covariance of the innovations e."""
    sensor_variance: Float[Tensor, " d"]
    """Variance of the white noise of each sensor."""
    drift_variance: Float[Tensor, " d"] | None = None
    """Variance of the steps of each sensor's drift; None for no drift."""
    drift_memory: float = 0.95
    """What is left of the drift a step later."""

    @property
    def d(self) -> int:
        """Number of sensors."""
        return self.innovation.shape[-1]

    @property
    def n_lags(self) -> int:
        """Longest lag."""
        return self.coefficients.shape[0]

    @property
    def is_noiseless(self) -> bool:
        """Whether sensors read their states as good as exactly."""
        return bool((self.sensor_variance < 1e-5).all())

    def transition(self) -> Float[Tensor, "k k"]:
        """Build the companion matrix of states, followed by that of drifts.

        Returns:
            The matrix that carries the state one step on.
        """
        d, n_lags = self.d, self.n_lags
        top = torch.cat(tuple(self.coefficients), -1)
        shift = torch.eye((n_lags - 1) * d, n_lags * d).to(top)
        companion = torch.cat([top, shift])
        if self.drift_variance is None:
            return companion
        return torch.block_diag(companion, self.drift_memory * torch.eye(d).to(top))

    def step_covariance(self) -> Float[Tensor, "k k"]:
        """Build the covariance of what is added in a step.

        Returns:
            Innovations in the newest block, steps of the drift in the last.
        """
        rest = self.innovation.new_zeros((self.n_lags - 1) * self.d)
        blocks = [self.innovation, torch.diag(rest)]
        if self.drift_variance is not None:
            blocks.append(torch.diag(self.drift_variance))
        return torch.block_diag(*blocks)

    def readout(self) -> Float[Tensor, "d k"]:
        """Build the matrix from the state to what a noiseless sensor reads.

        Returns:
            State plus drift.
        """
        eye = torch.eye(self.d).to(self.innovation)
        old = self.innovation.new_zeros(self.d, (self.n_lags - 1) * self.d)
        parts = [eye, old] if self.drift_variance is None else [eye, old, eye]
        return torch.cat(parts, -1)


class Patterns(NamedTuple):
    """Blocks grouped by which of their cells are seen, and how well."""

    precision: Float[Tensor, "u time d"]
    """Precision of the noise of a reading, in multiples of that of its sensor; 0 where not seen."""
    which: Int[Tensor, " n"]
    counts: Int[Tensor, " u"]

    def cells(self) -> Float[Tensor, "n time d"]:
        """Look up the precision of every reading.

        Returns:
            One for each cell of each block.
        """
        return self.precision[self.which]


class Smoothed(NamedTuple):
    """What the readings say about the states; covariances by pattern."""

    log_likelihood: float
    mean: Float[Tensor, "n time k"]
    covariance: Float[Tensor, "u time k k"]
    cross: Float[Tensor, "u steps k k"]
    """Covariance of the state at t + 1 with that at t."""


def patterns_of(precision: Bool[Tensor, "n time d"] | Float[Tensor, "n time d"]) -> Patterns:
    """Group blocks by their pattern of observed cells.

    Args:
        precision: Precision of each reading, in multiples of that of its sensor; True is 1, False
            is 0.

    Returns:
        The patterns, and which one each block has.
    """
    flat, which, counts = torch.unique(
        precision.flatten(1), dim=0, return_inverse=True, return_counts=True
    )
    return Patterns(flat.unflatten(1, precision.shape[1:]).double(), which, counts)


def stationary_covariance(
    transition: Float[Tensor, "k k"], step: Float[Tensor, "k k"]
) -> Float[Tensor, "k k"]:
    """Solve P = F P F' + S by doubling.

    Args:
        transition: F, with spectral radius below 1.
        step: S.

    Returns:
        The covariance of the state before anything is seen; that of 4,096 steps if F is not
        stable.
    """
    total, power = step, transition
    for _ in range(12):
        total = total + power @ total @ power.mT
        power = power @ power
    return total


def smooth(readings: Float[Tensor, "n time d"], patterns: Patterns, model: StateSpace) -> Smoothed:
    """Filter forwards and smooth backwards.

    Args:
        readings: Centred; anything where not observed.
        patterns: Which cells are seen.
        model: Parameters.

    Returns:
        Log-likelihood (without the constant) and moments of the states given all readings of a
        block. Cost ``O(u time k^3 + n time k^2)`` for u patterns.
    """
    which = patterns.which
    shared = len(patterns.counts) == 1

    def of(by_pattern: Tensor) -> Tensor:
        return by_pattern if shared else by_pattern[which]

    forward, step, readout = model.transition(), model.step_covariance(), model.readout()
    precision = patterns.precision.to(readings)
    # Readings are whitened: where one counts for nothing its row is 0 and the update leaves it out.
    root = precision.sqrt() / model.sensor_variance.sqrt()
    x = torch.where(precision[which] > 0, readings, 0.0)
    eye = torch.eye(model.d).to(readings)
    p = stationary_covariance(forward, step).expand(len(root), -1, -1)
    m = readings.new_zeros(len(x), len(forward))
    filtered, predicted = [], []
    log_likelihood = readings.new_zeros(())
    # Forwards: predict each row from the one before, then take in its readings.
    for t in range(x.shape[1]):
        if t:
            m = filtered[-1][0] @ forward.mT
            p = forward @ filtered[-1][1] @ forward.mT + step
        predicted.append((m, p))
        w = root[:, t]
        hp = readout @ p
        scaled = w.unsqueeze(-1) * hp
        spread = eye + scaled @ readout.mT * w.unsqueeze(-2)
        factor = torch.linalg.cholesky(spread)
        gain = torch.linalg.solve_triangular(factor, scaled, upper=False)
        residual = of(w) * (x[:, t] - m @ readout.mT)
        if shared:
            white = torch.linalg.solve_triangular(factor[0], residual.mT, upper=False).mT
        else:
            white = torch.linalg.solve_triangular(
                of(factor), residual.unsqueeze(-1), upper=False
            ).squeeze(-1)
        m = m + _apply(of(gain).mT, white)
        p = p - gain.mT @ gain
        filtered.append((m, p))
        logs = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        log_likelihood = (
            log_likelihood - (logs * patterns.counts).sum() - 0.5 * white.square().sum()
        )
    # The densities above are those of whitened readings; this takes them back to readings.
    logs = torch.where(precision > 0, root, 1.0).log().sum((1, 2))
    log_likelihood = log_likelihood + (logs * patterns.counts).sum()
    means, covariances, cross = [filtered[-1][0]], [filtered[-1][1]], []
    # Backwards (Rauch, Tung and Striebel): what the later rows say corrects each filtered state.
    for t in range(x.shape[1] - 2, -1, -1):
        m, p = filtered[t]
        next_m, next_p = predicted[t + 1]
        back = torch.cholesky_solve(forward @ p, _cholesky(next_p)).mT
        cross.append(covariances[-1] @ back.mT)
        means.append(m + _apply(of(back), means[-1] - next_m))
        covariances.append(p + back @ (covariances[-1] - next_p) @ back.mT)
    return Smoothed(
        float(log_likelihood),
        torch.stack(means[::-1], 1),
        torch.stack(covariances[::-1], 1),
        torch.stack(cross[::-1], 1) if cross else covariances[0][:, None][:, :0],
    )


def noiseless_variance(smoothed: Smoothed, model: StateSpace) -> Float[Tensor, "u time d"]:
    """Compute the variance of what sensors would read without noise: state plus drift.

    Args:
        smoothed: States given the readings.
        model: Parameters the states were smoothed with.

    Returns:
        One number for each cell of each pattern.
    """
    readout = model.readout()
    return torch.einsum("jk,utkl,jl->utj", readout, smoothed.covariance, readout)


def _apply(matrix: Tensor, vectors: Tensor) -> Tensor:
    """Multiply, with one matrix for all vectors or one each."""
    if len(matrix) == 1:
        return vectors @ matrix[0].mT
    return (matrix @ vectors.unsqueeze(-1)).squeeze(-1)


def _cholesky(matrix: Tensor) -> Tensor:
    """Factor a covariance that rounding may have made indefinite."""
    symmetric = 0.5 * (matrix + matrix.mT)
    factor, info = torch.linalg.cholesky_ex(symmetric)
    if not bool(info.any()):
        return factor
    jitter = 1e-8 * symmetric.diagonal(dim1=-2, dim2=-1).mean(-1)
    eye = torch.eye(matrix.shape[-1]).to(matrix)
    return torch.linalg.cholesky(symmetric + jitter[:, None, None] * eye)
