"""CausalBGM: coverage of the average effect, and samplers of latents against closed forms."""

import warnings

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.effects import CausalBGM
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.latents import latent_chains, latent_density
from effects.causalbgm.small import NARROW, ROLES, LinearGaussian, arms_study, generator

pytestmark = pytest.mark.statistical


def test_the_interval_of_the_average_effect_covers_it():
    # 40 studies of 200 units with overlap, 90 % intervals, true effect 1. With true coverage 0.9
    # fewer than 29 hits have probability 0.0008: about one false alarm in 1,200 seeds. Coverage
    # 0.6 would be noticed with probability 0.96.
    hits, widths, errors = 0, [], []
    for seed in range(40):
        t, y, v = arms_study(200, seed=1000 + seed)
        model = CausalBGM(**NARROW, n_egm_steps=150, random_state=seed, progress=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = model.fit(t, y, v).ate()
        low, high = answer.interval(0.9)[0]
        hits += low <= 1 <= high
        widths.append(high - low)
        errors.append(answer.mean[0] - 1)
    assert hits >= 29, f"{hits} of 40 intervals hold the effect"
    # Hits must not be bought with width: the difference of arms alone has error 0.24 * 1.645 * 2.
    assert np.mean(widths) < 0.8
    assert abs(np.mean(errors)) < 5 * np.std(errors) / 40**0.5 + 0.05


@pytest.mark.parametrize(
    ("sampler", "n_warmup", "thin"), [("hmc", 150, 5), ("metropolis", 1500, 80)]
)
def test_many_chains_have_the_closed_form(sampler, n_warmup, thin):
    # 3,000 units, five latents each: the whitened draw is 15,000 standard normal numbers; KS and
    # the variance of each direction, false alarms 1 in 10,000 and 1 in 100,000.
    model = LinearGaussian(seed=3)
    units, _ = model.units(3000, seed=4)
    density = latent_density(
        model.mechanisms, ROLES, units, LatentPrior(ROLES.total, 1), is_binary=False
    )
    start = torch.zeros(1, 3000, ROLES.total, dtype=torch.float64)
    chains = latent_chains(
        density, start, generator(), sampler=sampler, n_warmup=n_warmup, n_kept=1, thin=thin
    )
    z = next(iter(chains.draws))[0].numpy()
    means, covariances = model.posterior(units)
    roots = np.linalg.cholesky(covariances)
    u = np.linalg.solve(roots, (z - means)[..., None])[..., 0]
    assert stats.kstest(u.ravel(), "norm").pvalue > 1e-4
    assert np.abs(u.var(0) - 1).max() < 5 * np.sqrt(2 / 3000)
