"""Distances of samples against values that are known."""

import numpy as np
import torch

from aetia.diagnostics import frechet_distance, median_bandwidth, sliced_wasserstein


def normal(n, d, seed):
    return torch.randn((n, d), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_shift_has_its_length_over_the_root_of_the_dimension():
    # The mean square of a projection of c is |c|^2 / d; 2,000 lines leave about 2 %.
    x, shift = normal(500, 4, 0), torch.tensor([3.0, 0.0, -4.0, 0.0], dtype=torch.float64)
    found = sliced_wasserstein(x, x + shift, torch.Generator().manual_seed(1), 2000)
    np.testing.assert_allclose(found, 5 / 2, rtol=0.08)
    assert sliced_wasserstein(x, x, torch.Generator().manual_seed(1)) == 0


def test_the_bandwidth_is_the_median_distance():
    x = torch.tensor([[0.0], [1.0], [10.0]])
    assert median_bandwidth(x) == 9.0
    assert median_bandwidth(torch.zeros((5, 2))) == 1.0


def test_the_frechet_distance_of_a_shifted_sample_is_the_squared_shift():
    x = normal(200, 3, 2).numpy()
    np.testing.assert_allclose(frechet_distance(x, x + np.array([1.0, 2.0, 2.0])), 9.0, atol=1e-8)
    assert frechet_distance(x, x) < 1e-8
