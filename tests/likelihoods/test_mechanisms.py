"""Mechanisms against closed forms, scipy and recovery of known conditional distributions."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.errors import InputError
from aetia.likelihoods.mechanisms import (
    MechanismTable,
    RootDistribution,
    cosine_columns,
    fit_additive,
    fit_logistic,
    fit_table,
    level_columns,
    smoothing_columns,
    spline_columns,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def everywhere(columns, n):
    return columns.of_rows(torch.ones(n, dtype=torch.bool))


def normals(n, seed):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(n))


def test_the_root_is_the_bayesian_bootstrap():
    """Mean of the drawn means is the sample mean, their variance s^2 / (n + 1); 4.5 sigma."""
    x = normals(40, 0).exp()
    drawn = RootDistribution(x).draw(20_000, generator())
    means = drawn.mean(torch.empty(20_000, 1, 1, 0, dtype=torch.float64)).flatten()
    variance = float(x.var(correction=0)) / (len(x) + 1)
    assert abs(float(means.mean() - x.mean())) < 4.5 * math.sqrt(variance / 20_000)
    assert float(means.var()) == pytest.approx(variance, rel=4.5 * math.sqrt(2.5 / 20_000))


def test_quantiles_of_a_root_are_its_rows():
    x = normals(30, 1)
    drawn = RootDistribution(x).draw(5, generator())
    uniform = torch.rand(5, 64, dtype=torch.float64, generator=generator(1))
    values = drawn.value(torch.zeros(5, 2, 64, 1, dtype=torch.float64), uniform)
    assert values.shape == (5, 2, 64)
    assert np.isin(values.numpy(), x.numpy()).all()
    assert torch.equal(values[:, 0], values[:, 1])  # the same noise at every dose
    rising = drawn.at(uniform.sort(-1).values)
    assert (rising.diff(dim=-1) >= 0).all()


def test_many_rows_are_condensed_without_loss_of_spread():
    """20,000 rows: the drawn means vary as s^2 / n, relative error of the variance 4.5 sigma."""
    x = normals(20_000, 15)
    drawn = RootDistribution(x).draw(2000, generator())
    assert drawn.weights.shape[1] == 4096
    means = drawn.mean(torch.empty(2000, 1, 1, 0, dtype=torch.float64)).flatten()
    assert abs(float(means.mean() - x.mean())) < 4.5 / math.sqrt(20_000 * 2000)
    assert float(means.var()) == pytest.approx(1 / 20_000, rel=4.5 * math.sqrt(2 / 2000))


@pytest.mark.parametrize("build", [cosine_columns, smoothing_columns, spline_columns])
def test_columns_continue_beyond_the_data_and_agree_at_the_rows(build):
    x = normals(80, 2)
    columns = everywhere(build(x), 80)
    np.testing.assert_allclose(columns.at_rows.mean(0), 0.0, atol=1e-12)
    rows_in_points = torch.searchsorted(columns.points, x.sort().values)
    np.testing.assert_allclose(
        columns.at_points[rows_in_points], columns.at_rows[x.argsort()], atol=1e-9
    )
    assert columns.variances[0] == columns.variances.max()
    assert columns.is_smooth.sum() in (0, columns.at_rows.shape[1] - 1)


@pytest.mark.parametrize("build", [cosine_columns, smoothing_columns])
@pytest.mark.parametrize("distinct", [1, 2, 3, 5])
def test_few_distinct_values_make_few_columns(build, distinct):
    x = torch.arange(60, dtype=torch.float64) % distinct
    columns = everywhere(build(x + 3.0), 60) if distinct > 1 else None
    if columns is None:
        return
    assert columns.at_rows.shape[1] <= max(1, distinct - 1)
    assert torch.isfinite(columns.at_rows).all()
    assert torch.isfinite(fit_additive(normals(60, 3), [columns]).coefficients).all()


def test_an_additive_posterior_of_a_line_is_that_of_ordinary_regression():
    """Linear truth: the drawn slope has the Student posterior of least squares, within 4.5 sigma.

    Without smooth columns and with a prior 100 times wider than the noise the posterior is the
    classical one: mean within 1 % of its standard error, n - 1 degrees of freedom for n - 2.
    """
    x, noise = normals(100, 4), normals(100, 5)
    y = 1.0 + 2.0 * x + 0.5 * noise
    columns = everywhere(smoothing_columns(x, n_columns=0), 100)
    drawn = fit_additive(y, [columns]).draw(20_000, generator())
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(20_000, 1, 2).unsqueeze(-1)
    means = drawn.mean(ends)[:, 0, :, 0]
    slope = means[:, 1] - means[:, 0]
    fit = stats.linregress(x.numpy(), y.numpy())
    assert abs(float(slope.mean()) - fit.slope) < (0.01 + 4.5 / math.sqrt(20_000)) * fit.stderr
    assert float(slope.std()) == pytest.approx(fit.stderr, rel=0.04)
    at_mean = drawn.mean(torch.full((20_000, 1, 1, 1), float(x.mean()), dtype=torch.float64))
    assert float(at_mean.std()) == pytest.approx(0.5 / 10, rel=0.2)


def test_drawn_noise_has_the_drawn_variance_and_mean_zero():
    x = normals(200, 6)
    y = x + normals(200, 7).square()  # skewed noise
    drawn = fit_additive(y, [everywhere(smoothing_columns(x), 200)]).draw(50, generator())
    uniform = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    noise = drawn.value(torch.zeros(50, 1, 20_000, 1, dtype=torch.float64), uniform.expand(50, -1))
    np.testing.assert_allclose(noise.mean(-1), 0.0, atol=2e-3)
    skew = stats.skew(noise[:, 0].numpy(), axis=-1)
    assert (skew > 1.0).mean() > 0.9  # residuals keep the shape of the noise


def test_curves_are_recovered_inside_their_bands():
    """Pointwise 90 % bands of a sine, 40 tables: mean coverage .83 to .97 (about 3 sigma)."""
    inside = []
    at = torch.linspace(-1.5, 1.5, 21, dtype=torch.float64)
    for seed in range(40):
        x = normals(150, 100 + seed)
        y = (2 * x).sin() + 0.4 * normals(150, 200 + seed)
        drawn = fit_additive(y, [everywhere(smoothing_columns(x), 150)]).draw(300, generator(seed))
        curve = drawn.mean(at.expand(300, 1, -1).unsqueeze(-1))[:, 0, :, 0]
        curve = curve - curve.mean(1, keepdim=True)
        truth = (2 * at).sin() - (2 * at).sin().mean()
        low, high = curve.quantile(torch.tensor([0.05, 0.95], dtype=torch.float64), dim=0)
        inside.append(((low <= truth) & (truth <= high)).double().mean())
    assert 0.83 < float(torch.stack(inside).mean()) < 0.97


def test_a_conditional_table_is_dirichlet():
    codes = torch.tensor([0.0, 1, 1, 2, 0, 1], dtype=torch.float64)
    parents = torch.tensor([[0.0, 0], [0, 1], [0, 1], [1, 0], [1, 0], [0, 1]], dtype=torch.float64)
    table = fit_table(codes, 3, parents, [2, 2], sample_size=2.0)
    assert table.concentrations.shape == (4, 3)
    assert float(table.concentrations.sum()) == 6 + 2
    drawn = table.draw(20_000, generator())
    given = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(20_000, 1, 1, 2)
    p = drawn.mean(given)[:, 0, 0]
    np.testing.assert_allclose(p.sum(-1), 1.0)
    posterior = stats.dirichlet([2 / 12, 3 + 2 / 12, 2 / 12])
    error = 4.5 * np.sqrt(posterior.var() / 20_000)
    assert (np.abs(p.mean(0).numpy() - posterior.mean()) < error).all()
    uniform = torch.rand(20_000, 1, dtype=torch.float64, generator=generator(2))
    levels = drawn.value(drawn.mean(given), uniform).flatten()
    share = torch.bincount(levels.long(), minlength=3).double() / 20_000
    assert (np.abs(share.numpy() - posterior.mean()) < 4.5 * 0.5 / np.sqrt(20_000)).all()


def test_a_logistic_mechanism_recovers_probabilities():
    """Three levels, one number and one factor: errors within 4.5 posterior deviations."""
    n = 4000
    x, rng = normals(n, 8), np.random.default_rng(9)
    factor = torch.from_numpy(rng.integers(0, 3, n).astype(float))
    logits = torch.stack(
        [torch.zeros(n).double(), x + (factor == 1), -0.5 * x + 0.8 * (factor == 2)], -1
    )
    p = logits.softmax(-1)
    codes = (torch.from_numpy(rng.random((n, 1))) > p.cumsum(-1)[:, :2]).sum(-1).double()
    columns = [everywhere(smoothing_columns(x), n), everywhere(level_columns(factor, 3), n)]
    drawn = fit_logistic(codes, 3, columns).draw(500, generator())
    for value, level in [(-1.0, 0.0), (0.0, 1.0), (1.0, 2.0)]:
        given = torch.tensor([value, level], dtype=torch.float64).expand(500, 1, 1, 2)
        found = drawn.mean(given)[:, 0, 0]
        truth = torch.tensor(
            [0.0, value + (level == 1), -0.5 * value + 0.8 * (level == 2)]
        ).softmax(-1)
        assert ((found.mean(0) - truth).abs() < 4.5 * found.std(0)).all()
        assert (found.std(0) < 0.05).all()


def test_separated_levels_stay_finite():
    x = normals(60, 10)
    codes = (x > 0).double()
    drawn = fit_logistic(codes, 2, [everywhere(smoothing_columns(x), 60)]).draw(50, generator())
    far = torch.tensor([-1.5, 1.5], dtype=torch.float64).expand(50, 1, 2).unsqueeze(-1)
    p = drawn.mean(far)
    assert torch.isfinite(p).all()
    assert (p[:, 0, 0, 0] > 0.5).all()


def test_rows_that_set_a_variable_say_nothing_of_its_mechanism():
    x = normals(300, 11)
    y = 2.0 * x + 0.1 * normals(300, 12)
    mask = torch.zeros(300, 2, dtype=torch.bool)
    mask[150:, 1] = True
    y[150:] = 100.0
    table = MechanismTable(torch.stack([x, y], -1), (0, 0), mask)
    drawn = table.mechanism(1, (0,)).draw(100, generator())
    at = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(100, 1, 2).unsqueeze(-1)
    means = drawn.mean(at)[:, 0, :, 0]
    assert abs(float((means[:, 1] - means[:, 0]).mean()) - 2.0) < 0.1
    always = torch.ones_like(mask)
    with pytest.raises(InputError, match="set by intervention"):
        MechanismTable(torch.stack([x, y], -1), (0, 0), always).mechanism(1, (0,))


def test_the_mechanism_follows_the_kinds():
    rng = np.random.default_rng(13)
    codes = torch.from_numpy(rng.integers(0, 2, (80, 4)).astype(float))
    numbers = normals(80, 14).unsqueeze(-1)
    table = MechanismTable(torch.cat([codes, numbers], -1), (2, 2, 2, 2, 0))
    kind = lambda node, parents: type(table.mechanism(node, parents)).__name__  # noqa: E731
    assert kind(0, ()) == "ConditionalTable"
    assert kind(0, (1, 2, 3)) == "ConditionalTable"
    assert kind(0, (1, 4)) == "LogisticPosterior"
    assert kind(4, ()) == "RootDistribution"
    assert kind(4, (0, 1)) == "AdditivePosterior"
    few = MechanismTable(codes[:15], (2, 2, 2, 2))
    assert type(few.mechanism(0, (1, 2, 3))).__name__ == "LogisticPosterior"  # 8 cells, 15 rows
