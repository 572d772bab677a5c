"""Every sampler against closed-form targets.

Walking samplers run many independent chains and keep the last state of each, so draws are
independent and the z-tests exact: bounds of 4.5 standard errors on k numbers fail by chance with
probability about 7e-6 k.
"""

import pytest
import torch

from aetia.errors import InputError
from aetia.samplers import (
    HMC,
    SVGD,
    Adam,
    MedianBandwidth,
    Metropolis,
    chain_draws,
    warm_up,
)

MEAN = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
ROOT = torch.tensor([[2.0, 0.0, 0.0], [0.9, 0.6, 0.0], [0.0, -0.1, 0.2]], dtype=torch.float64)
COVARIANCE = ROOT @ ROOT.T
PRECISION = torch.linalg.inv(COVARIANCE)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def normal_density(q):
    centred = q - MEAN
    return -0.5 * torch.einsum("...i,ij,...j->...", centred, PRECISION, centred)


WALKERS = {
    "metropolis": (lambda f: Metropolis(f), 400),
    "hmc": (lambda f: HMC(f, n_leapfrog=8), 30),
}


def draws(name, density, start, seed=0, n_warmup=150):
    make, n_steps = WALKERS[name]
    sampler = make(density)
    g = gen(seed)
    state, went = warm_up(sampler, sampler.init(start), n_warmup, g)
    ((state, _),) = chain_draws(sampler, state, 1, g, thin=n_steps)
    return state, went, sampler


@pytest.mark.parametrize("name", WALKERS)
def test_a_correlated_normal_is_recovered(name):
    n = 2000
    state, _, _ = draws(name, normal_density, torch.zeros(n, 3, dtype=torch.float64))
    x = state.position
    se = (COVARIANCE.diagonal() / n).sqrt()
    assert ((x.mean(0) - MEAN) / se).abs().max() < 4.5
    variances = COVARIANCE.diagonal()
    spread = ((variances[:, None] * variances + COVARIANCE**2) / n).sqrt()
    assert ((x.T.cov() - COVARIANCE) / spread).abs().max() < 4.5


@pytest.mark.parametrize("name", WALKERS)
def test_every_chain_may_have_a_target_of_its_own(name):
    """A grid of chains: 5 targets, 400 chains each."""
    centres = torch.linspace(-3, 3, 5, dtype=torch.float64)[:, None, None]
    sds = torch.tensor([0.1, 0.5, 1.0, 2.0, 10.0], dtype=torch.float64)[:, None, None]

    def density(q):
        return -0.5 * ((q - centres) / sds).square().sum(-1)

    state, _, _ = draws(name, density, torch.zeros(5, 400, 2, dtype=torch.float64))
    z = (state.position - centres) / sds
    assert (z.mean(1) * 400**0.5).abs().max() < 4.5
    assert ((z.var(1) - 1) * 200**0.5).abs().max() < 5.5
    steps = state.step_size[..., None] * state.scale
    assert (steps[-1].mean() / steps[0].mean()) > 30


@pytest.mark.parametrize("name", WALKERS)
def test_a_heavy_tailed_and_a_bounded_target_have_the_right_quantiles(name):
    """Student t with 5 degrees of freedom; and log-density of a uniform on a box."""
    t5 = torch.distributions.StudentT(5.0)
    n = 2000
    start = torch.zeros(n, 1, dtype=torch.float64)
    state, _, _ = draws(name, lambda q: t5.log_prob(q[..., 0]), start, seed=1)
    for p, quantile in ((0.05, -2.015), (0.5, 0.0), (0.95, 2.015)):
        share = (state.position < quantile).double().mean()
        assert abs(share - p) < 4.5 * (p * (1 - p) / n) ** 0.5


@pytest.mark.parametrize("name", WALKERS)
def test_adaptation_reaches_the_target_acceptance(name):
    _, went, sampler = draws(
        name, normal_density, torch.zeros(200, 3, dtype=torch.float64), n_warmup=400
    )
    assert abs(float(went.acceptance.mean()) - sampler.target_acceptance) < 0.06
    assert went.n_steps == 400


