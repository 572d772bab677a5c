r"""Structural vector autoregressions with instantaneous and lagged edges.

.. math::
    s_t^j = \sum_i w_0^{ij} f_{ij}(s_t^i)
            + \sum_{\tau \ge 1} \sum_i w_\tau^{ij} f_{ij}(s_{t-\tau}^i)
            + m_e^j + \sigma_e^j u_t^j

(Swanson and Granger, 1997; Pamfil et al., 2020). Regimes e change means, noise and weights inside
the mechanism, so that what they change propagates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from aetia.data import Labelled, Truth, Windows
from aetia.errors import InputError
from aetia.graphs import topological_order
from aetia.randomness import RandomState, seed_sequence
from aetia.scm.noise import Noise
from aetia.scm.time_series.edge_functions import EDGE_FUNCTIONS, NONLINEAR
from aetia.scm.time_series.regimes import Regimes, Shifts

__all__ = ["StructuralVAR", "random_structural_var"]


@dataclass(frozen=True, eq=False, kw_only=True)
class StructuralVAR:
    """A process whose graph is known.

    Attributes:
        weights: Instantaneous weights, ``weights[i, j]`` for i -> j; acyclic.
        lagged_weights: Weights of lag 1 first; diagonals are a variable's own past.
        functions: How i enters j at lag 0, 1, ...: numbers into ``EDGE_FUNCTIONS``.
        noise_std: Standard deviation of each noise.
        noise: Its distribution.
        shifts: What regimes change.
        names: Variable names; by default x0, x1, ...
    """

    weights: Float[np.ndarray, "d d"]
    lagged_weights: Float[np.ndarray, "l d d"]
    noise_std: Float[np.ndarray, " d"]
    functions: Int[np.ndarray, "m d d"] | None = None
    noise: Noise = field(default_factory=Noise)
    shifts: Shifts | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        d = len(self.weights)
        if not self.names:
            object.__setattr__(self, "names", tuple(f"x{i}" for i in range(d)))
        order = topological_order(torch.from_numpy(self.weights != 0))  # refuses cycles
        object.__setattr__(self, "_order", order.tolist())

    @property
    def n_lags(self) -> int:
        """Longest lag."""
        return len(self.lagged_weights)

    @property
    def is_linear(self) -> bool:
        """Whether every edge is linear."""
        return self.functions is None or not bool((self.functions[self._present()] != 0).any())

    @property
    def truth(self) -> Truth:
        """The graphs and weights."""
        return Truth(
            graph=self.weights != 0,
            weights=self.weights if self.is_linear else None,
            names=self.names,
            lagged=self.lagged_weights != 0,
            lagged_weights=self.lagged_weights if self.is_linear else None,
        )

    def _present(self) -> Bool[np.ndarray, "m d d"]:
        return np.concatenate([self.weights[None], self.lagged_weights]) != 0

    def sample(
        self,
        n_series: int,
        n_steps: int,
        *,
        regime: Int[np.ndarray, " n"] | None = None,
        burn_in: int = 100,
        random_state: RandomState = None,
    ) -> Labelled:
        """Draw independent recordings.

        Args:
            n_series: Recordings.
            n_steps: Time steps of each.
            regime: Regime of each recording; None deals them out evenly.
            burn_in: Steps that are thrown away first.
            random_state: None, an integer or a generator.

        Returns:
            The recordings with their truth.

        Raises:
            InputError: If a regime does not exist, or the process explodes.
        """
        rng = np.random.default_rng(seed_sequence(random_state))
        d, k = len(self.weights), 1 if self.shifts is None else len(self.shifts.mean)
        if regime is None:
            regime = np.arange(n_series) % k
        elif len(regime) != n_series or not ((regime >= 0) & (regime < k)).all():
            raise InputError(f"StructuralVAR: regime must hold {n_series} numbers below {k}.")
        total = burn_in + n_steps
        noise = self.noise.draw((total, n_series, d), rng).astype(np.float64) * self.noise_std
        mean, factor = np.zeros((n_series, d)), np.ones((n_series, d))
        if self.shifts is not None:
            noise = noise * self.shifts.noise_factor[regime]
            mean = self.shifts.mean[regime] * self.noise_std
            factor = self.shifts.weight_factor[regime]
        with np.errstate(over="ignore", invalid="ignore"):
            values = self._propagate(noise + mean, factor)[burn_in:].swapaxes(0, 1).copy()
        if not np.isfinite(values).all():
            raise InputError(
                "StructuralVAR: the process explodes; make its lagged weights smaller."
            )
        data = Windows(
            values=values,
            observed=np.ones(values.shape, dtype=bool),
            names=self.names,
            regime=None if k == 1 else np.asarray(regime, dtype=np.int64),
            regime_names=() if k == 1 else tuple(f"regime {e}" for e in range(k)),
            series=np.arange(n_series),
            series_names=tuple(f"series {s}" for s in range(n_series)),
            start=np.zeros(n_series, dtype=np.int64),
            source="simulated structural vector autoregression",
        )
        return Labelled(data, self.truth)

    def _propagate(self, drive: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Run the recursion for all recordings at once."""
        total, n, d = drive.shape
        n_lags = self.n_lags
        states = np.zeros((n_lags + total, n, d))
        for t in range(total):
            at = t + n_lags
            x = drive[t].copy()
            for lag in range(1, n_lags + 1):
                x += self._sum(states[at - lag], lag, factor)
            if self.is_linear:
                states[at] = self._solve(x, factor)
                continue
            for j in self._order:  # pyright: ignore[reportAttributeAccessIssue]
                for i in np.flatnonzero(self.weights[:, j]).tolist():
                    x[:, j] += factor[:, j] * self.weights[i, j] * self._f(0, i, j)(x[:, i])
            states[at] = x
        return states[n_lags:]

    def _solve(self, x: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Solve s = s W + x, with the weights of each recording."""
        eye = np.eye(x.shape[1])
        if (factor == 1).all():
            return x @ np.linalg.inv(eye - self.weights)
        system = eye - self.weights * factor[:, None, :]
        return np.linalg.solve(system.swapaxes(1, 2), x[:, :, None])[..., 0]

    def _sum(self, past: np.ndarray, lag: int, factor: np.ndarray) -> np.ndarray:
        weights = self.lagged_weights[lag - 1]
        own = np.diag(weights) * past
        others = weights - np.diag(np.diag(weights))
        if self.functions is None or not self.functions[lag].any():
            return own + factor * (past @ others)
        out = np.zeros_like(past)
        for i, j in np.argwhere(others).tolist():
            out[:, j] += others[i, j] * self._f(lag, i, j)(past[:, i])
        return own + factor * out

    def _f(self, lag: int, i: int, j: int) -> Callable[[np.ndarray], np.ndarray]:
        name = 0 if self.functions is None else self.functions[lag, i, j]
        return list(EDGE_FUNCTIONS.values())[int(name)]


def random_structural_var(
    d: int,
    n_edges: int,
    *,
    n_lags: int = 1,
    shares: tuple[float, float, float] = (0.5, 0.3, 0.2),
    nonlinear: bool = False,
    noise: Noise | None = None,
    regimes: Regimes | None = None,
    random_state: RandomState = None,
) -> StructuralVAR:
    """Draw a process: edges along a random order, some instantaneous, some lagged, some both.

    Args:
        d: Variables.
        n_edges: Pairs (cause, effect), exactly.
        n_lags: Longest lag; the lag of each lagged edge is drawn uniformly.
        shares: Probabilities that an edge is instantaneous, lagged, or both.
        nonlinear: Draw a curve for every edge; a variable's own past stays linear.
        noise: Its distribution; Gaussian by default.
        regimes: How many, and what they do.
        random_state: None, an integer or a generator.

    Returns:
        A stable process: lagged weights of linear ones are scaled until the spectral radius of
        the reduced form is below .9.

    Raises:
        InputError: If there are not as many pairs.
    """
    if not 0 <= n_edges <= d * (d - 1) // 2:
        raise InputError(
            f"random_structural_var: {n_edges} edges between {d} variables; at most "
            f"{d * (d - 1) // 2} fit a DAG."
        )
    if n_lags < 1:
        raise InputError(f"random_structural_var: n_lags must be at least 1, got {n_lags}.")
    rng = np.random.default_rng(seed_sequence(random_state))
    order = rng.permutation(d)
    first, second = np.triu_indices(d, 1)
    chosen = rng.choice(len(first), size=n_edges, replace=False)
    weights, lagged = np.zeros((d, d)), np.zeros((n_lags, d, d))
    for i, j in zip(order[first[chosen]], order[second[chosen]], strict=True):
        place = rng.choice(3, p=np.asarray(shares) / np.sum(shares))
        if place != 1:
            weights[i, j] = rng.uniform(0.4, 0.9) * rng.choice([-1.0, 1.0])
        if place != 0:
            lagged[rng.integers(n_lags), i, j] = rng.uniform(0.4, 0.9) * rng.choice([-1.0, 1.0])
    lagged[0][np.diag_indices(d)] = rng.uniform(0.2, 0.7, d)
    functions = None
    if nonlinear:
        codes = [list(EDGE_FUNCTIONS).index(name) for name in NONLINEAR]
        functions = rng.choice(codes, size=(n_lags + 1, d, d))
        # The curves are flatter than the identity: a larger weight keeps the edge visible.
        weights, others = weights * 1.5, lagged * 1.5
        others[0][np.diag_indices(d)] = np.diag(lagged[0])
        lagged = others
    else:
        while _radius(weights, lagged) > 0.9:
            lagged = lagged * 0.9
    return StructuralVAR(
        weights=weights,
        lagged_weights=lagged,
        functions=functions,
        noise_std=rng.uniform(0.5, 1.5, d),
        noise=Noise() if noise is None else noise,
        shifts=None if regimes is None or regimes.n == 1 else regimes.draw(d, rng),
    )


def _radius(weights: np.ndarray, lagged: np.ndarray) -> float:
    """Compute the spectral radius of the companion matrix of the reduced form."""
    n_lags, d, _ = lagged.shape
    reduced = lagged @ np.linalg.inv(np.eye(d) - weights)
    companion = np.zeros((n_lags * d, n_lags * d))
    companion[:, :d] = reduced.reshape(-1, d)
    companion[:-d, d:] = np.eye((n_lags - 1) * d)
    return float(np.abs(np.linalg.eigvals(companion)).max())
