"""Corrected averages against computations written out, and against what they must remove."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.interpolate import CubicSpline

from aetia.effects.causalbgm.correction import (
    arm_scores,
    bootstrap_weights,
    corrected_dose_response,
    natural_spline,
    spline_knots,
    widened_by_folds,
)
from aetia.effects.causalbgm.dose_distribution import DoseDistribution

KNOTS = np.array([-1.5, -0.4, 0.1, 0.9, 2.0])


def test_bootstrap_weights_are_uniform_on_the_simplex():
    # Each weight is Beta(1, n - 1), and n is 6: KS of 6 columns, false alarms below 1 in 1,000.
    weights = bootstrap_weights(4000, 6, np.random.default_rng(0))
    np.testing.assert_allclose(weights.sum(1), 1)
    assert (weights >= 0).all()
    for column in weights.T:
        assert stats.kstest(column, stats.beta(1, 5).cdf).pvalue > 1e-3 / 6
    # Weights of two units have correlation -1 / (n - 1): 5 standard errors.
    found = np.corrcoef(weights.T)[np.triu_indices(6, 1)]
    assert np.abs(found + 0.2).max() < 5 / np.sqrt(4000)


def test_bootstrap_weights_give_the_posterior_of_a_mean():
    # Rubin (1981): the variance of a weighted mean is the sample variance over n + 1.
    y = np.random.default_rng(1).exponential(size=80)
    draws = bootstrap_weights(20_000, 80, np.random.default_rng(2)) @ y
    assert abs(draws.mean() - y.mean()) < 5 * draws.std() / np.sqrt(20_000)
    np.testing.assert_allclose(draws.var(), y.var() / 81, rtol=5 * np.sqrt(2.2 / 20_000))


def test_arm_scores_are_augmented_inverse_propensity_scores():
    rng = np.random.default_rng(0)
    t = rng.integers(0, 2, 15).astype(float)
    y, m, e = rng.normal(size=15), rng.normal(size=(2, 15, 2)), rng.uniform(0.1, 0.9, (2, 15))
    found = arm_scores(t, y, m, e)
    for r in range(2):
        for i in range(15):
            zero, one = m[r, i]
            if t[i] == 1:
                one += (y[i] - one) / e[r, i]
            else:
                zero += (y[i] - zero) / (1 - e[r, i])
            np.testing.assert_allclose(found[r, i], [zero, one])


def test_scores_are_right_on_average_if_either_model_is():
    # Doubly robust, exactly: expectations are sums over a distribution with two points.
    v, e = np.array([-1.0, 1.0]), np.array([0.3, 0.8])
    truth = np.column_stack([v, 2 * v + 1])

    def average(means, propensity):
        total = np.zeros(2)
        for t in (0.0, 1.0):
            y = truth[:, int(t)]
            scores = arm_scores(np.full(2, t), y, means, propensity)
            total += (np.where(t == 1, e, 1 - e)[:, None] * scores).mean(0)
        return total

    wrong = truth + np.array([[0.7, -2.0], [1.0, 0.3]])
    np.testing.assert_allclose(average(wrong, e), truth.mean(0))
    np.testing.assert_allclose(average(truth, np.array([0.6, 0.4])), truth.mean(0))
    assert np.abs(average(wrong, np.array([0.6, 0.4])) - truth.mean(0)).max() > 0.1


def test_hopeless_propensities_do_not_make_a_unit_worth_more_than_fifty():
    t, y = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    scores = arm_scores(t, y, np.zeros((2, 2)), np.array([0.0, 1.0]))
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores, [[0, 50], [50, 0]])


def test_knots_increase_between_the_outer_quantiles_and_ties_merge_them():
    doses = np.random.default_rng(0).exponential(size=500)
    knots = spline_knots(doses)
    assert len(knots) == 7
    assert (np.diff(knots) > 0).all()
    np.testing.assert_allclose(knots[[0, -1]], np.quantile(doses, [0.02, 0.98]))
    assert len(spline_knots(np.repeat([0.0, 1.0, 2.0], 50))) <= 3
    assert len(spline_knots(np.ones(50))) == 1


@given(st.floats(-10, 10))
def test_the_basis_sums_to_one_everywhere(x):
    np.testing.assert_allclose(natural_spline(np.array([x]), KNOTS).sum(-1), 1, atol=1e-12)


def test_the_basis_interpolates_as_scipys_natural_spline_does():
    rng = np.random.default_rng(0)
    values, x = rng.normal(size=5), np.linspace(-1.5, 2.0, 101)
    expected = CubicSpline(KNOTS, values, bc_type="natural")(x)
    np.testing.assert_allclose(natural_spline(x, KNOTS) @ values, expected, atol=1e-12)
    np.testing.assert_allclose(natural_spline(KNOTS, KNOTS), np.eye(5), atol=1e-12)


def test_the_basis_is_constant_outside_the_knots():
    found = natural_spline(np.array([-99.0, -1.5, 2.0, 99.0]), KNOTS)
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[3], found[2])


def design(n=3000, seed=0):
    """Doses with a known distribution given a covariate, and a truth linear in the basis."""
    rng = np.random.default_rng(seed)
    v = rng.normal(size=n)
    t = 0.7 * v + rng.normal(size=n)
    return v, t, DoseDistribution.of(t, 0.7 * v, np.ones(n))


def truth(v, doses, coefficients, knots):
    return natural_spline(doses, knots) @ coefficients + np.multiply.outer(v, np.ones(len(doses)))


@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_a_constant_bias_of_the_curves_is_removed_exactly(bias):
    v, t, distribution = design(400)
    knots, doses = spline_knots(t), np.linspace(-1, 1, 7)
    coefficients = np.random.default_rng(1).normal(size=len(knots))
    weights = bootstrap_weights(5, 400, np.random.default_rng(2))
    curves = truth(v, doses, coefficients, knots)
    y = natural_spline(t, knots) @ coefficients + v
    found = corrected_dose_response(
        curves + bias,
        truth(v, knots, coefficients, knots) + bias,
        doses,
        t,
        y - (y + bias),
        distribution,
        weights,
    )
    np.testing.assert_allclose(found, weights @ curves, atol=1e-9)


def test_a_bias_that_bends_with_the_dose_is_removed_without_noise():
    # y - m = B(t)'b exactly: the corrected curve is the truth, up to the ridge (1 in 1,000 of
    # the mean eigenvalue) and to the mean of x, which vanishes with the units.
    v, t, distribution = design(20_000)
    knots, doses = spline_knots(t), np.linspace(-1.5, 1.5, 9)
    coefficients = np.array([0.5, -0.5, 1.0, 0.0, -1.0, 0.3, 0.8])
    plain = np.zeros((len(v), len(doses))) + v[:, None]
    residual = natural_spline(t, knots) @ coefficients
    weights = np.full((1, len(v)), 1 / len(v))
    found = corrected_dose_response(
        plain, np.zeros((len(v), 7)) + v[:, None], doses, t, residual, distribution, weights
    )
    wanted = v.mean() + natural_spline(doses, knots) @ coefficients
    np.testing.assert_allclose(found[0], wanted, atol=0.06)
    assert np.abs(plain.mean(0) - wanted).max() > 0.5


def test_errors_of_the_covariates_alone_do_not_bend_the_curve():
    v, t, distribution = design(20_000)
    doses = np.linspace(-1.5, 1.5, 9)
    weights = np.full((1, len(v)), 1 / len(v))
    residual = np.sin(2 * v) + v  # confounded with the dose
    flat = np.zeros((len(v), 9))
    found = corrected_dose_response(
        flat, np.zeros((len(v), 7)), doses, t, residual, distribution, weights
    )[0]
    # A regression on the dose alone would bend by about 1 over this range.
    naive = np.polyval(np.polyfit(t, residual, 1), doses)
    assert np.ptp(naive) > 1
    assert np.ptp(found) < 0.15


def test_the_correction_equals_its_formula_written_out():
    rng = np.random.default_rng(0)
    n = 60
    _, t, distribution = design(n)
    doses, knots = np.array([-0.5, 0.2, 1.1]), spline_knots(t)
    curves, own = rng.normal(size=(n, 3)), rng.normal(size=(n, len(knots)))
    residual, weights = rng.normal(size=n), bootstrap_weights(3, n, rng)
    found = corrected_dose_response(curves, own, doses, t, residual, distribution, weights)
    basis = natural_spline(t, knots)
    expected = np.array([natural_spline(one, knots).mean(0) for one in distribution.nodes()])
    m = own - own.mean(0)
    x = [np.append(b - e, (b - e) @ c) for b, e, c in zip(basis, expected, m, strict=True)]

    def regression(w, r):
        gram = sum(wi * np.outer(xi, xi) for wi, xi in zip(w, x, strict=True))
        r = r - w @ r
        right = sum(wi * xi * ri for wi, xi, ri in zip(w, x, r, strict=True))
        # A relative ridge of 0.001: of the mean diagonal of the splines' part.
        gram += 0.001 * np.trace(gram[:-1, :-1]) / len(knots) * np.eye(len(gram))
        return np.linalg.solve(gram, right), gram

    def average(w, r):
        *beta, gamma = regression(w, r)[0]
        return (
            w @ curves
            + w @ r
            + (natural_spline(doses, knots) - w @ expected) @ beta
            - gamma * sum(wi * e @ c for wi, e, c in zip(w, expected, m, strict=True))
        )

    alike = np.full(n, 1 / n)
    slopes, gram = regression(alike, residual)
    widened = []
    for xi, ri in zip(x, residual, strict=True):
        leverage = xi @ np.linalg.solve(gram, xi) / n
        explained = residual.mean() + xi @ slopes
        widened.append(explained + (ri - explained) / (1 - min(leverage, 0.8)))
    for w, row in zip(weights, found, strict=True):
        wanted = average(alike, residual) + average(w, widened) - average(alike, widened)
        np.testing.assert_allclose(row, wanted, atol=1e-10)


def test_tied_doses_leave_the_mean_residual_only():
    n, rng = 30, np.random.default_rng(0)
    curves, residual = rng.normal(size=(n, 2)), rng.normal(size=n)
    w = bootstrap_weights(4, n, rng)
    found = corrected_dose_response(
        curves,
        np.zeros((n, 1)),
        np.zeros(2),
        np.ones(n),
        residual,
        DoseDistribution.of(*np.ones((3, n))),
        w,
    )
    np.testing.assert_allclose(found, w @ (curves + residual[:, None]))


def test_units_and_scale_of_the_outcome_pass_through():
    _, t, distribution = design(200)
    rng = np.random.default_rng(3)
    doses = np.linspace(-1, 1, 4)
    curves, own, residual = (
        rng.normal(size=(200, 4)),
        rng.normal(size=(200, 7)),
        rng.normal(size=200),
    )
    w = bootstrap_weights(3, 200, rng)
    one = corrected_dose_response(curves, own, doses, t, residual, distribution, w)
    moved = corrected_dose_response(curves + 7, own + 7, doses, t, residual, distribution, w)
    np.testing.assert_allclose(moved, one + 7, atol=1e-9)
    order = rng.permutation(200)
    shuffled = corrected_dose_response(
        curves[order],
        own[order],
        doses,
        t[order],
        residual[order],
        DoseDistribution(*(a[order] for a in distribution)),
        w[:, order],
    )
    np.testing.assert_allclose(shuffled, one, atol=1e-9)


def test_folds_that_agree_leave_the_draws_and_folds_that_differ_widen_them():
    rng = np.random.default_rng(0)
    draws = rng.normal(2.0, 0.5, (400, 3))
    reference = rng.normal(0.0, 0.5, (400, 4))
    assert_same = np.testing.assert_allclose
    assert_same(widened_by_folds(draws, reference, np.ones((5, 4))), draws)
    # Variance of the mean of five folds is 4 times that of the draws: twice as wide.
    apart = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])[:, None] * np.ones(4)
    apart = apart / apart.std(0, ddof=1) * np.sqrt(5 * 4 * reference.var(0).mean())
    found = widened_by_folds(draws, reference, apart)
    assert_same(found.mean(0), draws.mean(0))
    assert_same(found.std(0), 2 * draws.std(0))
    one = draws[:1]
    assert_same(widened_by_folds(one, reference[:1], apart), one)
