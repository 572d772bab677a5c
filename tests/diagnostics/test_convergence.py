"""Convergence diagnostics on chains whose mixing is known."""

import numpy as np
import pytest

from aetia.diagnostics import convergence
from aetia.errors import InputError


def autoregressive(rho, n_chains=4, n_draws=4000, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_chains, n_draws))
    for t in range(1, n_draws):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    return x


def test_independent_draws_are_worth_their_number():
    found = convergence(np.random.default_rng(0).normal(size=(4, 1000, 3, 2)))
    assert found.rhat.shape == (3, 2)
    assert (found.rhat < 1.01).all()
    assert ((found.ess_bulk > 3000) & (found.ess_bulk < 5500)).all()
    assert found.n_draws == 4000


def test_autocorrelation_costs_what_theory_says():
    """An AR(1) chain with rho = .9 is worth (1 - rho) / (1 + rho) = 1 / 19 of its length."""
    found = convergence(autoregressive(0.9))
    assert abs(found.ess_bulk / (16_000 / 19) - 1) < 0.35


def test_chains_in_different_places_are_found():
    x = np.random.default_rng(0).normal(size=(4, 500))
    x[0] += 3
    assert convergence(x).rhat > 1.2


def test_a_scalar_that_never_moves_is_nan_and_spoils_nothing():
    x = np.random.default_rng(0).normal(size=(4, 500, 2))
    x[..., 1] = 7.0
    found = convergence(x)
    assert np.isnan(found.rhat[1])
    assert found.summary()["rhat_max"] < 1.02


def test_too_few_draws_are_an_error():
    with pytest.raises(InputError, match="at least 4 draws of each chain, got 3"):
        convergence(np.zeros((2, 3)))
