"""Noise families against scipy's distributions and quadrature, in both generators."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from aetia.errors import InputError
from aetia.scm import EdgeCoins, Family, Linear, Noise, NoiseMixture, NoiseScale, TaskSize

GUMBEL_SCALE = np.sqrt(6) / np.pi
DISTRIBUTIONS = {
    "gaussian": stats.norm(),
    "laplace": stats.laplace(scale=1 / np.sqrt(2)),
    "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)),
    "student": stats.t(5, scale=np.sqrt(3 / 5)),
    "gumbel": stats.gumbel_r(-np.euler_gamma * GUMBEL_SCALE, GUMBEL_SCALE),
    "cauchy": stats.cauchy(),
}
WITH_VARIANCE = [name for name in DISTRIBUTIONS if name != "cauchy"]


def numpy_draws(noise, n=40_000):
    return noise.draw((n // 4, 4), np.random.default_rng(3)).ravel().astype(float)


def torch_draws(noise, n=40_000):
    ones = torch.ones(4, dtype=torch.float64)
    return noise.sample(n // 4, ones, torch.Generator().manual_seed(3)).flatten().numpy()


def density(noise, std):
    def at(x):
        x, s = torch.tensor([float(x)]).double(), torch.tensor([std]).double()
        return float(noise.log_prob(x, s).exp())

    return at


@pytest.mark.parametrize("family", WITH_VARIANCE)
def test_distributions_with_a_variance_have_mean_zero_and_variance_one(family):
    """The reference itself, then both samplers: 10 pairs at 4.5 sigma, an alarm in 7000 seeds."""
    distribution = DISTRIBUTIONS[family]
    assert distribution.mean() == pytest.approx(0, abs=1e-12)
    assert distribution.var() == pytest.approx(1)
    for x in (numpy_draws(Noise(family)), torch_draws(Noise(family))):
        root = np.sqrt(len(x))
        assert abs(x.mean()) < 4.5 / root
        assert abs(x.var() - 1) < 4.5 * (x**2).std() / root


@pytest.mark.parametrize("family", DISTRIBUTIONS)
def test_both_samplers_follow_the_distribution(family):
    """Kolmogorov-Smirnov at p > 1e-4, twelve times: one alarm in 800 seeds."""
    for x in (numpy_draws(Noise(family)), torch_draws(Noise(family))):
        assert stats.kstest(x, DISTRIBUTIONS[family].cdf).pvalue > 1e-4


@pytest.mark.parametrize("freedom", [2.5, 30.0])
def test_student_noise_has_variance_one_for_any_freedom(freedom):
    distribution = stats.t(freedom, scale=np.sqrt((freedom - 2) / freedom))
    noise = Noise("student", degrees_of_freedom=freedom)
    for x in (numpy_draws(noise), torch_draws(noise)):
        assert stats.kstest(x, distribution.cdf).pvalue > 1e-4


@pytest.mark.parametrize("family", DISTRIBUTIONS)
def test_log_densities_are_those_of_scipy(family):
    std = torch.tensor([0.3, 1.0, 4.0], dtype=torch.float64)
    x = torch.linspace(-3, 3, 41, dtype=torch.float64)[:, None] * std * 0.99
    expected = DISTRIBUTIONS[family].logpdf((x / std).numpy()) - np.log(std.numpy())
    np.testing.assert_allclose(Noise(family).log_prob(x, std), expected, rtol=1e-9)


@pytest.mark.parametrize("family", DISTRIBUTIONS)
def test_densities_integrate_to_one(family):
    at, edge = density(Noise(family), 0.7), 0.7 * np.sqrt(3)
    parts = [
        integrate.quad(at, a, b, limit=200)[0]
        for a, b in ((-np.inf, -edge), (-edge, 0), (0, edge), (edge, np.inf))
    ]
    assert sum(parts) == pytest.approx(1, abs=1e-6)


def test_gumbel_noise_is_skewed_and_the_others_are_not():
    """Its skewness is 1.14; 40,000 draws have a standard error below 0.05."""
    assert stats.skew(numpy_draws(Noise("gumbel"))) == pytest.approx(1.1395, abs=0.25)
    assert abs(stats.skew(numpy_draws(Noise("laplace")))) < 0.25


@pytest.mark.parametrize("family", DISTRIBUTIONS)
def test_the_same_stream_gives_the_same_noise_and_cells_are_independent(family):
    noise = Noise(family)
    x = noise.draw((5000, 3), np.random.default_rng(1))
    assert x.dtype == np.float32
    assert x.tobytes() == noise.draw((5000, 3), np.random.default_rng(1)).tobytes()
    assert x.tobytes() != noise.draw((5000, 3), np.random.default_rng(2)).tobytes()
    ranks = stats.spearmanr(x).statistic
    assert np.abs(ranks - np.eye(3)).max() < 5 / np.sqrt(5000)


def test_heavy_tails_are_clipped_when_standardised():
    tasks = Family(d=3, n=2000, noise="cauchy", graphs=EdgeCoins(edges=1)).simulate(
        np.random.SeedSequence(0).spawn(4), TaskSize(3, 2000)
    )
    x = tasks.standardised()
    assert float(x.abs().max()) == 10.0
    assert x.isfinite().all()


# -- mixtures -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "noise",
    [
        ["uniform", "cauchy"],
        NoiseMixture(("uniform", "cauchy")),
        {"of": ["uniform", "cauchy"], "weights": [2, 2]},
    ],
)
def test_every_task_of_a_mixture_has_one_family_of_noise(noise):
    """Uniform noise stays within sqrt(3); 200 Cauchy draws never do. 100 tasks, 4.5 se."""
    unit = Linear(noise_scale=NoiseScale(distribution="constant", low=1.0))
    family = Family(d=2, n=200, graphs=EdgeCoins(edges=0), mechanisms=unit, noise=noise)
    tasks = family.simulate(np.random.SeedSequence(0).spawn(100), TaskSize(2, 200))
    bounded = tasks.values.abs().amax(1) <= np.sqrt(3) + 1e-6
    assert (bounded[:, 0] == bounded[:, 1]).all()
    assert abs(bounded[:, 0].double().mean() - 0.5) < 4.5 * 0.05


@dataclass(frozen=True)
class OftenBroken:
    """Every other draw gives values that are not finite, so the task is drawn again."""

    def draw(self, graph, rng):
        broken = np.float32(np.inf if rng.random() < 0.5 else 1.0)
        return {"noise_scale": np.full(len(graph), broken)}

    def evaluate(self, inputs, causes, noise, drawn):
        return noise + inputs.sum(-1)


def test_the_model_of_a_task_has_the_noise_of_the_draw_that_was_kept():
    family = Family(
        d=2, n=200, graphs=EdgeCoins(edges=0), mechanisms=OftenBroken(), noise=["uniform", "cauchy"]
    )
    for seed in range(16):
        bounded = np.abs(family.task(seed).data.values).max() <= np.sqrt(3) + 1e-6
        assert family.scm(seed).noise.family == ("uniform" if bounded else "cauchy")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Noise("student", degrees_of_freedom=2.0), "above 2"),
        (lambda: Noise("student", degrees_of_freedom=-1.0), "freedom"),
        (lambda: NoiseMixture(()), "at least one"),
        (lambda: NoiseMixture(("laplace",), weights=[-1.0]), "non-negative"),
        (lambda: Family(noise=3), "noise must be a name.*got 3"),
        (lambda: Family(noise={"famly": "laplace"}), "Did you mean 'family'"),
    ],
)
def test_wrong_noise_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
