"""What is said of overlap: by known distributions, and by fits to studies with and without it."""

import warnings

import numpy as np
import pytest
from scipy.stats import norm

from aetia.effects import CausalBGM
from aetia.effects.causalbgm.overlap import dose_overlap
from aetia.errors import DataWarning
from aetia.results import Overlap
from effects.causalbgm.small import QUICK


def arms_overlap(e, t):
    w = np.where(t == 1, t.mean() / e, (1 - t.mean()) / (1 - e))
    comparable = (np.minimum(e, 1 - e) >= 0.05).astype(float)
    return Overlap(
        expected=e, received=t, weights=w, comparable=comparable, name="drug", arms=("no", "yes")
    )


def doses_overlap(t, location, spread):
    weights, comparable = dose_overlap(t, location, np.full(len(t), spread))
    return Overlap(
        expected=location, received=t, weights=weights, comparable=comparable, name="dose"
    )


def test_weights_and_comparable_doses_equal_their_definitions():
    rng = np.random.default_rng(0)
    n = 40
    location, spread = rng.normal(size=n), rng.uniform(0.3, 2, n)
    t = location + spread * rng.normal(size=n)
    location[0], spread[0], t[0] = -1, 0.3, 1  # a dose that nobody like this unit gets
    weights, comparable = dose_overlap(t, location, spread)
    density = norm.pdf(t[:, None], location, spread)  # of dose j for unit i: [j, i]
    among_all = density.mean(1)
    np.testing.assert_allclose(weights, among_all / density.diagonal())
    could = density >= 0.1 * among_all[:, None]
    np.testing.assert_allclose(comparable, could.mean(0) * could.diagonal())
    assert comparable[0] == 0
    assert 0 < comparable[1:].min() < 1


def test_many_units_are_looked_at_piece_by_piece():
    rng = np.random.default_rng(0)
    n = 2500
    location = rng.normal(size=n)
    t = location + rng.normal(size=n)
    weights, comparable = dose_overlap(t, location, np.ones(n))
    # The true ratio of densities, up to the average over 1,000 units.
    exact = norm.pdf(t, 0, np.sqrt(2)) / norm.pdf(t, location, 1)
    np.testing.assert_allclose(np.log(weights), np.log(exact), atol=0.5)
    assert np.median(np.abs(np.log(weights / exact))) < 0.05
    assert comparable.shape == (n,)


@pytest.mark.parametrize(
    ("slope", "is_poor"), [(0, False), (0.5, False), (1, False), (3, True), (30, True)]
)
def test_doses_that_covariates_decide_are_poor_overlap(slope, is_poor):
    # t = slope v + noise; share of the variance explained 0, 0.2, 0.5, 0.9, 0.999.
    rng = np.random.default_rng(0)
    v = rng.normal(size=800)
    found = doses_overlap(slope * v + rng.normal(size=800), slope * v, 1.0)
    assert found.is_poor is is_poor
    assert found.separation == pytest.approx(slope**2 / (1 + slope**2), abs=0.05)


def test_less_overlap_counts_for_less():
    rng = np.random.default_rng(0)
    v, u = rng.normal(size=800), rng.uniform(size=800)
    noise = rng.normal(size=800)
    for kind in ("arms", "doses"):
        found = []
        for slope in (0.0, 1.0, 2.0, 4.0, 40.0):
            e = 1 / (1 + np.exp(-slope * v))
            found.append(
                arms_overlap(np.clip(e, 1e-3, 1 - 1e-3), (u < e).astype(float))
                if kind == "arms"
                else doses_overlap(slope * v + noise, slope * v, 1.0)
            )
        for name in ("comparable_share", "effective_share"):
            shares = [getattr(one, name) for one in found]
            assert (np.diff(shares) < 1e-9).all(), (kind, name, shares)
            assert shares[0] > 0.99
            assert shares[-1] < 0.1
        assert [one.is_poor for one in found][0::4] == [False, True]


def test_arms_that_are_told_apart_are_poor_overlap_whatever_the_probabilities():
    # A network that has not learned enough states probabilities between 0.2 and 0.8 in their order.
    v = np.random.default_rng(0).normal(size=300)
    found = arms_overlap(0.2 + 0.6 / (1 + np.exp(-v)), (v > 0).astype(float))
    assert found.comparable_share == 1
    assert found.separation == 1
    assert found.is_poor
    assert "discriminate between the arms" in found.verdict()


def test_units_that_are_not_comparable_do_not_count():
    t = np.array([0.0, 0.0, 1.0, 1.0])
    e = np.array([0.001, 0.5, 0.5, 0.999])
    found = arms_overlap(e, t)
    assert found.comparable_share == 0.5
    assert found.effective_share == pytest.approx(0.5)
    none = arms_overlap(np.array([0.01, 0.02, 0.99, 0.98]), t)
    assert none.effective_share == 0


_V = np.random.default_rng(1).normal(size=(200, 3))
_E = np.random.default_rng(2).normal(size=200)
STUDIES = {
    "decided": ((_V[:, 0] > 0).astype(float), True),
    "nearly decided": ((_V[:, 0] + 0.01 * _E > 0).astype(float), True),
    "randomised": ((_E > 0).astype(float), False),
    "decided dose": (3 * _V[:, 0] + 0.01 * _E, True),
    "randomised dose": (_E, False),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_fit_warns_about_overlap_exactly_if_there_is_none(name):
    t, is_poor = STUDIES[name]
    y = t + _V[:, 0] + np.random.default_rng(3).normal(size=200)
    wide = {"encoder_units": (32,), "treatment_units": (32,)}
    options = QUICK | wide | {"n_egm_steps": 90, "n_folds": 2, "learning_rate": 0.03}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        overlap = CausalBGM(**options).fit(t, y, _V).overlap()
    said = [str(w.message) for w in caught if "overlap" in str(w.message)]
    assert overlap.is_poor is is_poor, repr(overlap)
    assert said == ([overlap.verdict()] if is_poor else [])
    if is_poor:
        assert overlap.effective_share < 0.5
    else:
        assert overlap.effective_share > 0.7
        assert overlap.comparable_share > 0.9
