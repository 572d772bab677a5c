"""Tables with known distributions: moments, parity with the original draws, hidden cells."""

import numpy as np
import pytest

from aetia.errors import InputError
from aetia.scm import table_designs as designs


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_low_rank_table_is_normal_with_known_moments():
    """14 numbers at 4.5 standard errors."""
    n = 20_000
    x = designs.low_rank_table(n, rng()).values
    a, w = designs.LOADINGS, designs.FACTORS
    covariance = a @ a.T + np.diag(designs.DIAGONAL) + w @ w.T
    se = np.sqrt(np.diag(covariance) / n)
    assert (np.abs(x.mean(0) - designs.OFFSET) < 4.5 * se).all()
    v = np.diag(covariance)
    spread = np.sqrt((np.outer(v, v) + covariance**2) / n)
    assert (np.abs(np.cov(x.T) - covariance) < 4.5 * spread).all()


def test_scaled_noise_follows_the_first_latent():
    x, z = designs.low_rank_table(20_000, rng(), scale_by_latent=True)
    noise = (x - z @ designs.LOADINGS.T - designs.OFFSET) / np.abs(z[:, :1])
    w = designs.FACTORS
    np.testing.assert_allclose(np.cov(noise.T), np.diag(designs.DIAGONAL) + w @ w.T, atol=0.01)


@pytest.mark.parametrize("scaled", [False, True])
def test_low_rank_rows_are_those_of_row_by_row_draws(scaled):
    """The original draws every row from multivariate_normal."""
    got = designs.low_rank_table(5, np.random.RandomState(3), scale_by_latent=scaled).values
    r = np.random.RandomState(3)
    z = r.randn(5, 2).astype(np.float32)
    w, d = designs.FACTORS, np.diag(designs.DIAGONAL)
    for i in range(5):
        s = z[i, 0] if scaled else 1.0
        row = r.multivariate_normal(
            z[i] @ designs.LOADINGS.T + designs.OFFSET, d * s**2 + (w * s) @ (w * s).T
        )
        np.testing.assert_allclose(got[i], row, atol=1e-5)


def test_outcomes_scatter_by_their_own_spread():
    for made in (
        designs.heteroskedastic_regression(20_000, 3, rng()),
        designs.latent_heteroskedastic(20_000, 3, 6, rng()),
        designs.linear_regression(20_000, 3, 1, rng()),
    ):
        z = ((made.outcome - made.mean) / made.std).ravel()
        assert abs(z.mean()) < 4.5 / 20_000**0.5
        assert abs(z.var() - 1) < 4.5 * (2 / 20_000) ** 0.5
        assert made.std.max() > 1.5 * made.std.min()


def test_draws_come_in_the_order_of_the_original():
    r = np.random.RandomState(42)
    x = r.randn(6, 3)
    noise = r.randn(6)
    made = designs.heteroskedastic_regression(6, 3, np.random.RandomState(42))
    np.testing.assert_array_equal(made.inputs, x)
    np.testing.assert_allclose(made.outcome, x[:, 0] + noise * made.std)
    r = np.random.RandomState(42)
    z, a = r.randn(6, 2), r.randn(4, 2)
    x = 0.2 * z @ a.T + 0.1 * r.randn(6, 4)
    w, u = r.randn(2), r.randn(2)
    std = 0.1 + 0.5 / (1 + np.exp(-(z @ u)))
    y = np.sin(z @ w) + std * r.randn(6)
    made = designs.latent_heteroskedastic(6, 2, 4, np.random.RandomState(42))
    np.testing.assert_array_equal(made.inputs, x)
    np.testing.assert_allclose(made.outcome, y)


def test_the_roll_and_the_mixture_have_their_shapes():
    x, r = designs.swiss_roll(5000, rng(), noise_std=0.01)
    assert np.abs(np.hypot(*x.T) - r[:, 0]).max() < 0.06
    x, k = designs.mixture_table(5000, 3, 4, rng(), noise_std=0.05)
    centres = np.linspace(-1, 1, 4)
    assert np.abs(x - centres[k.astype(int)]).max() < 0.3
    assert abs(np.corrcoef(x.T)[0, 1]) < 4.5 / 5000**0.5
    x, z = designs.nonlinear_factors(5000, 8, 2, rng())
    linear = np.linalg.lstsq(z, x, rcond=None)[0]
    assert ((x - z @ linear).var(0) / x.var(0)).mean() > 0.3


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("mechanism", ["mcar", "mar", "mnar"])
def test_the_stated_share_is_hidden_for_the_stated_reason(share, mechanism):
    x = rng().normal(size=(20_000, 6)) * [1, 2, 3, 4, 5, 6] + 10
    hidden = designs.missing_cells(x, share, rng(1), mechanism)
    columns = hidden[:, 3:] if mechanism == "mar" else hidden
    se = (share * (1 - share) / 20_000) ** 0.5
    assert (np.abs(columns.mean(0) - share) < 4.5 * se).all()
    own = np.array([np.corrcoef(hidden[:, j], x[:, j])[0, 1] for j in range(3, 6)])
    driver = ((x - x.mean(0)) / x.std(0))[:, :3].mean(1)
    drive = np.array([np.corrcoef(hidden[:, j], driver)[0, 1] for j in range(3, 6)])
    bound = 4.5 / 20_000**0.5
    assert (own > 0.2).all() if mechanism == "mnar" else (np.abs(own) < bound).all()
    assert (drive > 0.2).all() if mechanism == "mar" else (np.abs(drive) < bound).all()
    if mechanism == "mar":
        assert not hidden[:, :3].any()


def test_nothing_and_nonsense():
    x = rng().normal(size=(5, 2))
    for mechanism in ("mcar", "mar", "mnar"):
        assert not designs.missing_cells(x, 0.0, rng(), mechanism).any()
    with pytest.raises(InputError, match=r"share must lie in \[0, 1\), got 1.5"):
        designs.missing_cells(x, 1.5, rng())
    with pytest.raises(InputError, match="'nmar' is not one of mcar, mar, mnar"):
        designs.missing_cells(x, 0.5, rng(), "nmar")
