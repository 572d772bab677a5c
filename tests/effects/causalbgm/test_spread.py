"""Draws have the ensemble's mean and the jackknife's variance."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.effects.causalbgm.spread import ensemble_draws
from effects.causalbgm.small import generator


def members(k, replicates=1, event=(), seed=0):
    shape = (k * replicates, *event)
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def jackknife(values, k):
    """The delete-a-group formula, fold by fold."""
    values = values.numpy()
    groups = [values[[m for m in range(len(values)) if m % k == f]].mean(0) for f in range(k)]
    centre = np.mean(groups, 0)
    return centre, (k - 1) / k * sum(np.outer(g - centre, g - centre) for g in groups)


@pytest.mark.parametrize(("k", "replicates"), [(5, 1), (5, 3), (12, 2)])
def test_draws_follow_the_t_distribution_of_the_jackknife(k, replicates):
    # 20,000 draws: KS, false alarms 1 in 10,000 for each of three distributions.
    values = members(k, replicates)
    draws = ensemble_draws(values, k, 20_000, generator(1)).numpy()
    mean, variance = jackknife(values[:, None], k)
    u = (draws - mean) / math.sqrt(variance[0, 0])
    assert stats.kstest(u, stats.t(k - 1).cdf).pvalue > 1e-4
    # The check would notice a normal distribution, and the spread of a single member.
    assert stats.kstest(u, "norm").pvalue < 1e-4 or k > 10
    assert stats.kstest(u * math.sqrt(k), stats.t(k - 1).cdf).pvalue < 1e-4


def test_the_variance_over_many_draws_is_the_jackknifes():
    # With 40 folds the t distribution has 39 degrees of freedom; the variance of its draws is
    # v * 39 / 37 and its estimate from 50,000 draws is within 5 standard errors (false alarms
    # 1 in 10^6).
    values = members(40)
    draws = ensemble_draws(values, 40, 50_000, generator(2))
    _, variance = jackknife(values[:, None], 40)
    ratio = float(draws.var()) / (variance[0, 0] * 39 / 37)
    assert abs(ratio - 1) < 5 * math.sqrt((2 + 6 / 35) / 50_000)


def test_draws_are_coherent_over_the_event():
    # Whitened by the jackknife's covariance, both coordinates and their sum are t.
    k = 8
    values = members(k, event=(2,))
    values[:, 1] = 0.9 * values[:, 0] + 0.1 * values[:, 1]
    draws = ensemble_draws(values, k, 20_000, generator(3)).numpy()
    mean, covariance = jackknife(values, k)
    for direction in ([1, 0], [0, 1], [1, -1], [1, 1]):
        a = np.array(direction)
        u = (draws - mean) @ a / math.sqrt(a @ covariance @ a)
        assert stats.kstest(u, stats.t(k - 1).cdf).pvalue > 1e-4 / 4


def test_an_event_on_which_members_agree_has_no_spread():
    values = torch.full((6, 3), 2.5)
    assert torch.equal(ensemble_draws(values, 3, 5, generator()), torch.full((5, 3), 2.5))


def test_shapes_pass_and_the_same_generator_gives_the_same_draws():
    values = members(3, 2, event=(4, 2))
    one, again, other = (ensemble_draws(values, 3, 7, generator(s)) for s in (0, 0, 1))
    assert one.shape == (7, 4, 2)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_one_fold_has_the_spread_of_its_replicates():
    # Replicates of one fold differ by their start alone; a scale as of one member, t with R - 1.
    values = members(1, 9)
    draws = ensemble_draws(values, 1, 20_000, generator(4)).numpy()
    u = (draws - float(values.mean())) / float(values.std())
    assert stats.kstest(u, stats.t(8).cdf).pvalue > 1e-4


@pytest.mark.parametrize("n_folds", [1, 2])
def test_very_few_members_give_finite_draws(n_folds):
    assert torch.isfinite(ensemble_draws(members(n_folds), n_folds, 50, generator())).all()


def test_one_network_alone_warns_that_its_intervals_have_no_width():
    import pytest

    from aetia import CausalBGM, simulate_study
    from aetia.errors import ConvergenceWarning

    study = simulate_study("hahn", 100, random_state=0)
    options = {"n_folds": 1, "n_replicates": 1, "n_egm_steps": 3, "progress": False}
    fitted = CausalBGM(random_state=0, **options).fit(*study[:3])
    with pytest.warns(ConvergenceWarning, match="one network does not show its own error"):
        units = fitted.effect()
    assert (units.interval(0.9)[:, 1] == units.interval(0.9)[:, 0]).all()
