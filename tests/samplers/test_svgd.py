"""SVGD, its kernels and its update rules against golden numbers, autograd and torch.optim."""

import math

import numpy as np
import pytest
import torch

from aetia.errors import InputError
from aetia.samplers import (
    SVGD,
    Adam,
    ClippedAscent,
    FixedBandwidth,
    MedianBandwidth,
    RMSprop,
    stein_direction,
)

KERNELS = [FixedBandwidth(bandwidths={"z": 2.0, "*": 3.0}), MedianBandwidth(factor=0.8)]


@pytest.fixture
def golden(dibs_golden):
    return {
        k: torch.tensor(v, dtype=torch.float64) if isinstance(v, list) else v
        for k, v in dibs_golden["svgd"].items()
    }


def random_position(p, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "z": torch.randn(p, 3, 2, generator=generator, dtype=torch.float64),
        "theta": torch.randn(p, 4, generator=generator, dtype=torch.float64),
        "log_noise": torch.randn(p, 2, generator=generator, dtype=torch.float64),
    }


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def test_one_joint_step_direction_matches_the_golden_numbers(golden):
    kernel = FixedBandwidth(bandwidths={"z": golden["h_latent"], "*": golden["h_theta"]})
    position = {"z": golden["z"], "theta": golden["theta"]}
    close(kernel(position).values, golden["kxx_joint"])
    gradient = {"z": golden["grad_z"], "theta": golden["grad_theta"]}
    phi, bandwidths = stein_direction(position, gradient, kernel)
    close(-phi["z"], golden["neg_phi_z"])
    close(-phi["theta"], golden["neg_phi_theta"])
    assert bandwidths["z"] == 5.0


def test_the_marginal_direction_matches_the_golden_numbers(golden):
    position = {"z": golden["z"]}
    close(FixedBandwidth()(position).values, golden["kxx_marginal"])
    phi, _ = stein_direction(position, {"z": golden["grad_z"]}, FixedBandwidth())
    close(-phi["z"], golden["neg_phi_z_marginal"])


def test_two_steps_of_rmsprop_match_the_golden_numbers(golden):
    options = golden["rmsprop"]
    rule = RMSprop(step_size=options["step"], decay=options["gamma"], epsilon=options["eps"])
    position = {"z": golden["z"]}
    state = rule.init(position)
    for _ in range(2):
        step, state = rule.update({"z": -golden["neg_phi_z"]}, state)
        position = {"z": position["z"] + step["z"]}
    close(position["z"], golden["rmsprop_two_steps_same_grad"])


