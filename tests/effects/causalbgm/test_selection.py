"""Which weights are kept: every member's best, the prior's with them, and never of a lost fit."""

import warnings

import pytest
import torch

from aetia.effects import CausalBGM, FullMCMCCausalBGM, IdentifiableCausalBGM
from aetia.effects.causalbgm.latent_prior import LatentPrior
from aetia.effects.causalbgm.selection import BestWeights
from aetia.errors import NumericalError
from aetia.nets import seeded
from effects.causalbgm.small import QUICK, ROLES, arms_study, generator, make_networks, random_units

ARMS = arms_study(80)
LABELS = (ARMS[2][:, 0] > 0).astype(int)


@torch.no_grad()
def stamp(value, *modules):
    for module in modules:
        for p in module.parameters():
            p.fill_(value)


def test_every_member_gets_back_the_networks_and_the_prior_of_its_best_step():
    networks = make_networks(random_units(10))
    with seeded(generator()):
        prior = LatentPrior(ROLES.total, 2, 3, (4,)).double()
    best = BestWeights(networks, prior)
    for step, loss in ((1, [1.0, 1.0]), (2, [0.5, 2.0]), (3, [0.9, torch.nan])):
        stamp(step, networks, prior)
        best.update(networks, torch.tensor(loss), step)
    best.restore(networks)
    for p in (*networks.parameters(), *prior.parameters()):
        assert (p[0] == 2).all()
        assert (p[1] == 1).all()
    assert best.step.tolist() == [2, 1]


def test_steps_before_a_new_start_are_forgotten():
    networks = make_networks(random_units(10))
    best = BestWeights(networks)
    best.update(networks, torch.tensor([0.1, 0.1]), 5)
    best.start_again()
    stamp(7, networks)
    best.update(networks, torch.tensor([0.3, torch.nan]), 6)
    assert best.step.tolist() == [6, 5]
    assert best.loss.tolist() == [pytest.approx(0.3), torch.inf]


def test_a_conditional_prior_comes_from_the_step_of_its_networks(monkeypatch):
    # Losses are made up: the joint start has the lowest ones, and of the four steps of iterative
    # updating member m has its best at the step m + 1.
    seen, plain = {}, BestWeights.update

    def watch(self, networks, loss, step):
        both = (*networks.parameters(), *self.prior.parameters())
        seen[step] = [p.detach().clone() for p in both]
        own = (
            (torch.arange(3) + 41 - step).abs().float()
            if step > 40
            else torch.full((3,), -float(step))
        )
        plain(self, networks, own, step)

    monkeypatch.setattr(BestWeights, "update", watch)
    options = QUICK | {"n_epochs": 3, "iterative_learning_rate": 0.05, "prior_units": (4,)}
    model = IdentifiableCausalBGM(**options).fit(*ARMS, LABELS)
    fit, first = model._fitted(), max(step for step in seen if step <= 40)
    found = (*fit.networks.parameters(), *fit.prior.parameters())
    n_prior = len(list(fit.prior.parameters()))
    for m, step in enumerate(model.health_["best_step"]):
        for p, kept in zip(found, seen[step], strict=True):
            assert torch.equal(p[m], kept[m])
        assert any(
            not torch.equal(p[m], start[m])
            for p, start in zip(found[-n_prior:], seen[first][-n_prior:], strict=True)
        ), "the prior was never trained"
    assert model.health_["best_step"] == [41, 42, 43]


@pytest.mark.parametrize(
    ("cls", "option"),
    [
        (CausalBGM, "learning_rate"),
        (FullMCMCCausalBGM, "learning_rate"),
        (IdentifiableCausalBGM, "iterative_learning_rate"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_losses_that_are_not_finite_are_a_numerical_error(cls, option):
    extra = (LABELS,) if cls is IdentifiableCausalBGM else ()
    model = cls(**(QUICK | {"n_egm_steps": 10}), **{option: 1e30})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(NumericalError, match=rf"{option} \(now 1e\+30\)"):
            model.fit(*ARMS, *extra)
    with pytest.raises(Exception, match="not fitted"):
        model.ate()


def test_latents_that_climb_to_infinity_are_a_numerical_error():
    options = {"n_epochs": 2, "latent_updates": "map", "iterative_learning_rate": 1e30}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CausalBGM(**(QUICK | {"n_egm_steps": 5, "init": "prior"} | options))
        with pytest.raises(NumericalError, match="iterative_learning_rate"):
            model.fit(*ARMS)
