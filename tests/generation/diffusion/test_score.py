"""Properties of the scores: invariances, unbiasedness, gradients, what they are minimised by."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.errors import InputError
from aetia.generation.diffusion.process.distances import (
    RBF,
    AnnealedEnergy,
    Energy,
    Exponential,
    InverseMultiquadric,
)
from aetia.generation.diffusion.process.objective import Objective
from aetia.generation.diffusion.process.schedule import LinearSchedule
from aetia.generation.diffusion.process.score import score_terms

DISTANCES = [Energy(0.1), Energy(1.0), Energy(1.7), RBF(0.8), InverseMultiquadric(), Exponential()]


def population(m=6, d=3, n=4, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    draws = torch.randn((n, m, d), generator=g, dtype=dtype)
    return draws, torch.randn((n, d), generator=g, dtype=dtype)


@pytest.mark.parametrize("distance", DISTANCES, ids=str)
def test_order_place_and_direction_do_not_matter(distance):
    draws, y = population()
    plain = score_terms(distance, draws, y).score()
    torch.testing.assert_close(score_terms(distance, draws.flip(1), y).score(), plain)
    moved = score_terms(distance, draws + 5, y + 5).score()
    torch.testing.assert_close(moved, plain)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)).double())
    turned = score_terms(distance, draws @ turn.Q, y @ turn.Q).score()
    torch.testing.assert_close(turned, plain)


@given(st.floats(0.1, 1.99), st.floats(0.1, 10))
def test_the_energy_score_scales_with_the_power(beta, c):
    draws, y = population()
    plain = score_terms(Energy(beta), draws, y).score()
    scaled = score_terms(Energy(beta), c * draws, c * y).score()
    torch.testing.assert_close(scaled, c**beta * plain, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("distance", DISTANCES, ids=str)
@pytest.mark.parametrize("m", [2, 3, 8])
def test_the_score_is_unbiased_for_any_population(distance, m):
    # The mean over 20,000 populations does not depend on m: five standard errors of the gap.
    # Scores of biased pair means (1 / m^2) would differ by a m-th of the interaction.
    scores = {}
    for size in (m, 16):
        draws, _ = population(size, n=20_000, seed=size)
        scores[size] = score_terms(distance, draws, torch.ones(20_000, 3).double()).score()
    if m == 16:
        return
    gap = scores[m].mean() - scores[16].mean()
    error = (scores[m].var() / 20_000 + scores[16].var() / 20_000).sqrt()
    assert abs(float(gap)) < 5 * float(error)


def test_one_draw_without_repulsion_is_the_squared_error():
    draws, y = population(m=1)
    found = score_terms(Energy(2.0), draws, y)
    torch.testing.assert_close(found.score(0.0), (draws[:, 0] - y).square().sum(-1))
    assert (found.interaction == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("distance", [Energy(0.1), Energy(1.0), Exponential(), AnnealedEnergy()])
def test_gradients_are_finite_where_draws_coincide(distance, dtype):
    draws = torch.zeros((2, 4, 3), dtype=dtype, requires_grad=True)
    score_terms(distance, draws, torch.zeros((2, 3), dtype=dtype)).score().sum().backward()
    assert draws.grad is not None
    assert bool(draws.grad.isfinite().all())


def test_the_annealed_energy_is_a_squared_error_at_the_data():
    draws, y = population()
    t = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    found = score_terms(AnnealedEnergy(0.5), draws, y, t=t)
    for rows, beta in ((slice(0, 2), 2.0), (slice(2, 4), 0.5)):
        wanted = score_terms(Energy(beta), draws[rows], y[rows])
        torch.testing.assert_close(found.confinement[rows], wanted.confinement)
        torch.testing.assert_close(found.interaction[rows], wanted.interaction)


@pytest.mark.parametrize(
    ("interaction", "low", "high"), [(1.0, 0.85, 1.15), (0.5, 0.2, 0.75), (0.0, -0.01, 0.15)]
)
def test_a_population_learns_its_spread_only_with_full_repulsion(interaction, low, high):
    # 200 draws as free parameters, 2,000 truths from N(0, 1): the spread at the minimum.
    g = torch.Generator().manual_seed(0)
    truths = torch.randn((2000, 1), generator=g)
    draws = (0.1 * torch.randn((200, 1), generator=g)).requires_grad_()
    optimiser = torch.optim.Adam([draws], lr=0.02)
    for _ in range(400):
        gaps = (draws - truths.T).abs().mean()
        pairs = (draws - draws.T).abs().sum() / (200 * 199)
        optimiser.zero_grad()
        (gaps - interaction / 2 * pairs).backward()
        optimiser.step()
    assert low < float(draws.std()) < high


def test_coordinates_that_are_no_targets_do_not_count():
    objective = Objective(LinearSchedule(), Energy(1.0), 1.0, 6, "flat", 0.0, 0.0)
    draws, y = population()
    target = torch.tensor([[True, False, True]] * 4)
    t = torch.full((4,), 0.5, dtype=torch.float64)
    found = objective.score(draws, y, t, target).loss
    changed = draws.clone()
    changed[..., 1] = 99.0
    torch.testing.assert_close(objective.score(changed, y, t, target).loss, found)
    two = score_terms(Energy(1.0), draws[..., [0, 2]], y[:, [0, 2]]).score().mean()
    torch.testing.assert_close(found, two / 2**0.5)


def test_rows_without_targets_do_not_count():
    objective = Objective(LinearSchedule(), Energy(1.0), 1.0, 6, "flat", 0.0, 0.0)
    draws, y = population()
    t = torch.full((4,), 0.5, dtype=torch.float64)
    target = torch.ones((4, 3), dtype=torch.bool)
    target[2:] = False
    found = objective.score(draws, y, t, target)
    wanted = objective.score(draws[:2], y[:2], t[:2], target[:2])
    torch.testing.assert_close(found.loss, wanted.loss)
    torch.testing.assert_close(found.confinement, wanted.confinement)


@pytest.mark.parametrize("beta", [0.0, 2.1, -1.0])
def test_powers_out_of_range_are_refused(beta):
    with pytest.raises(InputError, match="0 < beta <= 2"):
        Energy(beta)
