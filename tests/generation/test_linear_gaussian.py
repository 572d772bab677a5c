"""With a linear generator imputations and likelihoods have a closed form."""

import numpy as np
import pytest
from scipy import stats

from generation.linear_models import conditional, linear_model, moments, rows_with_holes

FALSE_ALARM = 1e-4


def whitened(rows: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """Residuals of one draw that are independent standard normal if the sampler is right."""
    out = []
    for row, filled in zip(rows, draw, strict=True):
        h = np.isnan(row)
        if h.any():
            mean, covariance = conditional(row)
            out.append(np.linalg.solve(np.linalg.cholesky(covariance), filled[h] - mean))
    return np.concatenate(out)


@pytest.fixture(scope="module")
def imputed():
    rows = rows_with_holes(500, 0.5, seed=1)
    return rows, linear_model(n_warmup=60).impute(rows, 20, random_state=3)


@pytest.mark.parametrize("k", [0, 19])
def test_single_draws_follow_the_exact_conditional_law(imputed, k):
    # One draw of each row: about 1,000 independent N(0, 1) numbers. False alarms: 1 in 10,000.
    rows, draws = imputed
    u = whitened(rows, draws.draw(k))
    assert len(u) > 900
    assert stats.kstest(u, "norm").pvalue > FALSE_ALARM


def test_the_check_would_notice_draws_that_ignore_the_seen_cells(imputed):
    rows, _ = imputed
    marginal = np.random.default_rng(0).multivariate_normal(*moments(), len(rows))
    assert stats.kstest(whitened(rows, marginal), "norm").pvalue < FALSE_ALARM


def test_the_check_would_notice_means_in_place_of_draws(imputed):
    rows, draws = imputed
    assert stats.kstest(whitened(rows, draws.mean), "norm").pvalue < FALSE_ALARM


def test_given_cells_stay_exactly_as_given(imputed):
    rows, draws = imputed
    seen = ~np.isnan(rows)
    np.testing.assert_array_equal(draws.mean[seen], rows[seen])
    np.testing.assert_array_equal(draws.draw(3)[seen], rows[seen])
    assert not np.isnan(draws.mean).any()


def test_intervals_have_the_exact_width(imputed):
    # The width of the 90 % interval of 20 draws is noisy, its mean over 1,000 cells is not:
    # against simulated exact draws, within 4 standard errors (false alarms 1 in 16,000).
    rows, draws = imputed
    rng = np.random.default_rng(5)
    ratio, expected = [], []
    interval = draws.interval(0.9)
    for i, row in enumerate(rows):
        h = np.isnan(row)
        if h.any():
            _, covariance = conditional(row)
            sd = np.sqrt(np.diag(covariance))
            ratio += list((interval[i, h, 1] - interval[i, h, 0]) / sd)
            lower, upper = np.quantile(rng.normal(size=(20, h.sum())), [0.05, 0.95], axis=0)
            expected += list(upper - lower)
    # Draws of one chain are a little dependent, which narrows the intervals of 20 of them by
    # some per cent: the bound adds 5 % of the width.
    error = np.sqrt(np.var(ratio) / len(rows) + np.var(expected) / len(expected))
    gap = abs(np.mean(ratio) - np.mean(expected))
    assert gap < 4 * error + 0.05 * np.mean(expected)


def test_likelihoods_equal_the_closed_form_in_the_users_units():
    rows = rows_with_holes(60, 0.4, seed=2)
    model = linear_model(n_evidence=2000)
    found = model.evidence(rows)
    mean, covariance = moments()
    exact = [
        stats.multivariate_normal(mean[o], covariance[np.ix_(o, o)]).logpdf(row[o])
        if o.any()
        else 0
        for row, o in zip(rows, ~np.isnan(rows), strict=True)
    ]
    # The standard error of a log mean of weights is about 1 / sqrt(ESS); 60 rows, 5 of them each:
    # false alarms below 1 in 10,000.
    gap = np.abs(found.log_likelihood.numpy() - exact)
    assert (gap < 5 / np.sqrt(found.ess.numpy())).all()
    assert float(found.ess.min()) > 400
    assert gap.max() < 0.15


def test_latent_means_equal_the_closed_form():
    from generation.linear_models import CENTRE, LOADINGS, SCALE, STDS

    rows = rows_with_holes(40, 0.4, seed=4)
    found = linear_model(n_evidence=2000).evidence(rows)
    a, s = LOADINGS.double().numpy(), STDS.double().numpy()
    for row, mean, ess in zip(rows, found.latent_mean.numpy(), found.ess.numpy(), strict=True):
        o = ~np.isnan(row)
        precision = np.eye(2) + (a[:, o] / s[o] ** 2) @ a[:, o].T
        exact = np.linalg.solve(precision, (a[:, o] / s[o] ** 2) @ ((row - CENTRE) / SCALE)[o])
        assert np.abs(mean - exact).max() < 5 / np.sqrt(ess)


def test_a_row_has_the_same_score_in_any_company():
    rows = rows_with_holes(30, 0.4, seed=2)
    model = linear_model()
    alone = [float(model.evidence(row[None]).log_likelihood) for row in rows[:5]]
    np.testing.assert_allclose(model.evidence(rows).log_likelihood[:5], alone, rtol=1e-9)


def test_samples_have_the_moments_of_the_model():
    values = linear_model().sample(20_000, random_state=0).values[0]
    mean, covariance = moments()
    u = np.linalg.solve(np.linalg.cholesky(covariance), (values - mean).T).ravel()
    assert stats.kstest(u, "norm").pvalue > FALSE_ALARM


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    rows, model = rows_with_holes(20, 0.4, seed=2), linear_model(n_warmup=10)
    first, again = (model.impute(rows, 8, random_state=1).cells for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (model.impute(rows, 8, random_state=2).cells != first).mean() > 0.99
