"""The target of FullMCMCCausalBGM: direct sums, and a posterior that can be integrated."""

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal

from aetia.effects.causalbgm.config import FullMCMCConfig
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.weight_chains import (
    NETWORKS,
    flat_mechanisms,
    sample_weights,
    weight_density,
)
from aetia.nets import flatten_layers, perceptron
from effects.causalbgm.small import NARROW, ROLES, generator, make_networks, random_units

N, D = 25, ROLES.total


@pytest.fixture(params=[False, True], ids=["doses", "arms"])
def case(request):
    units = random_units(N, 3, is_binary=request.param)
    networks = make_networks(units, is_binary=request.param, members=2)
    z = torch.randn(2, N, D, generator=generator(3), dtype=torch.float64)
    flat = {
        name: flatten_layers(getattr(networks.mechanisms(), name)).detach() for name in NETWORKS
    }
    return networks, units, z, flat


def direct(name, networks, units, z, layers, m):
    """Log likelihood of one network of one chain, unit by unit."""
    layers = [(w[m], b[m]) for w, b in layers]

    def raw(x):
        for k, (w, b) in enumerate(layers):
            x = x @ w + b
            if k < len(layers) - 1:
                x = max_leaky(x)
        return x

    total = 0.0
    for i in range(N):
        t, one = units.treatment[i], z[m, i]
        if name == "covariates":
            out, x = raw(one), units.covariates[i]
        elif name == "treatment":
            out, x = raw(one[[0, 1, 3]]), t[None]
            if networks.is_binary:
                total += float(Bernoulli(logits=out[0].detach()).log_prob(t))
                continue
        else:
            bends = (t - networks.dose_knots.double()).clamp(min=0)
            out, x = raw(torch.cat([one[:3], t[None], bends])), units.outcome[i][None]
        sd = (torch.log1p(out[-1].exp()) + 1e-6).sqrt()
        total += float(Normal(out[:-1], sd).log_prob(x).sum().detach())
    return total


def max_leaky(x):
    return torch.maximum(x, 0.2 * x)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_density_is_the_sum_over_units_plus_the_prior_of_the_weights(case, name):
    networks, units, z, flat = case
    density = weight_density(name, networks, units, z, 0.7)
    base = density(flat[name])
    assert base.shape == (2,)
    moved = flat[name] + 0.1 * torch.randn(flat[name].shape, generator=generator(4))
    layers = getattr(flat_mechanisms(networks, flat | {name: moved}), name)
    for m in range(2):
        for values, of, got in (
            (flat[name], getattr(networks.mechanisms(), name), base),
            (moved, layers, density(moved)),
        ):
            wanted = direct(name, networks, units, z, of, m)
            wanted += float(Normal(0.0, 0.7).log_prob(values[m]).sum())
            constant = len(values[m]) * 0.5 * np.log(2 * np.pi * 0.7**2)
            assert float(got[m]) == pytest.approx(wanted + constant, abs=1e-4)


def test_densities_of_chains_do_not_mix(case):
    networks, units, z, flat = case
    w = flat["outcome"].clone().requires_grad_()
    density = weight_density("outcome", networks, units, z, 1.0)
    (slope,) = torch.autograd.grad(density(w)[0], w)
    assert (slope[1] == 0).all()
    assert (slope[0] != 0).any()


def test_flat_weights_come_back_as_the_same_mechanisms(case):
    networks, *_, flat = case
    again, weights = flat_mechanisms(networks, flat), networks.mechanisms()
    for name in NETWORKS:
        for a, b in zip(getattr(again, name), getattr(weights, name), strict=True):
            assert torch.equal(a.weight, b.weight)
            assert torch.equal(a.bias, b.bias)
    x = torch.randn(N, D, generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(perceptron(again.covariates, x), perceptron(weights.covariates, x))


def full(**options):
    narrow = NARROW | {"latent_dims": tuple(ROLES)}
    return FullMCMCConfig(
        **(narrow | {"n_warmup": 2, "n_sweeps": 3, "n_kept": 3, "n_leapfrog": 2} | options)
    )


@pytest.mark.parametrize("target", ["joint", "weights"])
def test_chains_keep_what_was_asked_for(case, target):
    networks, units, z, _ = case
    prior = LatentPrior(D, 2)
    runs = [
        sample_weights(networks, prior, units, z, full(target=target), generator(s), progress=False)
        for s in (0, 0, 1)
    ]
    draws = runs[0]
    kept = len(draws.latents)
    assert 1 <= kept <= 3
    assert draws.latents.shape == (kept, 2, N, D)
    assert draws.log_density.shape == (kept, 2)
    assert draws.mechanisms.outcome[0].weight.shape[:2] == (kept, 2)
    assert torch.equal(runs[0].latents, runs[1].latents)
    assert torch.equal(runs[0].log_density, runs[1].log_density)
    assert not torch.equal(runs[0].log_density, runs[2].log_density)
    held = bool((draws.latents == z.to(draws.latents)).all())
    assert held is (target == "weights")
    for name in NETWORKS:
        start = getattr(networks.mechanisms(), name)[0].weight
        assert not torch.equal(getattr(draws.mechanisms, name)[0].weight[-1], start)
        assert 0 <= draws.acceptance[name] <= 1


def test_the_kept_density_is_that_of_the_kept_draws(case):
    networks, units, z, _ = case
    prior = LatentPrior(D, 2)
    draws = sample_weights(
        networks, prior, units, z, full(weight_prior_std=0.7), generator(), progress=False
    )
    gaps = []
    for k in range(len(draws.latents)):
        latents, total = draws.latents[k].double(), prior.log_prob(draws.latents[k]).sum(-1)
        for name in NETWORKS:
            one = [type(layer)(*(a[k] for a in layer)) for layer in getattr(draws.mechanisms, name)]
            density = weight_density(name, networks, units, latents, 0.7)
            total = total + density(flatten_layers(one).double())
        gaps.append(draws.log_density[k].double() - total)
    gaps = torch.stack(gaps)
    # Up to constants: the same for every draw.
    torch.testing.assert_close(gaps, gaps[:1].expand_as(gaps), atol=0.05, rtol=1e-4)
