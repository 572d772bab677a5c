"""The verb ``effect``: files, words, mistakes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from aetia.cli.main import main
from aetia.results import EffectPosterior
from aetia.scm.effect_designs import simulate_study

pytestmark = pytest.mark.usefixtures("no_pictures_in_module")

FAST = [
    "--set",
    "n_egm_steps=40",
    "--set",
    "n_draws=60",
    "--set",
    "n_replicates=1",
    "--no-progress",
]
ASK = ["--treatment", "drug", "--outcome", "health"]
FILES = {
    "ate",
    "ate.json",
    "config.yaml",
    "dose-response",
    "dose_response.csv",
    "effects.csv",
    "model",
    "overlap.csv",
    "report.html",
    "summary.json",
    "unit-effects",
}


def run(*words) -> int:
    return main([str(w) for w in words])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    study = simulate_study("hahn", 120, random_state=0)
    frame = pd.DataFrame(study.covariates, columns=["age", "weight", "income", "sex", "ward"])
    frame.insert(0, "drug", study.treatment.astype(int))
    frame.insert(1, "health", study.outcome)
    frame["region"] = np.where(frame["age"] > 0, "north", "south")
    frame.loc[:4, "income"] = np.nan
    frame["name"] = [f"p{i}" for i in range(120)]
    path = tmp_path_factory.mktemp("study") / "trial.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("effect") / "run"
    assert (
        run("effect", table, *ASK, "--exclude", "name,ward", "--out", out, "--seed", 1, *FAST) == 0
    )
    return out


def test_a_complete_run_folder_is_written(folder):
    assert {p.name for p in folder.iterdir()} == FILES
    effects = pd.read_csv(folder / "effects.csv")
    assert len(effects) == 120
    assert {"row", "mean", "sd", "lower", "upper", "prediction_lower"} <= set(effects.columns)
    assert (effects["lower"] <= effects["upper"]).all()
    units = EffectPosterior.load(folder / "unit-effects")
    np.testing.assert_allclose(units.mean, effects["mean"])
    ate = json.loads((folder / "ate.json").read_text())
    assert ate["lower"] < ate["mean"] < ate["upper"]
    assert (ate["treated"], ate["control"]) == ("1", "0")
    arms = pd.read_csv(folder / "dose_response.csv")
    assert arms["arm"].tolist() == [0, 1]
    assert pd.read_csv(folder / "overlap.csv")["expected"].between(0, 1).all()
    assert yaml.safe_load((folder / "config.yaml").read_text())["n_egm_steps"] == 40


def test_the_report_is_made_again_from_the_folder(folder):
    before = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    assert run("report", folder) == 0
    assert (folder / "report.html").read_text() == before


def test_json_goes_to_stdout_alone_and_a_seed_gives_the_same_answer(
    table, folder, tmp_path, capsys
):
    words = ["--exclude", "name", "--exclude", "ward", "--seed", 1, "--json", *FAST]
    assert run("effect", table, *ASK, *words, "--out", tmp_path / "a") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ate"]["mean"] == json.loads((folder / "ate.json").read_text())["mean"]
    assert set(result["coverage"]) == {"0.5", "0.8", "0.9", "0.95"}
    assert (tmp_path / "a" / "effects.csv").read_bytes() == (folder / "effects.csv").read_bytes()


def test_a_dry_run_writes_nothing_and_estimates_the_time(table, tmp_path, capsys):
    out = tmp_path / "never"
    words = ["--covariates", "age,weight", "--dry-run", "--json", "--out", out, *FAST]
    assert run("effect", table, *ASK, *words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["covariates"] == ["age", "weight"]
    assert set(facts["left_out"]) == {"income", "sex", "ward", "region", "name"}
    assert facts["estimated_seconds"] > 0
    assert not out.exists()


def test_doses_without_zero_and_one_are_compared_at_their_quartiles(tmp_path, capsys):
    study = simulate_study("colangelo", 120, 4, random_state=0)
    frame = pd.DataFrame(study.covariates, columns=list("abcd"))
    frame["dose"], frame["yield"] = 20 + study.treatment, study.outcome
    frame.to_csv(tmp_path / "doses.csv", index=False)
    out = tmp_path / "run"
    words = [
        "--treatment",
        "dose",
        "--outcome",
        "yield",
        "--doses",
        "19.8:20.2:3",
        "--level",
        "0.8",
    ]
    assert run("effect", tmp_path / "doses.csv", *words, "--out", out, *FAST) == 0
    assert pd.read_csv(out / "dose_response.csv")["dose"].tolist() == pytest.approx(
        [19.8, 20, 20.2]
    )
    html = (out / "report.html").read_text()
    assert "its quartiles" in html or "so the quartiles" in html
    assert "80 % credible interval" in html


def test_arms_called_1_and_2_are_not_confused(tmp_path, capsys):
    study = simulate_study("hahn", 120, random_state=0)
    frame = pd.DataFrame(study.covariates, columns=list("abcde"))
    frame["arm"], frame["y"] = study.treatment.astype(int) + 1, study.outcome + 9 * study.treatment
    frame.to_csv(tmp_path / "arms.csv", index=False)
    out, words = tmp_path / "run", ["--treatment", "arm", "--outcome", "y"]
    assert run("effect", tmp_path / "arms.csv", *words, "--out", out, *FAST) == 0
    ate = json.loads((out / "ate.json").read_text())
    assert (ate["treated"], ate["control"]) == ("2", "1")
    assert ate["mean"] > 5


def test_rows_without_outcome_are_dropped_on_request_and_counted(table, tmp_path, capsys):
    frame = pd.read_csv(table)
    frame.loc[[3, 7], "health"] = np.nan
    frame.loc[7, "drug"] = np.nan
    frame.to_csv(tmp_path / "holes.csv", index=False)
    ask = ["effect", tmp_path / "holes.csv", *ASK, "--exclude", "name"]
    assert run(*ask, "--out", tmp_path / "r", *FAST) == 2
    message = capsys.readouterr().err
    assert "2 of 120 rows lack treatment or outcome" in message
    assert "'drug' in 1, 'health' in 2" in message
    assert "--drop-missing" in message
    assert run(*ask, "--out", tmp_path / "r", "--drop-missing", *FAST) == 0
    rows = pd.read_csv(tmp_path / "r" / "effects.csv")["row"].tolist()
    assert len(rows) == 118
    assert not {3, 7} & set(rows)
    assert "2 of 120 rows lack" in (tmp_path / "r" / "report.html").read_text()


MISTAKES = {
    "no such column": (
        ["--treatment", "drugs", "--outcome", "health"],
        "--treatment: no column 'drugs'. Did you mean 'drug'?",
    ),
    "the same column": (
        ["--treatment", "drug", "--outcome", "drug"],
        "are the same column, 'drug'",
    ),
    "text outcome": (
        ["--treatment", "drug", "--outcome", "region"],
        "the outcome 'region' is text",
    ),
    "unknown covariate": ([*ASK, "--covariates", "age,wait"], "--covariates: no column 'wait'"),
    "treatment among covariates": ([*ASK, "--covariates", "drug"], "which is the treatment"),
    "nothing left": (
        [*ASK, "--exclude", "age,weight,income,sex,ward,region,name"],
        "no covariates are left",
    ),
    "unknown method": ([*ASK, "--method", "causalbgn"], "Did you mean 'causalbgm'"),
    "unknown option": ([*ASK, "--set", "n_fold=3"], "Did you mean 'n_folds'"),
    "no label": ([*ASK, "--method", "identifiable"], "needs --auxiliary COLUMN"),
    "label of another method": ([*ASK, "--auxiliary", "ward"], "is for --method identifiable"),
    "no such arm": ([*ASK, "--treated", "3"], "'drug' has the arms 0, 1, not 3"),
    "doses of arms": ([*ASK, "--doses", "0,1"], "has two arms"),
    "bad doses": ([*ASK, "--doses", "a,b"], "--doses takes numbers"),
    "bad level": ([*ASK, "--level", "90"], "--level must lie strictly between 0 and 1"),
    "same arm": ([*ASK, "--treated", "0"], "are the same arm"),
    "occupied folder": ([*ASK, "--exclude", "name", "--out", "."], "is not empty"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_callers_mistakes_exit_with_2_and_one_message(
    name, table, tmp_path, monkeypatch, capsys
):
    words, message = MISTAKES[name]
    (tmp_path / "mine.txt").write_text("precious")
    monkeypatch.chdir(tmp_path)
    assert run("effect", table, *words) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert not (tmp_path / "run").exists()


def test_force_writes_into_a_folder_that_is_not_empty(table, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    words = [*ASK, "--covariates", "age", "--out", tmp_path, "--force", *FAST]
    assert run("effect", table, *words) == 0
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_a_column_of_names_is_warned_of(table, tmp_path, capsys):
    assert run("effect", table, *ASK, "--dry-run", "--out", tmp_path / "r", *FAST) == 0
    assert "120 distinct values" in capsys.readouterr().err


def test_a_simulated_study_comes_with_its_truth(tmp_path, capsys):
    words = ["--study", "hahn", "-n", 200, "--seed", 0, "--json", "--out", tmp_path]
    assert run("simulate", *words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["rows"] == 200
    truth = pd.read_csv(tmp_path / "truth.csv")
    assert truth["effect"].mean() == pytest.approx(facts["ate"], abs=0.3)
    assert {"treatment", "outcome"} <= set(pd.read_csv(tmp_path / "data.csv").columns)
    assert run("simulate", "--study", "han", "--out", tmp_path / "x") == 2
