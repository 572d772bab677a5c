"""The distribution of doses against a distribution that is known."""

import numpy as np

from aetia.effects.causalbgm.dose_distribution import DoseDistribution


def skewed(n=4000, seed=0):
    """Exponential doses whose rate depends on a covariate: spread equals location."""
    rng = np.random.default_rng(seed)
    location = np.exp(0.4 * rng.normal(size=n))
    return location, location * rng.exponential(size=n)


def test_nodes_have_the_moments_of_the_distribution():
    location, doses = skewed()
    nodes = DoseDistribution.of(doses, location, location).nodes()
    # 41 nodes miss a little of the exponential's tail: moments to 6 and 10 %.
    np.testing.assert_allclose(nodes.mean(1), location, rtol=0.06)
    np.testing.assert_allclose(nodes.std(1), location, rtol=0.1)
    assert (nodes > 0).all()  # which a normal distribution with this mean and spread is not


def test_no_spread_of_the_nodes_where_the_distribution_has_none():
    location, doses = skewed(50)
    distribution = DoseDistribution.of(doses, location, location)._replace(spread=np.zeros(50))
    np.testing.assert_array_equal(
        distribution.nodes(), np.broadcast_to(location[:, None], (50, 41))
    )
