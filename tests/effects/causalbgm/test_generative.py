"""The generative model against torch.distributions, written out."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Normal

from aetia.effects.causalbgm.generative import (
    LatentRoles,
    Units,
    log_terms,
    outcome_distribution,
    outcome_inputs,
    treatment_distribution,
)
from effects.causalbgm.small import ROLES, generator, make_networks, random_units

N, P = 12, 3


def net(layers, x):
    """A perceptron of one member, by hand."""
    for k, (w, b) in enumerate(layers):
        x = x @ w + b
        if k + 1 < len(layers):
            x = torch.where(x > 0, x, 0.2 * x)
    return x


def variance(raw):
    return torch.log1p(raw.exp()) + 1e-6


def member(layers, m):
    return [(w[m], b[m]) for w, b in layers]


@pytest.fixture(params=[False, True], ids=["doses", "arms"])
def case(request):
    units = random_units(N, P, is_binary=request.param)
    networks = make_networks(units, is_binary=request.param, n_dose_knots=2)
    z = torch.randn(2, N, ROLES.total, generator=generator(3), dtype=torch.float64)
    return networks, units, z, request.param


def test_every_role_takes_its_own_latents():
    roles = LatentRoles(confounder=1, outcome=2, treatment=3, rest=4)
    z = torch.arange(10.0).expand(5, 10)
    assert roles.total == 10
    assert roles.for_outcome(z)[0].tolist() == [0, 1, 2]
    assert roles.for_treatment(z)[0].tolist() == [0, 3, 4, 5]


def test_the_three_terms_are_log_densities_with_their_constants(case):
    networks, units, z, is_binary = case
    weights = networks.mechanisms()
    found = log_terms(weights, ROLES, units, z, is_binary=is_binary)
    for m in range(2):
        raw = net(member(weights.covariates, m), z[m])
        sd = variance(raw[:, -1:]).sqrt()
        distribution = Normal(raw[:, :-1], sd.expand(N, P))
        torch.testing.assert_close(
            found.covariates[m], distribution.log_prob(units.covariates).sum(-1)
        )
        raw = net(member(weights.treatment, m), z[m][:, [0, 1, 3]])
        distribution = (
            Bernoulli(logits=raw[:, 0])
            if is_binary
            else Normal(raw[:, 0], variance(raw[:, 1]).sqrt())
        )
        torch.testing.assert_close(found.treatment[m], distribution.log_prob(units.treatment))
        t = units.treatment[:, None]
        inputs = torch.cat([z[m][:, :3], t, F.relu(t - weights.dose_knots)], -1)
        raw = net(member(weights.outcome, m), inputs)
        distribution = Normal(raw[:, 0], variance(raw[:, 1]).sqrt())
        torch.testing.assert_close(found.outcome[m], distribution.log_prob(units.outcome))
    torch.testing.assert_close(found.total, found.covariates + found.treatment + found.outcome)


def test_the_distributions_have_the_moments_that_the_terms_use(case):
    networks, units, z, is_binary = case
    weights = networks.mechanisms()
    terms = log_terms(weights, ROLES, units, z, is_binary=is_binary)
    t, y = (
        treatment_distribution(weights, ROLES, z),
        outcome_distribution(weights, ROLES, z, units.treatment),
    )
    assert t.mean.shape == y.mean.shape == (2, N, 1)
    distribution = Normal(y.mean[..., 0], y.variance[..., 0].sqrt())
    torch.testing.assert_close(terms.outcome, distribution.log_prob(units.outcome))
    distribution = Bernoulli(logits=t.mean[..., 0])
    if not is_binary:
        distribution = Normal(t.mean[..., 0], t.variance[..., 0].sqrt())
    torch.testing.assert_close(terms.treatment, distribution.log_prob(units.treatment))


def test_what_is_not_known_adds_nothing(case):
    networks, units, z, is_binary = case
    weights = networks.mechanisms()
    full = log_terms(weights, ROLES, units, z, is_binary=is_binary)
    without = log_terms(weights, ROLES, Units(units.covariates), z, is_binary=is_binary)
    torch.testing.assert_close(without.total, full.covariates)
    half = log_terms(weights, ROLES, units._replace(outcome=None), z, is_binary=is_binary)
    torch.testing.assert_close(half.total, full.covariates + full.treatment)


def test_covariates_that_were_not_seen_do_not_count_whatever_stands_there(case):
    networks, units, z, is_binary = case
    seen = torch.rand(N, P, generator=generator(5)) < 0.6
    seen[0] = False
    weights = networks.mechanisms()
    one = units._replace(observed=seen)
    other = one._replace(covariates=torch.where(seen, units.covariates, 77.0))
    a, b = (log_terms(weights, ROLES, u, z, is_binary=is_binary) for u in (one, other))
    torch.testing.assert_close(a.covariates, b.covariates)
    assert (a.covariates[:, 0] == 0).all()
    columns = sum(
        log_terms(
            weights,
            ROLES,
            units._replace(observed=torch.eye(P, dtype=torch.bool)[j].expand(N, P)),
            z,
            is_binary=is_binary,
        ).covariates
        * seen[:, j]
        for j in range(P)
    )
    torch.testing.assert_close(a.covariates, columns)


def test_roles_do_not_leak(case):
    networks, units, z, is_binary = case
    weights = networks.mechanisms()

    def terms(latent):
        moved = z.clone()
        moved[..., latent] += 1
        return log_terms(weights, ROLES, units, moved, is_binary=is_binary)

    base = log_terms(weights, ROLES, units, z, is_binary=is_binary)
    # Order: two confounders, outcome, treatment, rest.
    for latent, in_treatment, in_outcome in [(0, 1, 1), (2, 0, 1), (3, 1, 0), (4, 0, 0)]:
        moved = terms(latent)
        assert not torch.equal(moved.covariates, base.covariates)
        assert torch.equal(moved.treatment, base.treatment) is not bool(in_treatment)
        assert torch.equal(moved.outcome, base.outcome) is not bool(in_outcome)


def test_outcome_inputs_are_latents_and_the_bent_dose():
    z = torch.randn(2, 4, ROLES.total, generator=generator())
    doses, knots = torch.tensor([-1.0, 0.0, 0.5, 2.0]), torch.tensor([0.0, 1.0])
    found = outcome_inputs(ROLES, z, doses, knots)
    bends = torch.tensor([[-1, 0, 0], [0, 0, 0], [0.5, 0.5, 0], [2, 2, 1]])
    torch.testing.assert_close(found[..., :3], z[..., :3])
    torch.testing.assert_close(found[..., 3:], bends.expand(2, 4, 3))


def test_shuffled_units_have_shuffled_terms(case):
    networks, units, z, is_binary = case
    order = torch.randperm(N, generator=generator(9))
    weights = networks.mechanisms()
    a = log_terms(weights, ROLES, units, z, is_binary=is_binary).total[:, order]
    b = log_terms(
        weights, ROLES, units.map(lambda part: part[order]), z[:, order], is_binary=is_binary
    ).total
    torch.testing.assert_close(a, b)


def test_draws_in_front_of_members_are_evaluated_one_by_one(case):
    networks, units, _, is_binary = case
    z = torch.randn(4, 2, N, ROLES.total, generator=generator(4), dtype=torch.float64)
    weights = networks.mechanisms()
    together = log_terms(weights, ROLES, units, z, is_binary=is_binary).total
    alone = [log_terms(weights, ROLES, units, one, is_binary=is_binary).total for one in z]
    torch.testing.assert_close(together, torch.stack(alone))


def test_mapping_units_and_mechanisms_touches_every_part(case):
    networks, units, _, _ = case
    doubled = units.map(lambda part: part * 2)
    assert doubled.observed is None
    assert torch.equal(doubled.outcome, units.outcome * 2)
    weights = networks.mechanisms()
    zero = weights.map(torch.zeros_like)
    layers = [*zero.covariates, *zero.treatment, *zero.outcome]
    assert all((w == 0).all() and (b == 0).all() for w, b in layers)
    assert len(layers) == 6
    assert not any((w == 0).all() for w, _ in weights.outcome)


def test_draws_of_networks_without_a_distribution_of_their_weights_repeat_them(case):
    networks, *_ = case
    drawn = networks.draw_mechanisms(3, generator())
    for w, b in drawn.outcome:
        assert w.shape[:2] == (3, 2)
        assert torch.equal(w[0], w[2])
        assert b.shape[:2] == (3, 2)
    np.testing.assert_array_equal(networks.kl().detach(), np.zeros(2))


def test_draws_of_bayesian_networks_follow_their_distribution():
    # 4,000 draws of about 300 weights: the largest |z| of their means stays below 5.5
    # (false alarms below 1 in 50,000).
    units = random_units(N, P)
    networks = make_networks(units, bayesian_nets=True)
    weights = torch.stack([w.flatten() for w, _ in networks.mechanisms().outcome][:1])
    drawn = networks.draw_mechanisms(4000, generator()).outcome[0].weight.flatten(1)
    gap = (drawn.mean(0) - weights[0]) / (drawn.std(0) / 4000**0.5)
    assert drawn.std(0).min() > 0
    assert gap.abs().max() < 5.5
    assert (networks.kl() > 0).all()
