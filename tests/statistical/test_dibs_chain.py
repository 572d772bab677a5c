"""The prototype's three-node chain over many seeds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from aetia.discovery import DiBS
from aetia.errors import ConvergenceError
from aetia.likelihoods import LinearGaussian

TRUTH = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)


@pytest.mark.statistical
def test_the_chain_and_its_coefficients_are_found_in_most_seeds():
    """20 seeds; success: the graph of largest weight is right, its coefficients within 10 %.

    Measured beforehand: 18 of 20 (and 17 of 20 with 20 particles). At a true rate of 0.875 fewer
    than 12 successes have probability 4e-4. Joint-density ("mixture") weights lack the penalty
    for superfluous edges that integrating the weights out gives; with them it was 9 of 15.
    """
    successes = 0
    for seed in range(20):
        e = np.random.default_rng(1000 + seed).normal(size=(500, 3))
        x2 = 2.0 * e[:, 0] + e[:, 1]
        x = np.column_stack([e[:, 0], x2, -1.5 * x2 + e[:, 2]])
        dibs = DiBS(
            likelihood=LinearGaussian(noise_variance=1.0),
            prior="uniform",
            n_particles=30,
            n_steps=2000,
            n_likelihood_graphs=32,
            n_acyclicity_graphs=16,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                p = dibs.fit(x).posterior_
            except ConvergenceError:
                continue
        top = int(np.argmax(p.log_weights))
        w = p.parameters["weights"][top]
        right = (p.graphs[top] == TRUTH).all()
        close = abs(w[0, 1] / 2.0 - 1) < 0.1 and abs(w[1, 2] / -1.5 - 1) < 0.1
        successes += bool(right and close)
    assert successes >= 12, f"{successes} of 20"
