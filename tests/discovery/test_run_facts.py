"""What every discovery method says about its run, in the same words."""

from collections.abc import Mapping

import numpy as np
import pytest

import aetia
from aetia.data.accepts import Accepts
from aetia.discovery.methods import METHODS
from aetia.options import options_dict
from aetia.results import GraphPosterior

OPTIONS = {
    "exact": {"max_draws": 500, "min_ess": 10.0},
    "order-mcmc": {"max_seconds": 5.0, "n_chains": 2, "tolerance": 0.1},
    "dibs": {"n_steps": 20, "n_particles": 3, "n_settling_steps": 5, "trace_every": 10},
    "avici": {"n_draws": 20},
    "bcnp": {"n_draws": 20},
}
STEPS = {"dibs": 20}


@pytest.fixture(scope="module", params=list(OPTIONS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(name):
    x = np.random.default_rng(0).normal(size=(40, 6))
    return METHODS[name][0](random_state=7, **OPTIONS[name]).fit(x)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_facts_are_those_of_the_posterior_and_complete(name, fitted):
    facts = fitted.facts_
    assert facts is fitted.posterior_.facts
    assert (facts.method, facts.seed, facts.version) == (name, 7, aetia.__version__)
    assert facts.device in ("cpu", "cuda", "cuda:0")
    assert 0 < facts.seconds < 600
    assert facts.best_step is None
    if name in STEPS:
        assert facts.n_steps == STEPS[name]
    elif name == "order-mcmc":
        assert facts.n_steps > 0
    else:
        assert facts.n_steps is None


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_configuration_makes_the_same_run_again(name, fitted):
    config = fitted.facts_.config
    asked = {k: v for k, v in fitted.get_params(deep=False).items() if k in config}
    assert METHODS[name][1](**asked)  # all names are options
    assert config.items() >= options_dict(METHODS[name][1](**OPTIONS[name])).items()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_health_is_a_mapping_and_history_are_rows(name, fitted):
    assert isinstance(fitted.health_, Mapping)
    assert fitted.health_ == dict(fitted.posterior_.diagnostics)
    assert "method" not in fitted.health_
    steps = [row["step"] for row in fitted.history_]
    assert steps == ([0, 10, 19] if name == "dibs" else [])


def test_every_method_says_what_it_accepts(name):
    assert isinstance(METHODS[name][0].accepts, Accepts)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_file_keeps_the_facts(fitted, tmp_path):
    fitted.posterior_.save(tmp_path)
    back = GraphPosterior.load(tmp_path).facts
    assert (back.method, back.seed, back.seconds) == (
        fitted.facts_.method,
        fitted.facts_.seed,
        fitted.facts_.seconds,
    )


def test_an_enumeration_has_no_seed_as_it_needs_none():
    x = np.random.default_rng(0).normal(size=(30, 3))
    first, second = (METHODS["exact"][0](random_state=k).fit(x) for k in (1, 2))
    assert first.facts_.seed is second.facts_.seed is None
    np.testing.assert_array_equal(first.posterior_.graphs, second.posterior_.graphs)


def test_draws_of_missing_cells_carry_the_facts_of_their_run():
    x = np.random.default_rng(0).normal(size=(30, 3))
    x[::7, 1] = np.nan
    fitted = METHODS["exact"][0](random_state=7).fit(x)
    assert fitted.imputed_.facts == fitted.facts_
    assert fitted.facts_.method == "exact"
    assert fitted.facts_.seed == 7
    assert fitted.facts_.n_steps > 0


def test_a_failed_fit_leaves_no_answer_of_the_fit_before():
    x = np.random.default_rng(0).normal(size=(30, 3))
    fitted = METHODS["exact"][0]().fit(x)
    fitted.set_params(min_ess=-1.0)
    with pytest.raises(aetia.errors.InputError):
        fitted.fit(x)
    assert not hasattr(fitted, "posterior_")