def test_the_first_step_of_rmsprop_has_the_same_length_whatever_the_gradient():
    rule = RMSprop(step_size=0.005, decay=0.9)
    direction = {"z": torch.tensor([[1e-2, -3.0, 4e5]], dtype=torch.float64)}
    step, _ = rule.update(direction, rule.init(direction))
    expected = direction["z"].sign() * 0.005 / math.sqrt(0.1)
    torch.testing.assert_close(step["z"], expected, rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("blocks", [["z"], ["z", "theta"], ["z", "theta", "log_noise"]])
def test_one_particle_climbs_its_own_gradient(blocks):
    """k(a, a) is 1 for z alone and 2 with parameters, which form one group."""
    position = {name: random_position(1)[name] for name in blocks}
    gradient = {name: random_position(1, seed=1)[name] for name in blocks}
    phi, _ = stein_direction(position, gradient, FixedBandwidth())
    for name in blocks:
        close(phi[name], gradient[name] * (1 if len(blocks) == 1 else 2))


@pytest.mark.parametrize("kernel", KERNELS, ids=["fixed", "median"])
def test_the_direction_is_that_of_autograd_through_the_kernel(kernel):
    position, gradient = random_position(5), random_position(5, seed=1)
    phi, _ = stein_direction(position, gradient, kernel)
    bandwidths = kernel(position).bandwidths
    h_z = bandwidths["z"]
    h_rest = next(h for name, h in bandwidths.items() if name != "z")
    source = {k: v.clone().requires_grad_() for k, v in position.items()}

    def distance(name):
        difference = source[name][:, None] - position[name][None]
        return difference.square().flatten(2).sum(-1)

    k = torch.exp(-distance("z") / h_z)
    k = k + torch.exp(-(distance("theta") + distance("log_noise")) / h_rest)
    if isinstance(kernel, MedianBandwidth):
        assert set(bandwidths) >= {"z"}
    for a in range(5):
        repulsion = torch.autograd.grad(k[:, a].sum(), list(source.values()), retain_graph=True)
        for name, push in zip(source, repulsion, strict=True):
            drive = torch.einsum("b,b...->...", k[:, a].detach(), gradient[name])
            close(phi[name][a], (drive + push.sum(0)) / 5)


def test_the_median_bandwidth_is_that_of_numpy():
    position = {"z": random_position(7)["z"]}
    flat = position["z"].flatten(1).numpy()
    squared = ((flat[:, None] - flat[None]) ** 2).sum(-1)
    expected = 0.8 * np.median(squared[np.triu_indices(7, 1)]) / math.log(8)
    got = MedianBandwidth(factor=0.8)(position)
    assert float(got.bandwidths["z"]) == pytest.approx(expected)
    close(got.values, torch.tensor(np.exp(-squared / expected)))


@pytest.mark.parametrize("p", [1, 4])
def test_coinciding_particles_give_no_nan(p):
    position = {"z": torch.ones(p, 3, 2)}
    phi, _ = stein_direction(position, {"z": torch.ones(p, 3, 2)}, MedianBandwidth())
    torch.testing.assert_close(phi["z"], torch.ones(p, 3, 2))


def test_shuffling_the_particles_shuffles_their_directions():
    position, gradient = random_position(6), random_position(6, seed=1)
    order = torch.tensor([3, 5, 0, 1, 4, 2])
    for kernel in KERNELS:
        phi, _ = stein_direction(position, gradient, kernel)
        shuffled, _ = stein_direction(
            {k: v[order] for k, v in position.items()},
            {k: v[order] for k, v in gradient.items()},
            kernel,
        )
        for name in phi:
            close(shuffled[name], phi[name][order])


def test_adam_is_that_of_torch():
    gradients = [random_position(3, seed=s) for s in range(6)]
    position = random_position(3, seed=10)
    theirs = {k: torch.nn.Parameter(v.clone()) for k, v in position.items()}
    optimiser = torch.optim.Adam(theirs.values(), lr=0.01, betas=(0.8, 0.95), maximize=True)
    ours = Adam(step_size=0.01, beta1=0.8, beta2=0.95)
    state = ours.init(position)
    for gradient in gradients:
        step, state = ours.update(gradient, state)
        position = {k: v + step[k] for k, v in position.items()}
        for name, parameter in theirs.items():
            parameter.grad = gradient[name].clone()
        optimiser.step()
    for name, parameter in theirs.items():
        torch.testing.assert_close(position[name], parameter.detach(), rtol=1e-7, atol=1e-9)


def test_clipped_ascent_shortens_only_the_long_gradients_of_each_particle():
    rule = ClippedAscent(step_size=0.1, max_norm={"z": 5.0, "*": 2.0})
    direction = {
        "z": torch.tensor([[[30.0], [40.0]], [[0.3], [0.4]]]),  # norms 50 and 0.5
        "theta": torch.tensor([[0.0, 8.0], [0.0, 0.0]]),
    }
    step, _ = rule.update(direction, rule.init(direction))
    torch.testing.assert_close(step["z"], torch.tensor([[[0.3], [0.4]], [[0.03], [0.04]]]))
    torch.testing.assert_close(step["theta"], torch.tensor([[0.0, 0.2], [0.0, 0.0]]))


def to_normal(mean, std):
    def score(position, step, generator):
        return {"x": (mean - position["x"]) / std**2}, step

    return score


def test_a_step_takes_all_gradients_at_the_old_position_and_leaves_the_state_alone():
    mean, std = torch.tensor([2.0, -1.0]).double(), torch.tensor([0.5, 2.0]).double()
    kernel, rule = FixedBandwidth(bandwidths={"x": 1.5}), ClippedAscent(step_size=0.1)
    sampler = SVGD(to_normal(mean, std), kernel, rule)
    start = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    state = sampler.init({"x": start.clone()})
    generator = torch.Generator()
    after, info = sampler.step(state, generator)
    gradient = (mean - start) / std**2
    phi, _ = stein_direction({"x": start}, {"x": gradient}, kernel)
    move, _ = rule.update(phi, {})
    close(after.position["x"], start + move["x"])
    close(state.position["x"], start)
    close(info.gradient["x"], gradient)
    assert (state.step, after.step, info.score) == (0, 1, 0)


@pytest.mark.parametrize("rule", [Adam(step_size=0.05), RMSprop(step_size=0.02)])
def test_particles_settle_on_a_normal_distribution(rule):
    """Deterministic given the start. Tolerances are for 40 particles after 600 steps.

    The fixed point's mean is exact by symmetry; its spread is a little small, as SVGD's is.
    """
    mean, std = torch.tensor([2.0]).double(), torch.tensor([0.5]).double()
    sampler = SVGD(to_normal(mean, std), MedianBandwidth(), rule)
    start = torch.randn(40, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    state, generator = sampler.init({"x": start}), torch.Generator()
    for _ in range(600):
        state, _ = sampler.step(state, generator)
    x = state.position["x"]
    assert abs(float(x.mean()) - 2.0) < 0.03
    assert abs(float(x.std()) / 0.5 - 1) < 0.1


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedBandwidth(bandwidths={"z": 0.0}),
        lambda: MedianBandwidth(factor=-1.0),
        lambda: RMSprop(step_size=0.0),
        lambda: Adam(step_size=-1.0),
        lambda: ClippedAscent(max_norm={"*": -1.0}),
    ],
)
def test_options_that_are_not_positive_are_refused(make):
    with pytest.raises(InputError):
        make()


def test_a_block_without_a_bandwidth_is_named():
    with pytest.raises(InputError, match="theta"):
        FixedBandwidth(bandwidths={"z": 1.0})(random_position(2))
