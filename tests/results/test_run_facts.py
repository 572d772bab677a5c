"""Facts of a run: on every result, in its file, and under the keys of earlier versions."""

import copy
import json
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest

import aetia
from aetia.discovery.methods import METHODS as DISCOVERY
from aetia.effects import METHODS as EFFECTS
from aetia.generation import METHODS as GENERATION
from aetia.results import Draws, EffectPosterior, GraphPosterior, RunFacts
from aetia.results.earlier_keys import CLASS_NAMES, method_key
from aetia.results.storage import read_draws, write_draws

FACTS = RunFacts(
    method="dibs",
    seed=2**100 + 1,
    version="0.0.1",
    device="cuda:0",
    seconds=1.5,
    n_steps=200,
    best_step=150,
    config={"n_steps": 200, "kernel": "auto", "units": [3, 4]},
)

MAKERS = {
    "graph": lambda **options: GraphPosterior(
        graphs=np.zeros((1, 2, 2), dtype=bool), log_weights=np.zeros(1), names=("a", "b"), **options
    ),
    "effect": lambda **options: EffectPosterior(
        draws=np.arange(6.0).reshape(3, 2),
        labels=("x", "y"),
        treatment="a",
        outcome="b",
        **options,
    ),
    "draws": lambda **options: Draws.of_cells(
        np.array([[np.nan, 1.0]]), np.arange(4.0)[:, None], names=("a", "b"), **options
    ),
}

OLD = {
    "method": "DiBS",
    "seed": str(2**100 + 1),
    "version": "0.0.1",
    "device": "cuda:0",
    "wall_time_s": 1.5,
    "config": {"n_steps": 200, "kernel": "auto", "units": [3, 4]},
    "n_steps": 200,
    "best_step": 150,
    "share_cyclic": 0.25,
}


@pytest.fixture(params=list(MAKERS))
def make(request):
    return MAKERS[request.param]


def test_facts_go_through_plain_values_and_back():
    plain = json.loads(json.dumps(FACTS.to_dict(), allow_nan=False))
    assert plain["seed"] == str(2**100 + 1)  # readers of JSON round such numbers
    assert RunFacts.from_dict(plain) == FACTS
    assert RunFacts.from_dict(plain | {"of a later version": 1}) == FACTS
    assert RunFacts.from_dict(RunFacts().to_dict()) == RunFacts()
    assert RunFacts.from_dict({}) == RunFacts(version="")


def test_facts_cannot_be_changed():
    with pytest.raises(AttributeError):
        FACTS.method = "exact"  # pyright: ignore[reportAttributeAccessIssue]


def test_a_result_made_by_hand_knows_its_version_and_nothing_else(make):
    result = make()
    assert result.facts == RunFacts(version=aetia.__version__)
    assert result.diagnostics == {}


def test_facts_are_in_the_file(make, tmp_path):
    result = make(facts=FACTS, diagnostics={"share_cyclic": 0.25})
    result.save(tmp_path)
    back = type(result).load(tmp_path)
    assert back.facts == FACTS
    assert back.diagnostics == {"share_cyclic": 0.25}


def test_files_without_facts_give_them_from_their_diagnostics(make, tmp_path):
    result = make(facts=FACTS)
    result.save(tmp_path)
    kind = type(result).__name__
    arrays, plain = read_draws(tmp_path, kind)
    del plain["facts"]
    plain["diagnostics"] = OLD
    dims = {k: (tuple(f"{k}_{i}" for i in range(v.ndim)), v) for k, v in arrays.items()}
    write_draws(tmp_path, kind, dims, plain)
    back = type(result).load(tmp_path)
    assert back.facts == FACTS
    assert back.diagnostics["share_cyclic"] == 0.25
    assert not OLD.keys() & back.diagnostics.keys() & {"method", "seed", "version", "config"}


