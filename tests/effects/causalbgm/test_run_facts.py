"""What the effects estimators say about their runs, and what they compute once."""

import warnings
from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import pytest
from sklearn import exceptions

import aetia
from aetia.data.accepts import Accepts
from aetia.effects import METHODS
from aetia.effects.causalbgm import estimator as estimator_module
from aetia.effects.causalbgm.estimator import steps_taken
from aetia.errors import InputError
from effects.causalbgm.small import QUICK, arms_study

SMALL = QUICK | {
    "n_egm_steps": 6,
    "n_epochs": 1,
    "n_warmup": 3,
    "n_kept": 4,
    "n_draws": 40,
    "random_state": 7,
}
MORE = {
    "causalbgm": {},
    "identifiable": {"prior_units": (4,)},
    "full-mcmc": {"n_folds": 1, "n_replicates": 2, "n_sweeps": 4, "n_leapfrog": 2},
}
ARMS = arms_study(80)


def fit(name, study=ARMS, **options):
    extra = ((study[2][:, 0] > 0).astype(int),) if name == "identifiable" else ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return METHODS[name][0](**(SMALL | MORE[name] | options)).fit(*study, *extra)


@pytest.fixture(scope="module", params=list(METHODS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(name):
    return fit(name)


def test_facts_are_complete_and_on_every_answer(name, fitted):
    facts = fitted.facts_
    assert (facts.method, facts.seed, facts.version) == (name, 7, aetia.__version__)
    assert isinstance(facts.seed, int)
    assert facts.device in ("cpu", "cuda", "cuda:0")
    assert 0 < facts.seconds < 600
    assert facts.n_steps == steps_taken(fitted.history_) > 6
    assert facts.config.keys() == {f.name for f in fields(METHODS[name][1])}
    for answer in (fitted.ate(), fitted.effect(), fitted.dose_response()):
        assert answer.facts is facts


def test_health_are_facts_about_the_training_and_history_its_rows(name, fitted):
    assert isinstance(fitted.health_, Mapping)
    assert {"held_out_loss", "best_step", "n_units", "n_folds", "n_networks"} <= set(fitted.health_)
    assert not {"seed", "seconds", "version", "method"} & set(fitted.health_)
    assert fitted.health_["n_units"] == 80
    assert len(fitted.health_["best_step"]) == fitted.health_["n_networks"]
    assert all("step" in row for row in fitted.history_)
    assert ("rhat_max" in fitted.health_) <= (name == "full-mcmc")
    with pytest.warns(FutureWarning, match=r"facts\.seconds"):
        assert fitted.health_["seconds"] == fitted.facts_.seconds


def test_a_file_keeps_facts_health_and_history(fitted, tmp_path):
    fitted.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    again = type(fitted).load(tmp_path)
    assert again.facts_ == fitted.facts_
    assert again.health_ == fitted.health_
    assert len(again.history_) == len(fitted.history_)


def test_a_model_saved_over_one_of_an_earlier_version_takes_its_place(fitted, tmp_path):
    (tmp_path / "causalbgm.safetensors").write_bytes(b"of an earlier version")
    fitted.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    assert type(fitted).load(tmp_path).facts_ == fitted.facts_


def test_ranks_are_those_of_outcomes_in_predictions_that_never_saw_them(name, fitted):
    ranks = fitted.prediction_ranks()
    if name == "full-mcmc":
        assert ranks is None  # one fold: the networks were trained on most outcomes
        return
    assert ranks.shape == (80,)
    assert ((ranks >= 0) & (ranks <= 1)).all()
    # A unit whose outcome lies above what was expected of it has a rank above one half.
    residuals = fitted._fit_result.residuals().mean(0)
    np.testing.assert_array_equal(ranks > 0.5, residuals > 0)


def test_overlap_and_scores_are_computed_once_for_a_fit(monkeypatch):
    calls = []
    overlap_of = estimator_module.overlap_of
    monkeypatch.setattr(
        estimator_module, "overlap_of", lambda fit: calls.append(fit) or overlap_of(fit)
    )
    model = fit("causalbgm")
    first = model.overlap()
    assert model.overlap() is first
    scores = model.evaluate()
    scores["mse_y"] = -1.0  # the caller's own
    assert model.evaluate()["mse_y"] > 0
    assert len(calls) == 1
    extra = arms_study(60, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*extra)
    assert len(model.overlap().received) == 60
    assert len(calls) == 2


def test_every_estimator_says_what_it_accepts(name):
    accepts = METHODS[name][0].accepts
    assert isinstance(accepts, Accepts)
    assert accepts.missing
    assert not accepts.interventions


QUESTIONS = {
    "ate": lambda m: m.ate(),
    "effect": lambda m: m.effect(),
    "dose_response": lambda m: m.dose_response(),
    "counterfactual": lambda m: m.counterfactual(1),
    "overlap": lambda m: m.overlap(),
    "evaluate": lambda m: m.evaluate(),
    "prediction_ranks": lambda m: m.prediction_ranks(),
    "sample_latents": lambda m: m.sample_latents(),
    "save": lambda m: m.save("nowhere"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_before_the_fit_raise_the_one_error(name, question):
    with pytest.raises(exceptions.NotFittedError, match="not fitted yet; call fit first") as raised:
        QUESTIONS[question](METHODS[name][0]())
    assert isinstance(raised.value, InputError)


@pytest.mark.parametrize(
    ("steps", "total"),
    [([], None), ([5], 5), ([1, 1, 3], 3), ([2, 4, 1, 2], 6), ([4, 4, 4, 1], 5), ([3, 2, 1], 6)],
)
def test_steps_of_phases_that_count_anew_add_up(steps, total):
    assert steps_taken([{"step": step} for step in steps]) == total
