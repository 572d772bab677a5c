"""Effects of graph posteriors: intervals cover as often as they say."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aetia.discovery import ExactPosterior
from aetia.graphs import Knowledge
from aetia.likelihoods import LinearGaussian

pytestmark = pytest.mark.statistical

GRAPH = Knowledge(required=["a -> b", "a -> c", "b -> c"])


def test_credible_intervals_cover_their_level():
    """200 tables from the prior of a known graph; 90 % covers within binomial limits, p > 1e-3."""
    rng = np.random.default_rng(11)
    likelihood = LinearGaussian(noise_variance=0.5)
    hits = 0
    for k in range(200):
        w = rng.normal(size=3)
        a, e, f = rng.normal(size=(3, 20)) * np.sqrt(0.5)
        b = w[0] * a + e
        c = w[1] * a + w[2] * b + f
        frame = pd.DataFrame({"a": a, "b": b, "c": c})
        fit = ExactPosterior(likelihood=likelihood, scaling="none").fit(frame, knowledge=GRAPH)
        posterior = fit.posterior_
        low, high = posterior.effect("a", "c", n_draws=400, random_state=k).interval(0.9)[0]
        hits += low < w[1] + w[0] * w[2] < high
    assert stats.binomtest(hits, 200, 0.9).pvalue > 1e-3
