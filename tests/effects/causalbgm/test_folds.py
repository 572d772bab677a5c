"""No network is judged, or used for a correction, on units that it learned from."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.effects import CausalBGM
from aetia.effects.causalbgm import joint_phase
from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.folds import (
    in_turns,
    make_folds,
    out_of_fold,
    take_units,
    unit_batches,
)
from aetia.effects.causalbgm.iterative_phase import update_iteratively
from aetia.effects.causalbgm.joint_phase import fit_jointly
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.selection import BestWeights
from effects.causalbgm.small import (
    NARROW,
    QUICK,
    ROLES,
    arms_study,
    generator,
    make_networks,
    random_units,
)


@given(st.integers(10, 80), st.integers(1, 7), st.integers(1, 3), st.integers(0, 2**31))
def test_folds_are_a_partition_into_equal_parts(n, n_folds, n_replicates, seed):
    folds = make_folds(n, n_folds, n_replicates, generator(seed))
    assert folds.n_members == n_folds * n_replicates
    held = folds.held_out()
    assert held.shape == (folds.n_members, n)
    sizes = torch.bincount(folds.of_unit)
    assert sizes.max() - sizes.min() <= 1
    if n_folds > 1:
        assert len(sizes) == n_folds
        # Every unit is held out exactly once by every replicate.
        assert (held.reshape(n_replicates, n_folds, n).sum(1) == 1).all()
    else:
        assert (held.sum(1) - n / 5).abs().max() < 1
        assert (held == held[0]).all()


@given(st.integers(20, 80), st.integers(2, 6), st.floats(0.1, 0.9), st.integers(0, 2**31))
def test_every_fold_has_its_share_of_both_arms(n, n_folds, share, seed):
    g = generator(seed)
    arms = torch.zeros(n)
    arms[torch.randperm(n, generator=g)[: max(int(n * share), n_folds)]] = 1
    folds = make_folds(n, n_folds, 1, g, arms)
    for a in (0, 1):
        count = torch.bincount(folds.of_unit[arms == a], minlength=n_folds)
        assert count.max() - count.min() <= 1


def test_member_m_holds_out_fold_m_modulo_folds():
    folds = make_folds(30, 3, 2, generator())
    for m in range(6):
        assert torch.equal(folds.held_out()[m], folds.of_unit == m % 3)


def test_folds_are_drawn_and_follow_their_seed():
    a, b, c = (make_folds(60, 5, 1, generator(s)).of_unit for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize("n_folds", [1, 3])
def test_batches_hold_every_learned_unit_and_no_other(n_folds):
    units = random_units(40)
    folds = make_folds(40, n_folds, 2, generator())
    held, seen = folds.held_out(), torch.zeros(folds.n_members, 40)
    for batch, rows in islice(unit_batches(units, folds, 50, seed=3)(0), 40):
        assert rows.shape == (folds.n_members, 50)
        torch.testing.assert_close(batch.outcome, units.outcome[rows])
        torch.testing.assert_close(batch.covariates, units.covariates[rows])
        seen.scatter_add_(1, rows, torch.ones(rows.shape))
    assert (seen[held] == 0).all()
    # 2,000 draws over at most 33 units: 60 expected each, fewer than 20 never (< 1e-8).
    assert seen[~held].min() >= 20


def test_a_batch_depends_on_the_seed_and_its_number_alone():
    units, folds = random_units(40), make_folds(40, 2, 1, generator())
    from_start = [r for _, r in islice(unit_batches(units, folds, 8, seed=3)(0), 6)]
    from_four = [r for _, r in islice(unit_batches(units, folds, 8, seed=3)(4), 2)]
    far = next(unit_batches(units, folds, 8, seed=3)(37))[1]
    counted = next(islice(unit_batches(units, folds, 8, seed=3)(0), 37, None))[1]
    assert torch.equal(far, counted)
    other = next(unit_batches(units, folds, 8, seed=4)(0))[1]
    assert torch.equal(torch.stack(from_start[4:]), torch.stack(from_four))
    assert not torch.equal(other, from_start[0])
    assert not torch.equal(from_start[0], from_start[1])


def test_turns_cut_a_batch_and_start_anywhere():
    units, folds = random_units(40), make_folds(40, 2, 1, generator())
    whole = unit_batches(units, folds, 6, seed=3)
    turns = list(islice(in_turns(whole, 3)(0), 6))
    for number, (batch, _) in enumerate(islice(whole(0), 2)):
        three = turns[3 * number : 3 * number + 3]
        assert [t.place for t in three] == [0, 1, 2]
        assert len({id(t.together) for t in three}) == 1
        for part, all_of_it in zip(zip(*(t.units for t in three), strict=True), batch, strict=True):
            if all_of_it is not None:
                assert torch.equal(torch.cat(part, 1), all_of_it)
    later = list(islice(in_turns(whole, 3)(4), 2))
    assert [t.place for t in later] == [1, 2]
    for a, b in zip(later, turns[4:], strict=True):
        assert torch.equal(a.units.covariates, b.units.covariates)


def test_taking_units_takes_every_part_of_them():
    units = random_units(10)._replace(observed=torch.rand(10, 3, generator=generator()) < 0.5)
    rows = torch.tensor([[3, 3], [9, 0]])
    taken = take_units(units, rows)
    for part, whole in zip(taken, units, strict=True):
        assert torch.equal(part, whole[rows])


@given(st.integers(2, 5), st.integers(1, 3), st.integers(0, 2**31))
def test_out_of_fold_keeps_what_members_say_that_never_saw_the_unit(n_folds, n_replicates, seed):
    folds = make_folds(23, n_folds, n_replicates, generator(seed))
    held = folds.held_out().numpy()
    values = np.broadcast_to(
        np.arange(folds.n_members)[:, None, None], (folds.n_members, 23, 2)
    ).astype(float)
    kept = out_of_fold(values, folds)
    assert kept.shape == (n_replicates, 23, 2)
    for r in range(n_replicates):
        for i in range(23):
            m = int(kept[r, i, 0])
            assert held[m, i]
            assert m // n_folds == r
            assert kept[r, i, 1] == m


def last_weights(units, folds, *, is_binary, n_epochs=0):
    """Weights of every member after its last step: held-out units do not choose them."""
    config = CausalBGMConfig(**(NARROW | {"latent_dims": tuple(ROLES), "n_epochs": n_epochs}))
    networks = make_networks(random_units(60, seed=8, is_binary=is_binary), is_binary=is_binary)
    networks = networks.float()
    best = BestWeights(networks)
    fit_jointly(networks, units, folds, config, n_steps=10, seed=5, progress=False, best=best)
    if n_epochs:
        prior = LatentPrior(ROLES.total, 2)
        z = networks.encode(units.covariates, units.observed).detach()
        update_iteratively(
            networks, prior, units, folds, z, config, seed=6, progress=False, best=best
        )
    return [[p.detach()[m].clone() for p in networks.parameters()] for m in range(folds.n_members)]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("n_epochs", [0, 2], ids=["joint", "iterative"])
@pytest.mark.parametrize("is_binary", [False, True], ids=["doses", "arms"])
def test_no_member_sees_its_held_out_units(is_binary, n_epochs, monkeypatch):
    monkeypatch.setattr(joint_phase, "_CLIP", 1e9)  # the next test is about the clip
    units = random_units(60, is_binary=is_binary).map(lambda part: part.float())
    folds = make_folds(60, 2, 1, generator())
    held = folds.held_out()
    first = last_weights(units, folds, is_binary=is_binary, n_epochs=n_epochs)
    for m in range(1):
        changed = units._replace(
            outcome=torch.where(held[m], -units.outcome, units.outcome),
            treatment=torch.where(held[m], units.treatment.flip(0), units.treatment),
            covariates=torch.where(held[m][:, None], -units.covariates, units.covariates),
        )
        second = last_weights(changed, folds, is_binary=is_binary, n_epochs=n_epochs)
        assert same(first[m], second[m])
        assert not same(first[1 - m], second[1 - m])


def test_a_wild_outcome_does_not_reach_the_member_that_holds_it_out():
    # Gradients are clipped: by the norm of the member, not of all members together.
    units = random_units(60).map(lambda part: part.float())
    folds = make_folds(60, 2, 1, generator())
    wild = torch.where(folds.held_out()[0], 100 * units.outcome, units.outcome)
    first = last_weights(units, folds, is_binary=False)
    second = last_weights(units._replace(outcome=wild), folds, is_binary=False)
    assert same(first[0], second[0])
    assert not same(first[1], second[1])


def test_swapped_outcomes_of_held_out_units_leave_what_is_said_about_them():
    # Through the estimator: outcomes are swapped within fold 0, so that no scale changes. Its
    # member predicts them as before if its best step stays the same.
    t, y, v = arms_study(120)
    options = QUICK | {"n_egm_steps": 1}
    one = CausalBGM(**options).fit(t, y, v)
    held = np.flatnonzero((one._fitted().folds.of_unit == 0).numpy())
    swapped = y.copy()
    swapped[held] = np.roll(y[held], 1)
    two = CausalBGM(**options).fit(t, swapped, v)
    assert one.health_["best_step"][0] == two.health_["best_step"][0]
    levels = np.array([0.0, 1.0])
    a, b = (m._fitted().out_of_fold_distributions(levels)[0][0] for m in (one, two))
    np.testing.assert_array_equal(a[held], b[held])
    rest = np.setdiff1d(np.arange(120), held)
    assert (a[rest] != b[rest]).any(1).all()
