"""What every generative model says about its run, before and after it was saved."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from aetia.files import plain_json
from aetia.generation import BGM, DDDM, ImageBGM, ImageDDDM
from aetia.generation.bgm import BGMConfig, ImageBGMConfig
from aetia.generation.diffusion import DDDMConfig, ImageDDDMConfig

IMAGES = np.random.default_rng(0).uniform(size=(24, 4, 4, 1))
TABLE = np.random.default_rng(0).normal(size=(40, 2)).cumsum(1)
BGM_SIZES = {"n_steps": 6, "n_latents": 1, "n_warmup": 2, "n_starts": 5, "n_evidence": 5}
QUIET = {"random_state": 7, "progress": False}
CASES = {
    "bgm": (BGM(**BGM_SIZES, **QUIET), BGMConfig, TABLE),
    "image-bgm": (ImageBGM((4, 4, 1), width=2, **BGM_SIZES, **QUIET), ImageBGMConfig, IMAGES),
    "dddm": (DDDM(n_training_steps=6, hidden_units=(8, 8), **QUIET), DDDMConfig, TABLE),
    "image-dddm": (
        ImageDDDM((4, 4, 1), width=8, depth=2, n_shared=1, n_heads=2, n_training_steps=6, **QUIET),
        ImageDDDMConfig,
        IMAGES,
    ),
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request):
    estimator, config, data = CASES[request.param]
    return request.param, estimator.fit(data), config


def test_the_facts_of_a_run_are_complete(case):
    method, fitted, config = case
    facts = fitted.facts_
    assert (facts.method, facts.seed, facts.n_steps) == (method, 7, 6)
    assert facts.device
    assert facts.version
    assert facts.seconds > 0
    assert facts.best_step is not None
    assert set(facts.config) == {f.name for f in fields(config)}
    assert fitted.health_["n_skipped"] == 0
    assert any(row["step"] == 6 for row in fitted.history_)
    assert fitted.accepts.interventions is False


def test_draws_carry_the_facts_of_the_fit(case):
    _, fitted, _ = case
    drawn = fitted.sample(2)
    assert drawn.facts.to_dict() == fitted.facts_.to_dict()
    assert drawn.kind == "sample"
    if method_imputes(fitted):
        filled = fitted.impute(np.full((1, 2), np.nan), 3)
        assert filled.facts.to_dict() == fitted.facts_.to_dict()


def method_imputes(fitted) -> bool:
    return isinstance(fitted, (BGM, DDDM))


def test_facts_health_and_history_come_back_from_the_file(case, tmp_path):
    _, fitted, _ = case
    fitted.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    loaded = type(fitted).load(tmp_path)
    assert loaded.facts_.to_dict() == fitted.facts_.to_dict()
    assert loaded.health_ == fitted.health_
    assert loaded.history_ == plain_json(fitted.history_)


def test_earlier_keys_of_the_health_answer_with_a_warning(case):
    _, fitted, _ = case
    with pytest.warns(FutureWarning, match=r"facts\.seconds"):
        assert fitted.health_["seconds"] == fitted.facts_.seconds
