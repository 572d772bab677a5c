"""How many latents: on data whose dimensions are known."""

import numpy as np
import pytest

from aetia.effects.causalbgm.latent_dimensions import latent_dimensions, sliced_inverse_dimension


def columns(n=4000, p=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)), rng


def test_a_single_index_has_one_direction():
    v, rng = columns()
    index = v @ np.array([1, -1, 0.5, 0, 0, 0, 0, 0])
    assert sliced_inverse_dimension(v, index**3 + 0.1 * rng.normal(size=len(v))) == 1


def test_two_indices_with_different_curves_have_two_directions():
    # Li (1991): a ratio of two indices; slices' means move in both directions.
    v, rng = columns(20_000)
    y = v[:, 0] / (0.5 + (v[:, 1] + 1.5) ** 2) + 0.02 * rng.normal(size=len(v))
    assert sliced_inverse_dimension(v, y, share=0.95) == 2
    assert sliced_inverse_dimension(v, y, share=0.3) == 1


def test_the_dimension_does_not_depend_on_the_units_of_the_covariates():
    v, rng = columns()
    y = np.exp(v[:, 0]) + v[:, 1] + 0.1 * rng.normal(size=len(v))
    mixed = v @ rng.normal(size=(8, 8)) * 1e3 + 5
    for share in (0.6, 0.8, 0.95):
        a, b = (sliced_inverse_dimension(x, y, share=share) for x in (v, mixed))
        assert a == b


def test_it_is_the_smallest_number_that_explains_the_share():
    """Against sliced inverse regression written out with a covariance matrix."""
    v, rng = columns(600)
    y = v[:, 0] ** 3 + v[:, 1] + rng.normal(size=600)
    centred = v - v.mean(0)
    values, vectors = np.linalg.eigh(np.cov(centred.T, bias=True))
    white = centred @ vectors / np.sqrt(values)
    groups = np.array_split(np.argsort(y, kind="stable"), 10)
    between = sum(len(g) / 600 * np.outer(white[g].mean(0), white[g].mean(0)) for g in groups)
    shares = np.cumsum(np.linalg.eigvalsh(between)[::-1]) / np.trace(between)
    for share in (0.5, 0.8, 0.9, 0.99):
        k = sliced_inverse_dimension(v, y, share=share)
        assert shares[k - 1] >= share
        assert k == 1 or shares[k - 2] < share


@pytest.mark.parametrize("target", [np.zeros(50), np.repeat([0.0, 1.0], 25)])
def test_it_is_at_least_one_and_at_most_the_number_of_columns(target):
    v, _ = columns(50, 3)
    assert 1 <= sliced_inverse_dimension(v, target) <= 3
    assert sliced_inverse_dimension(np.zeros((50, 3)), target) >= 1


def test_the_roles_share_what_principal_components_say():
    # 20 columns from 12 equal factors: 70 % of the variance needs 9 components.
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(5000, 12))
    loadings = np.linalg.qr(rng.normal(size=(20, 12)))[0]
    v = factors @ loadings.T + 0.01 * rng.normal(size=(5000, 20))
    t = factors[:, 0] + 0.1 * rng.normal(size=5000)
    y = factors[:, 1] + 0.1 * rng.normal(size=5000)
    roles = latent_dimensions(v, t, y)
    standard = (v - v.mean(0)) / v.std(0)
    shares = np.sort(np.linalg.eigvalsh(np.corrcoef(standard.T)))[::-1].cumsum() / 20
    total = int(np.argmax(shares >= 0.7)) + 1
    assert roles[:3] == (3, 1, 1)
    assert roles.rest == max(total - 5, 3)
    assert roles.total == max(total, 8)
    assert latent_dimensions(v, t, y, largest=6).rest == 3
    assert latent_dimensions(v, t, y, largest=6, smallest_rest=0, confounder=2).total == 6


def test_rescaled_and_constant_columns_change_nothing():
    v, rng = columns(1000)
    t, y = v[:, 0] + rng.normal(size=1000), v[:, 1] + rng.normal(size=1000)
    scaled = np.column_stack([v * 10.0 ** np.arange(8), np.ones(1000)])
    one, two = latent_dimensions(v, t, y), latent_dimensions(scaled, t, y)
    assert one.total == two.total
    assert one == two
