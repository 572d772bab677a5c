"""BGM passes scikit-learn's own checks, as users run it (no type checker)."""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, warnings
import numpy as np
warnings.simplefilter("ignore")
from sklearn.utils.estimator_checks import check_estimator
from aetia.generation import BGM
small = dict(n_latents=2, n_steps=3, generator_units=(8,), encoder_units=(8,), n_importance=2,
             n_evidence=20, n_starts=10, n_warmup=2, n_leapfrog=2, n_chains=2, random_state=0,
             progress=False)
out = {"checks": [
    [r["check_name"], r["status"], str(r["exception"])]
    for r in check_estimator(BGM(**small), on_fail=None, on_skip=None)
]}
table = np.random.default_rng(0).normal(size=(30, 3))
for name, value in {"likelihood": "poisson", "latents": "sampled", "n_latents": 1.5}.items():
    try:
        BGM(**(small | {name: value})).fit(table)
    except ValueError as error:
        out[name] = str(error)
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def run():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_no_check_of_scikit_learn_fails(run):
    failed = [c for c in run["checks"] if c[1] == "failed"]
    assert not failed, failed
    assert sum(c[1] == "passed" for c in run["checks"]) >= 45


def test_misspelt_options_are_named_with_the_nearest(run):
    assert "likelihood='poisson' is not one of" in run["likelihood"]
    assert "Did you mean 'sample'" in run["latents"]
    assert "n_latents must be an integer" in run["n_latents"]
