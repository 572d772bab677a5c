"""Options answer to the names that they had in the release before, with a warning."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace

import pytest
from sklearn.base import BaseEstimator, clone

from aetia import CausalBGM, FullMCMCCausalBGM, IdentifiableCausalBGM, OrderMCMC
from aetia.cli.method_options import read_method
from aetia.cli.option_texts import methods_by_verb
from aetia.cli.request import Request
from aetia.discovery import METHODS as DISCOVERY
from aetia.discovery.rcgnn.neural import NeuralOptions
from aetia.effects import METHODS as EFFECTS
from aetia.errors import InputError
from aetia.options import build, current_options, earlier_names, options_dict
from aetia.scm import Family, Noise

TRIO = [CausalBGM, IdentifiableCausalBGM, FullMCMCCausalBGM]


@earlier_names(width="n_units", colour=None)
class Model(BaseEstimator):
    def __init__(self, *, n_units=3, seed=0):
        self.n_units = n_units
        self.seed = seed


@earlier_names(width="n_units")
@dataclass(frozen=True)
class Options:
    n_units: int = 3


def called(name: str):
    return pytest.warns(FutureWarning, match=f"called {name} now")


def test_the_constructor_and_set_params_take_the_earlier_name():
    with called("n_units"):
        model = Model(width=5)
    assert model.get_params() == {"n_units": 5, "seed": 0}
    with called("n_units"):
        assert model.set_params(width=7, seed=1) is model
    assert model.get_params() == {"n_units": 7, "seed": 1}
    assert clone(model).get_params() == model.get_params()


def test_the_attribute_is_the_one_of_today():
    model = Model()
    with called("n_units"):
        model.width = 9
    assert model.n_units == 9
    with called("n_units"):
        assert model.width == 9


def test_an_option_that_is_gone_is_ignored():
    with pytest.warns(FutureWarning, match="colour has no effect"):
        model = Model(colour="red")
    assert not hasattr(model, "colour")


def test_both_names_and_unknown_ones_are_refused():
    with called("n_units"), pytest.raises(InputError, match="give n_units only"):
        Model(n_units=3, width=4)
    with pytest.raises(TypeError, match="depth"):
        Model(depth=4)
    with pytest.raises(InputError, match="no option 'depth'"):
        build(Options, {"depth": 4})


def test_names_of_today_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(Model(n_units=4)).set_params(n_units=5).get_params()
        assert replace(Options(4), n_units=5) == build(Options, {"n_units": 5})
        assert current_options(Options, {"width": 5}, depth=None) == {"n_units": 5}


def test_option_objects_take_the_earlier_name():
    with called("n_units"):
        assert Options(width=5) == Options(n_units=5)  # pyright: ignore[reportCallIssue]
    with called("n_units"):
        assert build(Options, {"width": 5}) == Options(5)
    assert [f.name for f in fields(Options)] == ["n_units"]
    assert options_dict(Options()) == {"n_units": 3}


@pytest.mark.parametrize("estimator", TRIO)
def test_warm_up_of_causalbgm(estimator):
    with called("n_warmup"):
        model = estimator(n_warm_up=7)
    assert model.get_params()["n_warmup"] == 7
    assert "n_warm_up" not in model.get_params()
    assert repr(model) == repr(estimator(n_warmup=7))


def test_the_correction_of_sampled_weights_is_gone():
    with pytest.warns(FutureWarning, match="correction has no effect"):
        model = FullMCMCCausalBGM(correction="one-step")
    assert "correction" not in model.get_params()
    assert "correction" in CausalBGM().get_params()
    assert "correction" not in options_dict(EFFECTS["full-mcmc"][1]())


def test_initialisation_of_searches():
    with called("initialisation"):
        assert OrderMCMC(start="random").initialisation == "random"
    with called("initialisation"):
        assert build(NeuralOptions, {"start": "open"}).initialisation == "open"


def test_degrees_of_freedom_of_noise():
    with called("degrees_of_freedom"):
        old = Noise("student", freedom=3.0)  # pyright: ignore[reportCallIssue]
    assert old == Noise("student", 3.0)
    with called("degrees_of_freedom"):
        family = Family(d=3, noise={"family": "student", "freedom": 3.0})
    assert family.noise == old


def asked(**given) -> Request:
    return Request(**{"method": "auto", "config": None, "settings": (), **given})


def test_files_of_options_and_settings_take_earlier_names(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("method: full-mcmc\nn_warm_up: 5\ncorrection: none\nn_kept: 9\n")
    with pytest.warns(FutureWarning) as caught:
        read = read_method(asked(config=file), EFFECTS, "causalbgm")
    assert read.options == {"n_kept": 9, "n_warmup": 5}
    assert len(caught) == 2
    with called("n_warmup"):
        read = read_method(asked(config=file, settings=("n_warmup=6",)), EFFECTS, "causalbgm")
    assert read.options["n_warmup"] == 6
    with called("initialisation"):
        settings = ("start=greedy",)
        read = read_method(asked(method="order-mcmc", settings=settings), DISCOVERY, "exact")
    assert read.options == {"initialisation": "greedy"}


def test_no_earlier_name_is_an_option_of_today():
    for methods in methods_by_verb().values():
        for estimator, config in methods.values():
            earlier = getattr(config, "_earlier_names", {})
            assert earlier == getattr(estimator, "_earlier_names", {})
            assert not set(earlier) & {f.name for f in fields(config)}
