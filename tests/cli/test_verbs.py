"""The command line: exit codes, messages, files, and nothing half-written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from aetia.cli.effect_words import read_effect_words
from aetia.cli.main import main
from aetia.data import as_dataset
from aetia.errors import InputError
from aetia.report import rebuild_report
from aetia.results import GraphPosterior

FAST = [
    "--set",
    "n_steps=60",
    "--set",
    "n_particles=8",
    "--set",
    "n_likelihood_graphs=8",
    "--set",
    "n_acyclicity_graphs=4",
    "--set",
    "beta=1e5",
    "--set",
    "optimiser.step_size=0.05",
    "--quiet",
    "--method",
    "dibs",
]
FILES = {
    "report.html",
    "edges.csv",
    "graph.gml",
    "graph.dot",
    "config.yaml",
    "summary.json",
    "posterior",
}
EDGE_COLUMNS = [
    "source",
    "target",
    "probability",
    "path_probability",
    "adjacent",
    "reverse_probability",
]
ENV = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    a = rng.normal(size=80)
    b = 2 * a + rng.normal(size=80)
    frame = pd.DataFrame({"rain": a, "wet": b, "slip": b + rng.normal(size=80)})
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def run(*words) -> int:
    return main([str(w) for w in words])


def test_discover_writes_a_complete_run_folder(table, tmp_path, capsys):
    out = tmp_path / "run"
    assert (
        run("discover", table, "--method", "exact", "--effect", "rain -> slip", "--out", out) == 0
    )
    assert {p.name for p in out.iterdir()} == FILES | {"effect-0", "total_effects.csv"}
    edges = pd.read_csv(out / "edges.csv")
    assert list(edges.columns) == EDGE_COLUMNS
    printed = capsys.readouterr()
    assert "report:" in printed.out
    assert "ATE" in printed.out
    pair = r"^  adjacent (1|>\.99): (rain -> wet \S+, wet -> rain|wet -> rain \S+, rain -> wet) "
    assert re.search(pair, printed.out, re.MULTILINE)
    assert GraphPosterior.load(out / "posterior").names == ("rain", "wet", "slip")


def test_json_goes_to_stdout_alone(no_pictures, table, tmp_path, capsys):
    assert run("discover", table, "--out", tmp_path / "r", "--seed", 1, "--json", *FAST) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["facts"]["seed"] == "1"
    assert set(result["edges"][0]) == set(EDGE_COLUMNS)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(
    no_pictures, table, tmp_path, capsys
):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run("discover", table, "--seed", seed, "--out", tmp_path / name, *FAST) == 0
    first, again, other = ((tmp_path / n / "edges.csv").read_bytes() for n in "abc")
    assert first == again != other


def test_a_dry_run_estimates_and_writes_nothing(table, tmp_path, capsys):
    out = tmp_path / "never"
    assert run("discover", table, "--dry-run", "--json", "--out", out, *FAST) == 0
    assert json.loads(capsys.readouterr().out)["estimated_seconds"] > 0
    assert not out.exists()


def test_knowledge_and_options_come_from_files_and_words(no_pictures, table, tmp_path, capsys):
    (tmp_path / "known.yaml").write_text('required: ["rain -> wet"]\nsinks: [slip]\n')
    assert run("config", "dibs") == 0
    options = capsys.readouterr().out
    (tmp_path / "options.yaml").write_text(options.replace("n_steps: 2000", "n_steps: 40"))
    out = tmp_path / "run"
    code = run(
        "discover",
        table,
        "--config",
        tmp_path / "options.yaml",
        "--knowledge",
        tmp_path / "known.yaml",
        "--out",
        out,
        "--likelihood",
        "linear",
        "--set",
        "likelihood.noise_variance=0.5",
        *FAST[2:],
    )
    assert code == 0
    config = json.loads(json.dumps(__import__("yaml").safe_load((out / "config.yaml").read_text())))
    assert config["n_steps"] == 40
    posterior = GraphPosterior.load(out / "posterior")
    assert posterior.graphs[:, 0, 1].all()
    assert not posterior.graphs[:, 2].any()


def test_columns_can_be_chosen_and_left_out(no_pictures, table, tmp_path, capsys):
    assert (
        run("discover", table, "--method", "exact", "--exclude", "slip", "--out", tmp_path / "x")
        == 0
    )
    assert GraphPosterior.load(tmp_path / "x" / "posterior").names == ("rain", "wet")


def test_columns_that_were_not_chosen_are_not_checked(no_pictures, tmp_path, capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    frame = frame.assign(flat=1.0, site=rng.choice(["u", "v"], 60), code=rng.integers(0, 3, 60))
    file, out = tmp_path / "t.csv", str(tmp_path / "run")
    frame.to_csv(file, index=False)
    assert main(["discover", str(file), "--out", out]) == 2
    assert "'flat' is constant" in capsys.readouterr().err
    few = ["discover", str(file), "--out", out, "--json", "--columns", "c,a", "--columns", "code"]
    assert main([*few, "--categorical", "code", "--regime", "site"]) == 0
    posterior = GraphPosterior.load(tmp_path / "run" / "posterior")
    assert posterior.names == ("c", "a", "code")
    assert posterior.diagnostics["likelihood"] == "block"
    assert main([*few, "--exclude", "a,flat"]) == 2
    assert "--columns and --exclude both name the column 'a'" in capsys.readouterr().err


def test_categories_of_a_public_table_are_not_ignored(tmp_path, capsys):
    words = ["discover", "diabetes", "--columns", "sex,bmi", "--categorical", "sex"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "categorical" in capsys.readouterr().err


def test_a_dry_run_of_chains_tells_when_they_stop(tmp_path, capsys):
    words = ["discover", "diabetes", "--method", "order-mcmc", "--set", "max_seconds=77"]
    assert main([*words, "--dry-run", "--out", str(tmp_path / "run")]) == 0
    assert "about 77 s, which is the most it takes" in capsys.readouterr().out


def test_a_column_of_interventions_orients_an_edge(no_pictures, tmp_path, capsys):
    rng = np.random.default_rng(1)
    cause = rng.normal(size=200)
    effect = cause + rng.normal(size=200)
    effect[100:] = rng.normal(size=100) * 3
    frame = pd.DataFrame({"cause": cause, "effect": effect, "set": [""] * 100 + ["effect"] * 100})
    frame.to_csv(tmp_path / "screen.csv", index=False)
    out = tmp_path / "run"
    assert (
        run(
            "discover",
            tmp_path / "screen.csv",
            "--method",
            "exact",
            "--intervened",
            "set",
            "--out",
            out,
        )
        == 0
    )
    assert GraphPosterior.load(out / "posterior").edge_probabilities()[0, 1] > 0.95


def test_simulate_then_discover_then_report(tmp_path, capsys):
    assert (
        run(
            "simulate",
            "-d",
            4,
            "-n",
            120,
            "--edges-per-node",
            1,
            "--seed",
            2,
            "--interventional",
            40,
            "--out",
            tmp_path / "s",
        )
        == 0
    )
    assert "varsortability" in capsys.readouterr().out
    out = tmp_path / "run"
    assert (
        run(
            "discover",
            tmp_path / "s" / "data.csv",
            "--method",
            "exact",
            "--intervened",
            "intervened",
            "--truth",
            tmp_path / "s" / "truth.csv",
            "--out",
            out,
        )
        == 0
    )
    before = (out / "report.html").read_text()
    (out / "report.html").unlink()
    assert run("report", out) == 0
    assert (out / "report.html").read_text() == before
    assert "expected shd" in before


def test_datasets_and_version(capsys):
    assert run("datasets") == 0
    assert run("version") == 0
    out = capsys.readouterr().out
    assert "diabetes" in out
    assert "0.1.0" in out


MISTAKES = {
    "no such file": (["discover", "nowhere.csv"], "no such file: 'nowhere.csv'"),
    "no such method": (
        ["discover", "TABLE", "--method", "dibbs"],
        "no method 'dibbs'. Did you mean 'dibs'",
    ),
    "unknown option": (
        ["discover", "TABLE", "--method", "dibs", "--set", "n_step=5"],
        "dibs has no option 'n_step'. Did you mean 'n_steps'",
    ),
    "not an option": (
        ["discover", "TABLE", "--set", "n_steps"],
        "--set takes name=value, got 'n_steps'",
    ),
    "unknown effect": (["discover", "TABLE", "--effect", "rain -> mud"], "no column 'mud'"),
    "malformed effect": (
        ["discover", "TABLE", "--effect", "rain"],
        "--effect takes 'treatment -> outcome'",
    ),
    "out is a file": (["discover", "TABLE", "--out", "TABLE"], "is a file; a folder is needed"),
    "out below a file": (["discover", "TABLE", "--out", "TABLE/x"], "cannot write to"),
    "no such knowledge": (
        ["discover", "TABLE", "--knowledge", "k.yaml"],
        "cannot read knowledge from 'k.yaml'",
    ),
    "no such run": (["report", "nowhere"], "no such run folder"),
    "impossible simulation": (
        ["simulate", "-d", "3", "--edges-per-node", "5"],
        "15 edges were asked for, but a DAG of 3 variables holds at most 3",
    ),
    "too few variables": (["simulate", "-d", "4"], "set --edges-per-node to at most 1.5"),
    "bad variance": (["simulate", "--noise-variance", "x"], "takes one number or low,high"),
    "no such verb": (["discovr"], "No such command 'discovr'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_callers_mistakes_exit_with_2_and_one_message(
    name, table, tmp_path, monkeypatch, capsys
):
    words, message = MISTAKES[name]
    monkeypatch.chdir(tmp_path)
    assert run(*[w.replace("TABLE", str(table)) for w in words]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_a_misspelt_value_is_refused_as_users_run_it(table, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "aetia",
            "discover",
            str(table),
            "--method",
            "dibs",
            "--set",
            "acyclicity=powr",
            "--out",
            str(tmp_path / "r"),
        ],
        capture_output=True,
        text=True,
        env=ENV,
    )
    assert done.returncode == 2
    assert "acyclicity='powr' is not one of" in done.stderr
    assert "Did you mean 'power'" in done.stderr
    assert not (tmp_path / "r").exists()


def test_an_interrupted_run_leaves_nothing_half_written(table, tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "aetia",
            "discover",
            str(table),
            "--method",
            "dibs",
            "--set",
            "n_steps=1000000",
            "--out",
            str(out),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENV,
    )
    while not out.exists() and process.poll() is None:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list(out.iterdir()) == []


def test_help_imports_nothing_heavy():
    code = "import sys, aetia, aetia.cli.app; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for heavy in ("torch", "pandas", "matplotlib", "sklearn", "scipy", "networkx", "numpy"):
        assert f"'{heavy}'" not in done.stdout, heavy


def test_the_demo_writes_its_report_on_a_real_table(tmp_path, capsys):
    assert run("demo", "--out", tmp_path / "demo", "--quiet") == 0
    assert {p.name for p in (tmp_path / "demo").iterdir()} == FILES | {"effect-0", "effect-1"}
    posterior = GraphPosterior.load(tmp_path / "demo" / "posterior")
    assert not posterior.graphs[:, :, [0, 1]].any()  # age and sex are roots
    assert posterior.path_probability("bmi", "progression") > 0.9


def test_a_likelihood_of_a_method_without_one_is_refused(table, tmp_path, capsys):
    out = tmp_path / "run"
    assert run("discover", table, "--method", "avici", "--likelihood", "bge", "--out", out) == 2
    assert "avici has none" in capsys.readouterr().err


@pytest.fixture
def mixed_data():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "bmi": rng.normal(25, 4, 60),
            "dose: high, low": rng.normal(size=60),
            "site": rng.choice(["north", "south, far", "west"], 60),
            "ill": rng.integers(0, 2, 60),
        }
    )
    return as_dataset(frame, categorical=["site"])


@pytest.mark.parametrize(
    ("text", "levels", "control"),
    [
        ("bmi -> ill", (), None),
        ("bmi: 30 vs 25 -> ill, site", (30.0,), 25.0),
        ("bmi: 20, 25, 30 -> ill", (25.0, 30.0), 20.0),
        ("bmi: 20,30 vs 25 -> dose: high, low,ill", (20.0, 30.0), 25.0),
        ("dose: high, low: 1 vs -1e0 -> ill", (1.0,), -1.0),
        ("dose: high, low -> ill", (), None),
        ("site: south, far vs north -> ill", ("south, far",), "north"),
        ("site: north, west, south, far -> ill", ("west", "south, far"), "north"),
        ("ill: 1 vs 0 -> bmi", (1.0,), 0.0),
    ],
)
def test_effects_are_asked_for_in_words(mixed_data, text, levels, control):
    words = read_effect_words(text, mixed_data)
    assert (words.levels, words.control) == (levels, control)
    assert words.treatment == (
        "dose: high, low" if text.startswith("dose") else text.split(":")[0].split(" ->")[0]
    )
    assert set(words.outcomes) <= set(mixed_data.names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bmi", "--effect takes 'treatment -> outcome'"),
        ("bmi -> ill -> site", "--effect takes"),
        ("bim: 30 vs 25 -> ill", "no column 'bim'. Did you mean 'bmi'"),
        ("bmi -> ill, sight", "no column 'sight'. Did you mean 'site'"),
        ("bmi -> bmi", "both 'bmi'"),
        ("bmi -> ill, ill", "names an outcome twice"),
        ("bmi: 30 -> ill", "Say what it is compared with: 'bmi: 30 vs ...'"),
        ("bmi: much vs 25 -> ill", "seen from 1[0-9.]+ to 3[0-9.]+; 'much' is not a number"),
        ("bmi: 1 vs 2 vs 3 -> ill", "got the levels '1 vs 2 vs 3'"),
        ("bmi: 25 vs 25 -> ill", "must differ"),
        ("bmi: -> ill", "got the levels ''"),
        ("site: nord vs west -> ill", "levels 'north', 'south, far', 'west', not 'nord'. Did you"),
        ("ill: 2 vs 0 -> bmi", "'ill' has the values 0, 1, not 2"),
    ],
)
def test_words_of_effects_that_make_no_sense_are_told(mixed_data, text, message):
    with pytest.raises(InputError, match=message.replace("...", r"\.\.\.")):
        read_effect_words(text, mixed_data)


@pytest.mark.parametrize(
    ("text", "treatment", "outcomes"),
    [
        ("a -> b -> c", "a -> b", ("c",)),
        ("c -> a -> b", "c", ("a -> b",)),
        ("a->b,c: 2 vs 1 -> c, a -> b", "a->b,c", ("c", "a -> b")),
    ],
)
def test_names_of_columns_may_have_arrows(text, treatment, outcomes):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)))
    data = as_dataset(frame.set_axis(["a -> b", "c", "a->b,c"], axis=1))
    words = read_effect_words(text, data)
    assert (words.treatment, words.outcomes) == (treatment, outcomes)


def test_an_effect_that_can_be_read_in_two_ways_is_refused():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 4)))
    data = as_dataset(frame.set_axis(["a", "b -> c", "a -> b", "c"], axis=1))
    with pytest.raises(InputError, match="could mean 'a' on 'b -> c' or 'a -> b' on 'c'"):
        read_effect_words("a -> b -> c", data)


def test_effects_beside_missing_categories_are_refused_before_the_run(
    no_pictures, tmp_path, capsys
):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.choice(["u", "v"], 80)})
    frame["c"] = frame["a"] + rng.normal(size=80)
    frame.loc[::8, "a"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    words = ["discover", tmp_path / "t.csv", "--effect", "a -> c", "--out", tmp_path / "r"]
    assert run(*words) == 2
    assert "10 cells are missing, and with 'b' among the columns" in capsys.readouterr().err
    assert run(*words, "--exclude", "b") == 0
    assert (tmp_path / "r" / "total_effects.csv").exists()


def test_effects_of_levels_doses_and_several_outcomes_are_reported(tmp_path, capsys):
    rng = np.random.default_rng(2)
    site = rng.choice(["north", "west"], 150)
    bmi = 25 + 3 * (site == "west") + rng.normal(size=150)
    frame = pd.DataFrame({"site": site, "bmi": bmi, "sugar": 2 * bmi + rng.normal(size=150)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    asked = ["bmi: 24, 25, 26 -> sugar, site", "site: west vs north -> bmi, sugar", "bmi -> sugar"]
    words = [w for text in asked for w in ("--effect", text)]
    code = run("discover", tmp_path / "t.csv", *words, "--out", tmp_path / "r", "--json")
    assert code == 0
    rows = pd.DataFrame(json.loads(capsys.readouterr().out)["effects"])
    assert rows["dose"].dropna().tolist() == [25.0, 26.0]
    on_site = rows[(rows["treatment"] == "bmi") & (rows["outcome"] == "site")]
    assert on_site["quantity"].str.contains("at 2[56]").all()
    labelled = rows[rows["treatment"] == "site"]
    assert labelled["outcome"].tolist() == ["bmi", "sugar"]
    assert set(labelled["treated"]) == {"west"}
    assert set(labelled["control"]) == {"north"}
    html = (tmp_path / "r" / "report.html").read_text()
    for text in ("site from north to west", "at 25", "P(site = "):
        assert text in html
    assert rebuild_report(tmp_path / "r").read_text() == html
