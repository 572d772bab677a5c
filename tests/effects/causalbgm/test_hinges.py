"""Knots cut the data into equal parts, and hinges span the piecewise-linear functions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.effects.causalbgm.hinges import hinges, quantile_knots
from effects.causalbgm.small import generator, make_networks, random_units


@given(st.integers(0, 2**31), st.integers(0, 6))
def test_knots_are_the_quantiles_of_equal_parts(seed, n_knots):
    x = torch.randn(50, 3, generator=generator(seed), dtype=torch.float64)
    shares = [(k + 1) / (n_knots + 1) for k in range(n_knots)]
    found = quantile_knots(x, n_knots)
    assert found.shape == (n_knots, 3)
    np.testing.assert_allclose(found, np.quantile(x, shares, axis=0).reshape(n_knots, 3))
    assert quantile_knots(x[:, 0], n_knots).shape == (n_knots,)


def test_as_many_units_lie_between_any_two_knots():
    x = torch.randn(1000, generator=generator())
    edges = torch.bucketize(x, quantile_knots(x, 4))
    assert torch.bincount(edges).tolist() == [200] * 5


def test_hinges_are_the_number_and_its_distances_above_the_knots():
    found = hinges(torch.tensor([-2.0, 0.5, 3.0]), torch.tensor([0.0, 1.0]))
    assert found.tolist() == [[-2, 0, 0], [0.5, 0.5, 0], [3, 3, 2]]


def test_no_knots_leave_the_number_alone():
    x = torch.randn(2, 5, generator=generator())
    assert torch.equal(hinges(x, torch.zeros(0)), x[..., None])


@pytest.mark.parametrize("seed", range(3))
def test_any_piecewise_linear_function_with_these_knots_is_a_combination_of_hinges(seed):
    rng = np.random.default_rng(seed)
    knots = np.sort(rng.normal(size=3))
    x = np.sort(rng.normal(size=200) * 2)
    at = np.concatenate([[x[0]], knots, [x[-1]]])
    at.sort()
    y = np.interp(x, at, rng.normal(size=5))
    design = hinges(torch.tensor(x), torch.tensor(knots)).numpy()
    design = np.column_stack([np.ones(200), design])
    fit = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(fit, y, atol=1e-8)


def test_features_are_standardised_hinges_within_bounds():
    units = random_units(60)
    networks = make_networks(units)
    # Values far outside the fit meet the bounds on both sides.
    x = torch.cat([units.covariates, 40 * units.covariates])
    seen = torch.rand(x.shape, generator=generator(1)) < 0.7
    features = torch.relu(x[:, None] - networks.knots)
    features = (features - networks.hinge_centre) / networks.hinge_scale
    expected = torch.cat([x[:, None], features], 1).clamp(-10, 10).flatten(1)
    assert (expected == 10).any()
    torch.testing.assert_close(networks.features(x, None), expected)
    x = torch.where(seen, x, 0.0)
    features = torch.relu(x[:, None] - networks.knots)
    features = (features - networks.hinge_centre) / networks.hinge_scale * seen[:, None]
    expected = torch.cat([x[:, None], features], 1).clamp(-10, 10).flatten(1)
    torch.testing.assert_close(networks.features(x, seen), expected)