def test_an_old_file_that_names_no_version_has_none(make, tmp_path):
    result = make()
    result.save(tmp_path)
    kind = type(result).__name__
    arrays, plain = read_draws(tmp_path, kind)
    del plain["facts"]
    dims = {k: (tuple(f"{k}_{i}" for i in range(v.ndim)), v) for k, v in arrays.items()}
    write_draws(tmp_path, kind, dims, plain)
    assert type(result).load(tmp_path).facts == RunFacts(version="")


def test_facts_win_over_what_diagnostics_still_say(make):
    result = make(facts=FACTS, diagnostics=OLD | {"method": "BCNP", "seed": 3})
    assert result.facts == FACTS


def test_changed_diagnostics_keep_the_facts(make):
    result = replace(make(facts=FACTS), diagnostics={"rhat_max": 1.0})
    assert result.facts == FACTS
    assert result.diagnostics == {"rhat_max": 1.0}


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("method", "method", "DiBS"),
        ("seed", "seed", 2**100 + 1),
        ("version", "version", "0.0.1"),
        ("device", "device", "cuda:0"),
        ("wall_time_s", "seconds", 1.5),
        ("seconds", "seconds", 1.5),
        ("config", "config", FACTS.config),
        ("options", "config", FACTS.config),
    ],
)
def test_earlier_keys_answer_with_a_warning_that_names_the_field(make, key, field, value):
    diagnostics = make(facts=FACTS, diagnostics={"ess": 3.0}).diagnostics
    with pytest.warns(FutureWarning, match=rf"diagnostics\['{key}'\] moved to facts\.{field}"):
        assert diagnostics[key] == value
    with pytest.warns(FutureWarning, match="facts"):
        assert diagnostics.get(key, "another") == value


def test_keys_that_never_were_stay_missing_and_others_do_not_warn(make):
    diagnostics = make(facts=FACTS, diagnostics={"ess": 3.0}).diagnostics
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert diagnostics["ess"] == diagnostics.get("ess") == 3.0
        assert diagnostics.get("rhat") is None
        assert list(diagnostics) == ["ess"]
        assert {**diagnostics} == {"ess": 3.0}
        with pytest.raises(KeyError, match="rhat"):
            diagnostics["rhat"]


@pytest.mark.parametrize("key", ["method", "seed", "device", "wall_time_s", "config"])
def test_what_is_unknown_has_no_earlier_key_either(make, key):
    diagnostics = make().diagnostics
    assert diagnostics.get(key, "nothing") == "nothing"
    with pytest.raises(KeyError, match=key):
        diagnostics[key]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_copies_and_pickles_keep_facts_and_earlier_keys(make, again):
    result = again(make(facts=FACTS, diagnostics={"ess": 3.0}))
    assert result.facts == FACTS
    with pytest.warns(FutureWarning):
        assert result.diagnostics["method"] == "DiBS"


def test_class_names_of_earlier_versions_are_those_of_the_registries():
    registries = DISCOVERY | EFFECTS | GENERATION
    assert {key: cls.__name__ for key, (cls, _) in registries.items()}.items() <= (
        CLASS_NAMES.items()
    )
    assert all(method_key(name) == key for key, name in CLASS_NAMES.items())
    assert method_key("dibs") == "dibs"
    assert method_key("my own") == "my own"


def test_an_effect_through_graphs_carries_the_facts_of_the_posterior(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3))
    posterior = DISCOVERY["exact"][0]().fit(x).posterior_
    effect = posterior.effect("x0", "x1", n_draws=20)
    assert effect.facts is posterior.facts
    assert effect.facts.method == "exact"
    effect.save(tmp_path)
    assert EffectPosterior.load(tmp_path).facts == effect.facts


def test_rows_put_below_each_other_keep_the_facts_of_the_first():
    parts = [MAKERS["draws"](facts=FACTS) for _ in range(2)]
    assert Draws.concatenate(parts).facts == FACTS
    assert Draws.concatenate(parts, facts=RunFacts(method="bgm")).facts.method == "bgm"


def test_texts_name_the_method():
    assert "by dibs" in repr(MAKERS["graph"](facts=FACTS))
    assert "method: dibs" in repr(MAKERS["draws"](facts=FACTS))
