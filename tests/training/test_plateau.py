"""The plateau schedule against that of torch, and where it is to differ."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

from aetia.training import train
from aetia.training.plateau import Plateau, follow
from aetia.training.schedule import learning_rate
from training.runs import options, phase, regression, tables

THE_SEEDS = {"patience": 3, "cooldown": 1, "threshold": 1e-4}


def reductions(values, mode="min", **rule):
    """How often the rate has fallen, after each value."""
    state, out = Plateau(), []
    for value in values:
        state = follow(state, value, mode=mode, **{**THE_SEEDS, **rule})
        out.append(state.n_reductions)
    return out


def of_torch(values, mode="min", *, patience=3, cooldown=1, threshold=1e-4, peak=1.0, factor=0.5):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    scheduler = ReduceLROnPlateau(
        optimiser, mode, factor, patience, threshold, "rel", cooldown, eps=0.0
    )
    out = []
    for value in values:
        scheduler.step(value)
        out.append(optimiser.param_groups[0]["lr"])
    return out


# Few different values, so that ties, near ties and long plateaus are common.
metrics = st.lists(
    st.one_of(
        st.integers(0, 6).map(float),
        st.floats(0.99, 1.01),
        st.floats(0, 1e6),
        st.just(math.nan),
        st.just(math.inf),
    ),
    max_size=60,
)


@given(
    metrics,
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from([0.0, 1e-4, 0.1, 0.5]),
)
def test_rates_are_those_of_torch(values, patience, cooldown, threshold):
    rule = {"patience": patience, "cooldown": cooldown, "threshold": threshold}
    # Torch starts at infinity, which an infinite first metric does not improve on either.
    expected = of_torch(values, **rule)
    assert [0.5**n for n in reductions(values, **rule)] == expected


@given(st.lists(st.integers(1, 6).map(float), max_size=60), st.integers(0, 3), st.integers(0, 3))
def test_rates_are_those_of_torch_for_metrics_that_should_be_large(values, patience, cooldown):
    rule = {"patience": patience, "cooldown": cooldown, "threshold": 0.1}
    expected = of_torch(values, "max", **rule)
    assert [0.5**n for n in reductions(values, "max", **rule)] == expected


def test_a_loss_below_zero_that_stands_still_is_a_plateau():
    """In torch the same value passes for an improvement there, and the rate never falls."""
    flat = [-100.0] * 5
    assert reductions(flat) == [0, 0, 0, 0, 1]
    assert of_torch(flat)[-1] == 1.0


@given(st.lists(st.floats(-10, 10), max_size=40))
def test_small_and_large_are_mirror_images(values):
    assert reductions(values) == reductions([-v for v in values], "max")


def test_rates_of_a_run_are_those_of_torch_stepped_at_each_validation():
    values = [5, 4, 4, 4, 4, 4, 4, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9]
    config = options(
        n_steps=16,
        schedule="plateau",
        warmup=0.0,
        decay=0.5,
        plateau_patience=1,
        plateau_cooldown=2,
        plateau_threshold=0.01,
        validate_every=1,
        log_every=1,
    )
    trained = train(
        regression(0.0),
        [phase()],
        tables,
        config=config,
        seed=1,
        validate=lambda module, step: [{"task": 0, "loss": values[step - 1]}],
    )
    got = [r["learning_rate"] for r in trained.rows if "learning_rate" in r]
    after = of_torch(values, patience=1, cooldown=2, threshold=0.01, peak=1e-2)
    assert got == pytest.approx([1e-2, *after[:-1]], rel=1e-12)
    assert len(set(got)) >= 4
    assert got[0] == learning_rate(config, 0)
