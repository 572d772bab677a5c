"""Every estimator passes scikit-learn's own checks, as users run it (no type checker)."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aetia.data import as_dataset
from aetia.discovery import AVICI, BCNP, METHODS, DiBS, ExactPosterior, OrderMCMC
from aetia.errors import InputError

SCRIPT = """
import json, warnings
import numpy as np
warnings.simplefilter("ignore")
from sklearn.utils.estimator_checks import check_estimator
from aetia import AVICI, BCNP, RCGNN, DiBS, ExactPosterior, OrderMCMC
small = dict(n_particles=3, n_steps=12, n_likelihood_graphs=4, n_acyclicity_graphs=4, beta=1e5,
             optimiser={"name": "rmsprop", "step_size": 0.1}, random_state=0, progress=False)
chains = dict(n_chains=2, n_temperatures=1, tolerance=0.3, max_seconds=1.0, random_state=0,
              progress=False)
series = {"check_n_features_in_after_fitting": "15 rows are too few to resample blocks of"}
out = {}
for name, estimator, expected in [
    ("dibs", DiBS(**small), {}),
    ("dibs-linear", DiBS(likelihood="linear", **small), {}),
    ("exact", ExactPosterior(), {}),
    ("order-mcmc", OrderMCMC(**chains), {}),
    ("avici", AVICI(n_draws=20, random_state=0), {}),
    ("bcnp", BCNP(n_draws=20, random_state=0), {}),
    ("rcgnn", RCGNN(n_resamples=2, n_imputations=1, drift=False, block_length=5, random_state=0),
     series),
]:
    results = check_estimator(
        estimator, on_fail=None, on_skip=None, expected_failed_checks=expected
    )
    out[name] = [[r["check_name"], r["status"], str(r["exception"])] for r in results]
try:
    grid = {"n_particles": np.int64(3), "n_steps": np.int32(40), "random_state": np.int64(0)}
    DiBS(**(small | grid)).fit(np.random.default_rng(0).normal(size=(30, 2)))
    out["numpy integers"] = "fits"
except Exception as error:
    out["numpy integers"] = repr(error)
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def checks():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


CANNOT = {"rcgnn": ["check_n_features_in_after_fitting"]}


@pytest.mark.parametrize(
    "name", ["dibs", "dibs-linear", "exact", "order-mcmc", "avici", "bcnp", "rcgnn"]
)
def test_no_check_of_scikit_learn_fails(checks, name):
    failed = [c for c in checks[name] if c[1] == "failed"]
    assert not failed, failed
    assert sum(c[1] == "passed" for c in checks[name]) >= 38
    assert [c[0] for c in checks[name] if c[1] == "xfail"] == CANNOT.get(name, [])


SMALL = {"n_particles": 3, "n_steps": 30, "n_likelihood_graphs": 4, "n_acyclicity_graphs": 4}
ESTIMATORS = [
    DiBS(**SMALL, random_state=0, progress=False),
    ExactPosterior(),
    OrderMCMC(n_chains=2, tolerance=0.1, random_state=0, progress=False),
    AVICI(n_draws=20, random_state=0),
    BCNP(n_draws=20, random_state=0),
]
NAMES = ["dibs", "exact", "order-mcmc", "avici", "bcnp"]


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(30, 2)) @ [[1.0, 0.8], [0.0, 0.6]]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=NAMES)
def test_a_target_is_ignored(estimator, x):
    plain = clone(estimator).fit(x).posterior_.edge_probabilities()
    with_y = clone(estimator).fit(x, np.arange(30)).posterior_.edge_probabilities()
    np.testing.assert_array_equal(plain, with_y)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=NAMES)
def test_fitted_estimators_survive_pickle_and_clones_are_unfitted(estimator, x):
    unfitted = pickle.loads(pickle.dumps(estimator))
    assert unfitted.get_params() == estimator.get_params()
    fitted = clone(estimator).fit(x)
    back = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(
        back.posterior_.edge_probabilities(), fitted.posterior_.edge_probabilities()
    )
    first, second = (f.posterior_.effect("x0", "x1", n_draws=20) for f in (fitted, back))
    assert first.draws.tobytes() == second.draws.tobytes()
    assert not hasattr(clone(fitted), "posterior_")


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=NAMES)
def test_fitting_changes_no_option_and_starts_again(estimator, x):
    fitted = clone(estimator)
    before = fitted.get_params()
    first = fitted.fit(x).posterior_.edge_probabilities()
    fitted.fit(x[:, ::-1] * [1.0, 3.0])
    again = fitted.fit(x).posterior_.edge_probabilities()
    np.testing.assert_array_equal(first, again)
    assert fitted.get_params() == before
    assert fitted.n_features_in_ == 2


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=NAMES)
def test_an_estimator_works_at_the_end_of_a_pipeline(estimator, x):
    pipeline = make_pipeline(StandardScaler(), clone(estimator)).fit(x)
    assert pipeline[-1].posterior_.graphs.shape[1:] == (2, 2)


def test_options_may_be_integers_of_numpy(checks):
    """Grids of options come from numpy.arange."""
    assert checks["numpy integers"] == "fits"


@pytest.mark.parametrize("method", METHODS)
def test_every_option_has_the_default_of_its_config(method):
    from dataclasses import fields

    estimator, config = METHODS[method]
    params, defaults = estimator().get_params(), config()
    names = {f.name for f in fields(config)}
    assert {k: params[k] for k in names} == {k: getattr(defaults, k) for k in names}
    assert set(params) - names <= {"random_state", "device", "progress", "callback"}


def test_missing_cells_are_tagged_and_taken():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    x[::10, 1] = np.nan
    assert ExactPosterior().__sklearn_tags__().input_tags.allow_nan
    assert not OrderMCMC().__sklearn_tags__().input_tags.allow_nan
    fitted = ExactPosterior(random_state=0).fit(x)
    back = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(back.imputed_.mean, fitted.imputed_.mean)
    with pytest.raises(InputError, match="does not accept missing values"):
        OrderMCMC().fit(x)


@pytest.mark.parametrize(
    "estimator",
    [ExactPosterior(), OrderMCMC(likelihood="block", n_chains=2, tolerance=0.1, progress=False)],
    ids=["exact", "order-mcmc"],
)
def test_declared_categories_are_taken(estimator):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "site": rng.choice(["u", "v", "w"], 60)})
    data = as_dataset(frame, categorical=["site"])
    fitted = clone(estimator).set_params(random_state=0).fit(data)
    assert list(fitted.feature_names_in_) == ["a", "site"]
    again = clone(fitted).fit(data)
    np.testing.assert_array_equal(
        again.posterior_.edge_probabilities(), fitted.posterior_.edge_probabilities()
    )