@pytest.mark.parametrize("name", WALKERS)
def test_a_fixed_step_keeps_the_target_invariant(name):
    """Chains that start in the target stay in it, without any adaptation."""
    n = 4000
    start = MEAN + torch.randn(n, 3, generator=gen(3), dtype=torch.float64) @ ROOT.T
    sampler = WALKERS[name][0](normal_density)
    state, g = sampler.init(start), gen(4)
    for _ in range(20):
        state, info = sampler.step(state, g)
    assert 0.05 < float(info.acceptance.mean()) < 1
    z = torch.linalg.solve_triangular(ROOT, (state.position - MEAN).T, upper=False)
    assert (z.mean(1) * n**0.5).abs().max() < 4.5
    assert ((z.var(1) - 1) * (n / 2) ** 0.5).abs().max() < 4.5
    assert not torch.equal(state.position, start)


@pytest.mark.parametrize("name", WALKERS)
def test_cached_values_belong_to_the_position(name):
    state, _, _ = draws(name, normal_density, torch.zeros(7, 3, dtype=torch.float64))
    torch.testing.assert_close(state.log_density, normal_density(state.position))
    if name == "hmc":
        expected = -(state.position - MEAN) @ PRECISION
        torch.testing.assert_close(state.gradient, expected)


@pytest.mark.parametrize("name", WALKERS)
def test_the_density_is_evaluated_as_seldom_as_possible(name):
    calls = []

    def counted(q):
        calls.append(1)
        return normal_density(q)

    sampler = WALKERS[name][0](counted)
    state = sampler.init(torch.zeros(3, 3, dtype=torch.float64))
    assert len(calls) == 1
    sampler.step(state, gen())
    assert len(calls) == 1 + (8 if name == "hmc" else 1)


@pytest.mark.parametrize("name", WALKERS)
def test_the_same_seed_gives_the_same_draws_and_float32_stays(name):
    def density(q):
        return -0.5 * q.square().sum(-1)

    def last(seed):
        return draws(name, density, torch.zeros(4, 2), seed=seed, n_warmup=30)[0].position

    assert torch.equal(last(1), last(1))
    assert not torch.equal(last(1), last(2))
    assert last(1).dtype == torch.float32


@pytest.mark.parametrize("name", WALKERS)
def test_chains_do_not_leave_the_support(name):
    """Where the density is not a number it counts as zero. Chains start in the target."""

    def density(q):
        return torch.where(q[..., 0] > 0, -q[..., 0], torch.nan)

    start = torch.empty(2000, 1).exponential_(generator=gen())
    sampler = WALKERS[name][0](density)
    walk = list(chain_draws(sampler, sampler.init(start), 20, gen(1)))
    state, n_divergent = walk[-1][0], sum(int(info.is_divergent.sum()) for _, info in walk)
    assert (state.position > 0).all()
    assert n_divergent > 0
    assert abs(float(state.position.mean()) - 1) < 4.5 / 2000**0.5


@pytest.mark.parametrize("name", WALKERS)
def test_a_bad_start_is_an_error_that_counts_the_chains(name):
    sampler = WALKERS[name][0](lambda q: q[..., 0].log())
    with pytest.raises(InputError, match="not finite where 2 of 3 chains start"):
        sampler.init(torch.tensor([[-1.0], [0.0], [2.0]]))
    with pytest.raises(InputError, match=r"returned shape \(\) for positions of shape \(3, 1\)"):
        WALKERS[name][0](lambda q: q.sum()).init(torch.ones(3, 1))


def test_svgd_finds_the_mean_and_most_of_the_variance():
    """Particles are not draws: the mean is exact at the fixed point, variances fall short."""
    sampler = SVGD(
        lambda q, _, __: ({"x": -(q["x"] - MEAN) @ PRECISION}, None),
        MedianBandwidth(),
        Adam(step_size=0.1),
    )
    start = torch.randn(100, 3, generator=gen(), dtype=torch.float64)
    state, g = sampler.init({"x": start}), gen()
    for _ in range(800):
        state, _ = sampler.step(state, g)
    x = state.position["x"]
    torch.testing.assert_close(x.mean(0), MEAN, atol=0.02, rtol=0)
    ratio = x.var(0) / COVARIANCE.diagonal()
    assert ((ratio > 0.7) & (ratio < 1.1)).all(), ratio
