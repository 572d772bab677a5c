"""Chains of the weights of FullMCMCCausalBGM against a posterior that can be integrated."""

import numpy as np
import pytest
import torch

from aetia.effects.causalbgm.config import FullMCMCConfig
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.weight_chains import sample_weights
from effects.causalbgm.small import NARROW, ROLES, generator, make_networks, random_units

pytestmark = pytest.mark.statistical


def integrated(x, y, std, grid):
    """Posterior means and deviations of a linear mean, the variance head integrated out.

    y ~ N(a + x'b, softplus(c + x'd) + 1e-6). The head's weights are on a grid as well: with one
    input there are two of each.
    """
    w0, w1, c0, c1 = np.meshgrid(*grid, indexing="ij")
    total = -0.5 * (w0**2 + w1**2 + c0**2 + c1**2) / std**2
    for xi, yi in zip(x, y, strict=True):
        s2 = np.log1p(np.exp(c0 + c1 * xi)) + 1e-6
        total -= 0.5 * ((yi - w0 - w1 * xi) ** 2 / s2 + np.log(s2))
    p = np.exp(total - total.max())
    p /= p.sum()
    out = []
    for values in (w0, w1, c0, c1):
        mean = (p * values).sum()
        out.append((mean, np.sqrt((p * (values - mean) ** 2).sum())))
    edge = max(p.take([0, -1], axis=k).sum() for k in range(4))
    assert edge < 1e-3, "the grid is too narrow"
    return np.array(out)


def test_weights_of_a_linear_network_have_the_integrated_posterior():
    # The treatment's network with one latent and no hidden layer has four weights: mean and raw
    # variance, each an intercept and a slope. 72 chains give the standard error of each mean; 8
    # comparisons at 5 standard errors of 71 degrees of freedom: false alarms below 1 in 2,000.
    roles = type(ROLES)(1, 0, 0, 0)
    chains, n = 72, 20
    units = random_units(n, 2)
    z = torch.randn(n, 1, generator=generator(5), dtype=torch.float64)
    treatment = 0.5 - 0.8 * z[:, 0] + 0.6 * torch.randn(n, generator=generator(6)).double()
    units = units._replace(treatment=treatment)
    networks = make_networks(
        units,
        members=chains,
        roles=roles,
        treatment_units=(),
        covariate_units=(),
        outcome_units=(),
        n_dose_knots=0,
    )
    config = FullMCMCConfig(
        **NARROW | {"latent_dims": tuple(roles)},
        target="weights",
        n_warmup=30,
        n_sweeps=20,
        n_kept=20,
        n_leapfrog=8,
        weight_prior_std=1.5,
    )
    latents = z.expand(chains, n, 1)
    draws = sample_weights(
        networks, LatentPrior(1, chains), units, latents, config, generator(), progress=False
    )
    layer = draws.mechanisms.treatment[0]
    found = (
        torch.stack(
            [
                layer.bias[..., 0],
                layer.weight[..., 0, 0],
                layer.bias[..., 1],
                layer.weight[..., 0, 1],
            ]
        )
        .double()
        .numpy()
    )  # [4, draws, chains]
    means, sds = found.mean((1, 2)), found.std((1, 2))
    grid = [np.linspace(m - 6 * s, m + 6 * s, 21) for m, s in zip(means, sds, strict=True)]
    exact = integrated(z[:, 0].numpy(), treatment.numpy(), 1.5, grid)
    by_chain = found.mean(1)
    error = by_chain.std(1, ddof=1) / np.sqrt(chains)
    assert (np.abs(means - exact[:, 0]) < 5 * error + 1e-3).all()
    squares = ((found - exact[:, 0, None, None]) ** 2).mean(1)
    error = squares.std(1, ddof=1) / np.sqrt(chains)
    assert (np.abs(squares.mean(1) - exact[:, 1] ** 2) < 5 * error + 1e-3).all()
    # The check has power: the errors are a fraction of the posterior's own spread.
    assert (by_chain.std(1, ddof=1) / np.sqrt(chains) < 0.15 * exact[:, 1]).all()
