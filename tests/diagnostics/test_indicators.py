"""R-hat of yes-or-no quantities."""

import numpy as np
import pytest

from aetia.diagnostics.indicators import indicator_agreement
from aetia.errors import InputError


def coins(p, n_draws=400, seed=0):
    """One indicator; chain c says yes with probability p[c], independently."""
    rng = np.random.default_rng(seed)
    return rng.random((len(p), n_draws, 1)) < np.array(p)[:, None, None]


def test_settled_indicators_count_as_converged():
    draws = np.concatenate([coins([0.0] * 4), coins([1.0] * 4), coins([0.004] * 4)], axis=-1)
    found = indicator_agreement(draws)
    assert (found.rhat == 1.0).all()
    assert found.share_below(1.01) == 1.0
    assert found.agrees()


def test_chains_that_never_move_and_differ_have_infinite_rhat():
    found = indicator_agreement(coins([0.0, 0.0, 1.0, 0.0]))
    assert np.isinf(found.rhat).all()
    assert not found.agrees()


def test_two_stuck_chains_are_infinite_even_if_the_others_move():
    found = indicator_agreement(coins([0.0, 0.4, 0.5, 1.0]))
    assert np.isinf(found.rhat).all()


def test_a_rare_indicator_that_one_chain_never_saw_is_no_alarm():
    found = indicator_agreement(coins([0.02, 0.02, 0.0, 0.02]))
    assert np.isfinite(found.rhat).all()
    assert found.rhat.max() < 1.05


def test_independent_chains_agree_and_different_ones_do_not():
    assert indicator_agreement(coins([0.3] * 8)).agrees()
    apart = indicator_agreement(coins([0.2, 0.2, 0.8, 0.8]))
    assert apart.rhat.min() > 1.1
    assert not apart.agrees()


def test_a_drift_within_chains_is_seen_because_chains_are_split():
    rng = np.random.default_rng(1)
    p = np.linspace(0.1, 0.9, 400)
    draws = rng.random((4, 400, 1)) < p[None, :, None]
    # Halves have means 0.3 and 0.7: sqrt(1 + 0.04 / 0.2) = 1.095.
    assert indicator_agreement(draws).rhat.min() > 1.05


def test_transitions_and_standard_errors_are_plain_counts():
    draws = np.zeros((2, 6, 1), dtype=bool)
    draws[0, 2:4] = True
    found = indicator_agreement(draws)
    assert found.transitions.item() == 2
    assert found.probability.item() == pytest.approx(1 / 6)
    assert found.standard_error.item() == pytest.approx(np.std([1 / 3, 0], ddof=1) / np.sqrt(2))


def test_one_chain_is_not_enough():
    with pytest.raises(InputError, match="at least 2 chains"):
        indicator_agreement(coins([0.5]))
