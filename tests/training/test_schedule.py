"""Learning rates against the schedulers of torch."""

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from aetia.training import TrainingConfig
from aetia.training.schedule import learning_rate

PEAK = 0.3


def rates(n=None, n_reductions=0, **options):
    config = TrainingConfig(**{"learning_rate": PEAK, "n_steps": 40, "warmup": 0.0, **options})
    return [learning_rate(config, k, n_reductions) for k in range(n or config.n_steps)]


def of_torch(make, n=40):
    """The rates of the first steps with a scheduler of torch."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # chaining schedulers calls a deprecated signature
        scheduler, out = make(optimiser), []
        for _ in range(n):
            out.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            scheduler.step()
    return out


def warmed_up(n_warmup, then):
    """Linear from 1/n to 1 in n steps; the scheduler that follows starts at the peak."""

    def make(optimiser):
        rise = lr_scheduler.LinearLR(optimiser, 1 / n_warmup, total_iters=n_warmup - 1)
        return lr_scheduler.SequentialLR(optimiser, [rise, then(optimiser)], [n_warmup])

    return make


def test_cosine_is_that_of_torch():
    expected = of_torch(lambda o: lr_scheduler.CosineAnnealingLR(o, 40, eta_min=0.01))
    assert rates(min_learning_rate=0.01) == pytest.approx(expected, abs=1e-12)


def test_cosine_after_a_warm_up_is_that_of_torch():
    expected = of_torch(warmed_up(8, lambda o: lr_scheduler.CosineAnnealingLR(o, 32)))
    assert rates(warmup=0.2) == pytest.approx(expected, abs=1e-12)


def test_cosine_may_end_early_and_stays_at_its_floor():
    expected = of_torch(lambda o: lr_scheduler.CosineAnnealingLR(o, 25, eta_min=0.02), 26)
    got = rates(cosine_steps=25, min_learning_rate=0.02)
    assert got[:26] == pytest.approx(expected, abs=1e-12)
    assert got[25:] == [0.02] * 15


@pytest.mark.parametrize("warmup", [0.0, 0.2])
def test_multistep_is_that_of_torch(warmup):
    """The milestones are steps of the run, warm-up included."""
    n_warmup = int(40 * warmup)
    steps = [20 - n_warmup, 30 - n_warmup]

    def then(optimiser):
        return lr_scheduler.MultiStepLR(optimiser, steps, gamma=0.2)

    expected = of_torch(warmed_up(n_warmup, then) if warmup else then)
    got = rates(schedule="multistep", milestones=(0.5, 0.75), decay=0.2, warmup=warmup)
    assert got == pytest.approx(expected, abs=1e-12)


def test_the_default_milestone_is_two_thirds_of_the_run():
    got = rates(schedule="multistep")
    assert [round(r, 6) for r in got].count(0.3) == 27


def test_a_constant_rate_is_constant_after_its_warm_up():
    expected = of_torch(warmed_up(4, lambda o: lr_scheduler.ConstantLR(o, 1.0)))
    got = rates(schedule="constant", warmup=0.1)
    assert got == pytest.approx(expected, abs=1e-12)
    assert got[:5] == pytest.approx([0.075, 0.15, 0.225, 0.3, 0.3])


def test_each_plateau_multiplies_the_rate_down_to_its_floor():
    options = {"schedule": "plateau", "decay": 0.5, "min_learning_rate": 0.1}
    got = [rates(n=1, n_reductions=k, **options)[0] for k in range(4)]
    assert got == pytest.approx([0.3, 0.15, 0.1, 0.1])


@given(
    st.sampled_from(["cosine", "multistep", "plateau", "constant"]),
    st.floats(0, 0.9),
    st.integers(1, 60),
    st.floats(0, PEAK),
)
def test_rates_rise_in_the_warm_up_and_never_after_it(schedule, warmup, n_steps, floor):
    got = rates(schedule=schedule, warmup=warmup, n_steps=n_steps, min_learning_rate=floor)
    top = got.index(max(got))
    assert got[: top + 1] == sorted(got[: top + 1])
    assert got[top:] == sorted(got[top:], reverse=True)
    assert got[0] > 0
    assert max(got) <= PEAK * (1 + 1e-12)
    assert min(got[top:]) >= floor * (1 - 1e-12)


@pytest.mark.parametrize("schedule", ["cosine", "multistep", "plateau", "constant"])
def test_a_step_beyond_the_run_has_a_rate(schedule):
    """A forced resumption may ask for one."""
    config = TrainingConfig(n_steps=10, schedule=schedule)
    assert 0 <= learning_rate(config, 1000) <= config.learning_rate
