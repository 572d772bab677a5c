"""DDDM behind the verbs generate and impute."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aetia.cli.app import app
from aetia.errors import InputError
from aetia.generation import DDDM
from aetia.generation.distribution_check import check_distribution, randomised_ranks
from aetia.report import rebuild_report

pytestmark = pytest.mark.usefixtures("no_pictures_in_module")

FEW = ["--set", "n_training_steps=15", "--set", "hidden_units=[16,16]", "--no-progress"]


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    """A table with text, counts and holes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    frame = pd.DataFrame(
        {
            "x": x,
            "site": np.where(x > 0, "north", "south"),
            "visits": rng.poisson(2, 300),
        }
    )
    frame.loc[::9, "x"] = np.nan
    frame.loc[::7, "site"] = None
    file = tmp_path_factory.mktemp("table") / "t.csv"
    frame.to_csv(file, index=False)
    return file


def run(*words):
    result = CliRunner().invoke(app, [str(w) for w in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_generate_draws_text_and_counts_and_checks_the_law(csv, tmp_path):
    out = tmp_path / "run"
    run("generate", csv, "--method", "dddm", "--rows", 60, "--seed", 0, "--out", out, *FEW)
    rows = pd.read_csv(out / "generated.csv")
    assert set(rows["site"]) <= {"north", "south"}
    assert (rows["visits"] == rows["visits"].round()).all()
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["held_out"]["ranks"]) == {"x", "visits"}
    assert set(summary["held_out"]["distances"]) == {"1", "2", "5", "10", "20"}
    page = (out / "report.html").read_text()
    assert "Calibration" in page
    assert "Steps of the sampler" in page
    assert "drawn as continuous" not in page
    loaded = DDDM.load(out / "model")
    assert loaded.sample(3).values.shape == (1, 3, 3)
    before = page
    rebuild_report(out)
    assert (out / "report.html").read_text() == before


def test_impute_writes_labels(csv, tmp_path):
    out = tmp_path / "run"
    words = ("impute", csv, "--method", "dddm", "--n-draws", 10, "--seed", 0, "--out", out)
    run(*words, *FEW)
    done = pd.read_csv(out / "completed.csv")
    assert not done.isna().any().any()
    assert set(done["site"]) == {"north", "south"}
    given = pd.read_csv(csv)
    seen = given["site"].notna()
    assert (done.loc[seen, "site"] == given.loc[seen, "site"]).all()


def test_a_dry_run_estimates_and_writes_nothing(csv, tmp_path):
    out = tmp_path / "run"
    said = run("generate", csv, "--method", "dddm", "--dry-run", "--out", out)
    assert "would run dddm on 300 rows" in said
    assert not out.exists()


def test_options_of_another_method_are_refused(csv):
    words = ["impute", str(csv), "--method", "dddm", "--missingness", "mnar"]
    with pytest.raises(InputError, match="option of bgm"):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_ranks_are_uniform_if_the_law_is_right_and_ties_are_broken():
    # 5,000 ranks in ten bins: chi-square with 9 degrees, 1 in 1,000.
    rng = np.random.default_rng(0)
    for draw in (rng.normal, lambda size: rng.poisson(1.0, size).astype(float)):
        ranks = randomised_ranks(draw(size=5000), draw(size=(40, 5000)), rng)
        counts = np.histogram(ranks, 10, (0, 1))[0]
        assert ((counts - 500) ** 2 / 500).sum() < 27.9
    narrow = randomised_ranks(rng.normal(size=5000), 0.5 * rng.normal(size=(40, 5000)), rng)
    assert ((narrow < 0.1) | (narrow > 0.9)).mean() > 0.3


def test_a_law_that_is_known_to_be_wrong_is_far_from_the_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 2)), columns=["a", "b"])
    options = {"n_training_steps": 150, "hidden_units": (16, 16), "progress": False}
    model = DDDM(**options, random_state=0).fit(frame)
    right = check_distribution(model, frame[:200], frame[200:], steps=(5,), rng=rng)
    wrong = check_distribution(model, frame[:200] + 3, frame[200:] + 3, steps=(5,), rng=rng)
    assert wrong.distances[5] > 10 * max(right.distances[5], 0.02)
    assert abs(right.floor) < 0.1
