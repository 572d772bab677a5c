"""Designs with known effects: their truths against simulation, and the confounding knob."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import expon, norm

from aetia.errors import InputError
from aetia.scm.effect_designs import (
    EFFECT_DESIGNS,
    Colangelo,
    EffectDesign,
    Hahn,
    HiranoImbens,
    NieWager,
    simulate_study,
)

BINARY = [
    "binary-latent",
    *(
        Hahn(prognosis=p, effects=e)
        for p in ("linear", "nonlinear")
        for e in ("homogeneous", "heterogeneous")
    ),
    *(NieWager(setup=s) for s in "ABCD"),
]
DOSES = ["hirano-imbens", "sun", "colangelo"]


@pytest.mark.parametrize("design", DOSES + BINARY)
def test_population_means_are_the_average_of_the_units(design):
    """24 z-tests at 4.5 standard errors (plus .002 for simulated truths)."""
    study = simulate_study(design, 20_000, 8, random_state=1)
    doses = np.array([0.0, 1.0])
    units = study.truth.unit_means(doses)
    se = units.std(0) / np.sqrt(len(units)) + 0.002
    assert (np.abs(units.mean(0) - study.truth.dose_response(doses)) < 4.5 * se).all()


@pytest.mark.parametrize("design", DOSES + BINARY)
def test_outcomes_scatter_around_the_unit_means_at_the_treatment_received(design):
    study = simulate_study(design, 500, 8, random_state=2)
    grid = study.truth.unit_means(study.treatment)
    residual = study.outcome - np.diagonal(grid)
    sd = 0.5 if design == "binary-latent" else 1.0
    assert abs(residual.mean()) < 4.5 * sd / 500**0.5
    assert abs(residual.std() - sd) < 4.5 * sd / 1000**0.5


def test_the_dose_response_of_hirano_and_imbens_is_an_integral():
    def mean(t):
        gamma = lambda c: c * np.exp(-c)  # noqa: E731  the sum of two exponentials
        return t + quad(lambda c: gamma(c) * c * np.exp(-t * c), 0, 60)[0]

    doses = [0.0, 0.5, 2.0]
    truth = simulate_study("hirano-imbens", 10, 5, random_state=0).truth
    np.testing.assert_allclose(truth.dose_response(doses), [mean(t) for t in doses], rtol=1e-6)
    assert expon.mean() == 1


@pytest.mark.parametrize("design", BINARY)
def test_confounding_biases_the_difference_of_means_and_the_knob_removes_it(design):
    def gap(confounding):
        s = simulate_study(design, 20_000, 8, confounding=confounding, random_state=3)
        on = s.treatment == 1
        difference = s.outcome[on].mean() - s.outcome[~on].mean()
        se = np.sqrt(s.outcome[on].var() / on.sum() + s.outcome[~on].var() / (~on).sum())
        return (difference - s.truth.average_effect()) / se

    assert abs(gap(0.0)) < 4.5
    if getattr(design, "setup", None) != "B":
        assert abs(gap(1.0)) > 8


def test_the_knob_keeps_the_distribution_of_the_treatment():
    def quantiles(confounding):
        t = simulate_study("sun", 20_000, 6, confounding=confounding, random_state=4).treatment
        return np.quantile(t, [0.1, 0.5, 0.9])

    np.testing.assert_allclose(quantiles(1.0), quantiles(0.0), atol=0.12)


def test_propensities_are_those_of_the_papers():
    """Nie & Wager A is trimmed to [.1, .9]; Hahn's lies in [.05, .95]."""
    a = simulate_study(NieWager(setup="A"), 5000, random_state=5).truth.propensity
    assert a is not None
    assert a.min() == 0.1
    assert a.max() == 0.9
    h = simulate_study("hahn", 5000, random_state=5).truth.propensity
    assert h is not None
    assert 0.05 <= h.min() < 0.1 < 0.9 < h.max() <= 0.95
    c = NieWager(setup="C").propensity(np.array([[0.0, 1.0, 2.0, 0.0, 0.0]]))
    np.testing.assert_allclose(c, 1 / (1 + np.exp(3)))


def test_hahn_uses_the_published_levels():
    v = np.array([[2.0, 3.0, 0.5, 1.0, 1.0], [2.0, 3.0, 0.5, 0.0, 3.0]])
    np.testing.assert_allclose(Hahn().untreated(v), [1 + 2 + 1, 1 - 4 + 1])
    np.testing.assert_allclose(Hahn().effect(v), [7.0, 1.0])
    nonlinear = Hahn(prognosis="nonlinear").untreated(v)
    np.testing.assert_allclose(nonlinear, [-6 + 2 + 3, -6 - 4 + 3])


def test_a_random_state_with_the_original_seed_gives_the_original_numbers():
    """Draws in the order of the original samplers: v, t, y; noise first for Colangelo."""
    rng = np.random.RandomState(7)
    v = rng.exponential(size=(6, 4))
    t = rng.exponential(1 / (v[:, 0] + v[:, 1]))
    c = v[:, 0] + v[:, 2]
    y = t + c * np.exp(-t * c) + rng.normal(size=6)
    study = simulate_study(HiranoImbens(), 6, 4, random_state=np.random.RandomState(7))
    np.testing.assert_array_equal(study.covariates, v)
    np.testing.assert_array_equal(study.treatment, t)
    np.testing.assert_allclose(study.outcome, y, rtol=1e-14)
    rng = np.random.RandomState(7)
    epsilon, nu = rng.normal(size=6), rng.normal(size=6)
    sigma = np.eye(3) + 0.5 * (np.eye(3, k=1) + np.eye(3, k=-1))
    v = rng.multivariate_normal(np.zeros(3), sigma, size=6)
    index = v @ [1, 1 / 4, 1 / 9]
    t = norm.cdf(3 * index) + 0.75 * nu - 0.5
    study = simulate_study(Colangelo(), 6, 3, random_state=np.random.RandomState(7))
    np.testing.assert_allclose(study.treatment, t, rtol=1e-12)
    expected = 1.2 * t + t**3 + t * v[:, 0] + 1.2 * index + epsilon
    np.testing.assert_allclose(study.outcome, expected, rtol=1e-12)


@pytest.mark.parametrize("name", EFFECT_DESIGNS)
def test_seeds_are_local_and_repeatable(name):
    state = np.random.get_state()[1].copy()
    one, two = (simulate_study(name, 50, 8, random_state=3) for _ in range(2))
    other = simulate_study(name, 50, 8, random_state=4)
    np.testing.assert_array_equal(one.outcome, two.outcome)
    assert not np.array_equal(one.outcome, other.outcome)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert isinstance(EFFECT_DESIGNS[name](), EffectDesign)


def test_a_study_is_a_table_with_names():
    data = simulate_study("hahn", 40, 6, random_state=0).data
    assert data.names == ("treatment", "outcome", "v1", "v2", "v3", "v4", "v5", "v6")
    assert data.n == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"design": "hirano-imben"}, "hirano-imbens"),
        ({"design": "sun", "n_covariates": 3}, "needs at least 2 units and 6 covariates, got"),
        ({"design": "sun", "n": 1}, "got n=1"),
        ({"design": "hahn", "confounding": 1.5}, "confounding is a share of the units, got 1.5"),
        ({"design": {"name": "nie-wager", "setups": "A"}}, "setup"),
    ],
)
def test_wrong_requests_say_what_is_wrong(arguments, message):
    with pytest.raises(InputError, match=message):
        simulate_study(**arguments)
