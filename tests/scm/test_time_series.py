"""Structural vector autoregressions, regimes inside them, and Lorenz-96."""

import numpy as np
import pytest
import torch

from aetia.errors import InputError
from aetia.graphs import is_acyclic
from aetia.scm import Regimes, StructuralVAR, random_structural_var, simulate_lorenz96
from aetia.scm.time_series import EDGE_FUNCTIONS


def test_the_covariance_is_that_of_the_stationary_process():
    """200,000 steps; entries within 5 % of the largest variance."""
    process = random_structural_var(4, 4, random_state=3)
    x = process.sample(400, 500, random_state=0).data.values.reshape(-1, 4)
    inverse = np.linalg.inv(np.eye(4) - process.weights)
    forward = process.lagged_weights[0] @ inverse
    step = inverse.T @ np.diag(process.noise_std**2) @ inverse
    covariance = step
    for _ in range(500):
        covariance = forward.T @ covariance @ forward + step
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.05 * covariance.max())


def test_the_vectorised_recursion_equals_the_equations_cell_by_cell():
    process = random_structural_var(4, 5, n_lags=2, nonlinear=True, random_state=1)
    data, truth = process.sample(2, 30, burn_in=0, random_state=5)
    x = data.values
    curves = list(EDGE_FUNCTIONS.values())
    rng_noise = []
    for t in range(2, 30):
        mean = np.zeros((2, 4))
        for j in range(4):
            for i in range(4):
                f = curves[process.functions[0, i, j]]
                mean[:, j] += process.weights[i, j] * f(x[:, t, i])
                for lag in (1, 2):
                    g = curves[process.functions[lag, i, j]] if i != j else (lambda v: v)
                    mean[:, j] += process.lagged_weights[lag - 1, i, j] * g(x[:, t - lag, i])
        rng_noise.append((x[:, t] - mean) / process.noise_std)
    # What is left is the noise that was drawn: 28 of 30 steps of standard normals.
    left = np.concatenate(rng_noise)
    assert abs(left.mean()) < 5 / np.sqrt(left.size)
    assert abs(left.std() - 1) < 5 / np.sqrt(2 * left.size)
    assert truth.lagged.shape == (2, 4, 4)


def test_random_processes_have_exactly_the_asked_edges_along_an_order():
    for seed in range(10):
        truth = random_structural_var(8, 11, n_lags=2, random_state=seed).truth
        summary = torch.from_numpy(truth.summary_graph)
        assert int(summary.sum()) == 11
        assert bool(is_acyclic(summary))
    both = random_structural_var(30, 400, shares=(0.5, 0.3, 0.2), random_state=0).truth
    lagged = both.lagged.any(0) & ~np.eye(30, dtype=bool)
    within = both.graph
    shares = [(within & ~lagged).sum(), (lagged & ~within).sum(), (within & lagged).sum()]
    np.testing.assert_allclose(np.array(shares) / 400, [0.5, 0.3, 0.2], atol=0.11)  # > 4 sigma


def test_a_regime_acts_inside_and_reaches_descendants():
    weights = np.zeros((3, 3))
    weights[0, 1] = weights[1, 2] = 0.9
    process = StructuralVAR(
        weights=weights, lagged_weights=np.zeros((1, 3, 3)), noise_std=np.full(3, 0.5)
    )
    shifts = Regimes(n=2, kind="intervention").draw(3, np.random.default_rng(0))
    mean = np.zeros((2, 3))
    mean[1, 1] = 2.0
    shifted = StructuralVAR(
        weights=weights,
        lagged_weights=np.zeros((1, 3, 3)),
        noise_std=np.full(3, 0.5),
        shifts=type(shifts)(mean, np.ones((2, 3)), np.ones((2, 3))),
    )
    data = shifted.sample(100, 200, random_state=0).data
    gap = data.values[data.regime == 1].mean((0, 1)) - data.values[data.regime == 0].mean((0, 1))
    np.testing.assert_allclose(gap, [0.0, 1.0, 0.9], atol=0.05)  # se below .01
    assert process.sample(2, 5, random_state=0).data.regime is None
    assert shifted.shifts.targets.tolist() == [[False] * 3, [False, True, False]]


@pytest.mark.parametrize("kind", ["intervention", "distribution", "mechanism"])
def test_regime_zero_changes_nothing(kind):
    shifts = Regimes(n=4, kind=kind).draw(6, np.random.default_rng(1))
    assert not shifts.targets[0].any()
    per_regime = shifts.targets[1:].sum(1)
    fewest, most = (6, 6) if kind == "distribution" else (1, 3)
    assert ((per_regime >= fewest) & (per_regime <= most)).all()


def test_the_same_seed_gives_the_same_recordings():
    process = random_structural_var(5, 5, random_state=2)
    a, b, c = (process.sample(3, 20, random_state=s).data.values for s in (1, 1, 2))
    assert a.tobytes() == b.tobytes()
    assert a.tobytes() != c.tobytes()


def test_impossible_wishes_are_errors():
    with pytest.raises(InputError, match="7 edges between 4 variables; at most 6"):
        random_structural_var(4, 7)
    with pytest.raises(InputError, match="regime must hold 2 numbers below 1"):
        random_structural_var(3, 1, random_state=0).sample(2, 5, regime=np.array([0, 1]))
    explosive = StructuralVAR(
        weights=np.zeros((1, 1)), lagged_weights=np.full((1, 1, 1), 40.0), noise_std=np.ones(1)
    )
    with pytest.raises(InputError, match="explodes"):
        explosive.sample(1, 300, random_state=0)


def test_lorenz_follows_its_differential_equation():
    data, truth = simulate_lorenz96(6, 400, interval=0.002, noise_std=0.0, random_state=0)
    x = data.values[0]
    slope = (x[2:] - x[:-2]) / 0.004
    mid = x[1:-1]
    ahead, back, back2 = (np.roll(mid, k, 1) for k in (-1, 1, 2))
    expected = (ahead - back2) * back - mid + 10.0
    np.testing.assert_allclose(slope, expected, atol=0.02 * np.abs(expected).max())
    assert sorted(np.flatnonzero(truth.lagged[0, :, 0])) == [0, 1, 4, 5]
    with pytest.raises(InputError, match="at least 4 variables"):
        simulate_lorenz96(3)
