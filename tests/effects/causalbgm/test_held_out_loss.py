"""Scores of members on the units that they never saw."""

import torch

from aetia.effects.causalbgm.folds import make_folds
from aetia.effects.causalbgm.selection import held_out_loss
from effects.causalbgm.small import generator, make_networks, random_units


def test_a_member_is_scored_on_its_own_units_alone():
    units = random_units(41)  # the folds have 21 and 20 units
    networks, folds = make_networks(units), make_folds(41, 2, 1, generator())
    held = folds.held_out()
    assert held.sum(1).tolist() == [21, 20]
    loss = held_out_loss(networks, units, folds, 0.0)
    for m in range(2):
        others = units.map(
            lambda part, m=m: torch.where(held[m].view(-1, *[1] * (part.ndim - 1)), part, 0 * part)
        )
        changed = held_out_loss(networks, others, folds, 0.0)
        torch.testing.assert_close(changed[m], loss[m])
        assert not torch.allclose(changed[1 - m], loss[1 - m])


def test_units_of_the_smaller_fold_count_alike():
    units = random_units(41)
    networks, folds = make_networks(units), make_folds(41, 2, 1, generator())
    whole = held_out_loss(networks, units, folds, 0.0)
    held = folds.held_out()[1].nonzero()[:, 0]
    total = 0.0
    for i in held:  # one unit at a time: fold 1 is that unit, everything else is fold 0
        single = folds._replace(of_unit=(torch.arange(41) == i).long())
        total += float(held_out_loss(networks, units, single, 0.0)[1])
    torch.testing.assert_close(total / len(held), float(whole[1]))
