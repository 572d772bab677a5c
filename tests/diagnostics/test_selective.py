"""Out-of-distribution detection and selective prediction, by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetia.diagnostics.selective import detection_auroc, selective_risk


def test_the_curve_adds_tasks_from_the_most_certain_on():
    curve = selective_risk(np.array([0.9, 0.1, 0.5, 0.7]), np.array([8.0, 1.0, 3.0, 4.0]))
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(curve.risk, [1.0, 2.0, 8 / 3, 4.0])


@given(seed=st.integers(0, 2**31), k=st.integers(1, 20))
def test_it_ends_at_the_mean_loss_and_rises_when_uncertainty_is_the_loss(seed, k):
    rng = np.random.default_rng(seed)
    loss, other = rng.exponential(size=k), rng.normal(size=k)
    curve = selective_risk(other, loss)
    assert curve.risk[-1] == pytest.approx(loss.mean())
    assert curve.coverage[-1] == 1
    known = selective_risk(loss, loss)
    assert (np.diff(known.risk) >= -1e-12).all()
    assert (known.risk <= curve.risk + 1e-12).all(), "no order is better than the true one"
    moved = selective_risk(3 * other - 1, loss)
    np.testing.assert_array_equal(moved.risk, curve.risk)


def test_detection_counts_the_pairs_in_the_right_order():
    score = np.array([0.1, 0.4, 0.35, 0.8, 0.4])
    shifted = np.array([False, False, True, True, True])
    pairs = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, b in itertools.product(score[shifted], score[~shifted])
    ]
    area, precision = detection_auroc(score, shifted)
    assert area == pytest.approx(np.mean(pairs))
    # Thresholds .8, .4, .35: precision 1, 2/3, 3/4 at recall 1/3, 2/3, 1.
    assert precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_detection_of_one_kind_only_is_not_defined():
    for kind in (True, False):
        assert np.isnan(detection_auroc(np.array([0.2, 0.3]), np.full(2, kind))).all()
