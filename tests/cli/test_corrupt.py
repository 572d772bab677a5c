"""The verb corrupt: the same table back, with what its sensors made of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from aetia.cli.main import main
from aetia.data import as_windows
from aetia.scm.corruption import PRESETS, corrupt

SENSORS = ["temp", "co2", "flow"]
COLUMNS = ["--time", "when", "--series", "site", "--regime", "season", "--exclude", "note"]


def write_table(folder):
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame(
        {
            "when": np.tile(pd.date_range("2024-01-01", periods=n // 2, freq="h").astype(str), 2),
            "site": np.repeat(["north", "south"], n // 2),
            "season": np.tile(np.repeat([1, 2], n // 4), 2),
            "temp": 20 + 3 * rng.normal(size=n),
            "note": "ok",
            "co2": 400 + 50 * rng.normal(size=n),
            "flow": rng.normal(size=n),
        }
    )
    frame.loc[5:9, "flow"] = np.nan
    path = folder / "table.csv"
    frame.drop(index=[17, 18]).sample(frac=1, random_state=0).to_csv(path, index=False)
    return path


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path)


def run(*words) -> int:
    return main([str(w) for w in words])


def test_rows_and_columns_come_back_in_their_order(table, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("corrupt", table, "--preset", "severe", *COLUMNS, "--seed", 3, "--out", out) == 0
    given, data = pd.read_csv(table), pd.read_csv(out / "data.csv")
    clean, observed = pd.read_csv(out / "clean.csv"), pd.read_csv(out / "observed.csv")
    pd.testing.assert_frame_equal(clean, given)
    assert list(data.columns) == list(given.columns)
    others = [c for c in given.columns if c not in SENSORS]
    pd.testing.assert_frame_equal(data[others], given[others])
    assert np.array_equal(data[SENSORS].notna(), observed[SENSORS] == 1)
    lost = data[SENSORS].isna() & given[SENSORS].notna()
    facts = json.loads((out / "corruption.json").read_text())
    assert facts["share_lost"] == pytest.approx(
        (lost.sum() / given[SENSORS].notna().sum()).to_dict()
    )
    assert facts["seed"] == 3
    assert len(facts["in_words"]) == 5
    assert set(facts["sensors"]["co2"]) == {
        *("mean", "unit", "gain"),
        *("share_outlier", "share_missing"),
    }
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert "398 rows, 3 sensors, severe" in captured.out
    assert "severe has 3 regimes in a simulation" in captured.err


def test_the_verb_is_a_call_of_the_library(table, tmp_path):
    out = tmp_path / "out"
    assert run("corrupt", table, "--preset", "moderate", *COLUMNS, "--seed", 3, "--out", out) == 0
    options = {"time": "when", "series": "site", "regime": "season", "exclude": ["note"]}
    expected = corrupt(as_windows(table, **options), "moderate", random_state=3).data
    found = as_windows(out / "data.csv", **options)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-12)


def test_the_same_seed_gives_the_same_files(table, tmp_path):
    for name in ("a", "b"):
        out = tmp_path / name
        assert (
            run("corrupt", table, "--preset", "extreme", *COLUMNS, "--seed", 1, "--out", out) == 0
        )
    for file in ("data.csv", "clean.csv", "observed.csv", "corruption.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_set_beats_the_file_and_the_file_beats_the_preset(table, tmp_path, capsys):
    config = tmp_path / "options.yaml"
    config.write_text("noise: 0.3\nmissing: {rate: 0.4}\nstuck: {rate: 0.1}\n")
    words = [
        "--preset",
        "mild",
        "--config",
        config,
        "--set",
        "noise=1e-1",
        "--set",
        "gain=[0.9, 1.1]",
    ]
    code = run("corrupt", table, *words, *COLUMNS, "--out", tmp_path / "out", "--json")
    assert code == 0
    options = json.loads(capsys.readouterr().out)["options"]
    assert options["noise"] == 0.1
    assert options["gain"] == [0.9, 1.1]
    assert options["missing"] == {"kind": "mcar", "rate": 0.4}
    assert options["stuck"] == {"rate": 0.1, "mean_length": 12.0}


def test_losses_follow_the_edges_of_truth(table, tmp_path, capsys):
    edges = tmp_path / "edges.csv"
    edges.write_text("source,target\ntemp,co2\n")
    for name, more in (("with", ["--truth", edges]), ("without", [])):
        words = ["--preset", "mnar_structural_20", *COLUMNS, "--seed", 1, *more]
        assert run("corrupt", table, *words, "--out", tmp_path / name) == 0
    assert capsys.readouterr().err.count("losses by causes need --truth") == 1
    clean = pd.read_csv(table)["co2"]
    own = {
        name: pd.read_csv(tmp_path / name / "data.csv")["co2"].isna()
        for name in ("with", "without")
    }
    assert clean[own["without"]].min() > clean[~own["without"]].max()
    assert clean[own["with"]].min() < clean[~own["with"]].max()


def test_the_list_has_a_line_for_each_preset(capsys):
    assert run("corrupt", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)
    assert run("corrupt", "--list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["about"] for row in rows] == [p.about for p in PRESETS.values()]


MISTAKES = {
    "no table": ([], r"corrupt needs a table of true values"),
    "nothing asked": (["TABLE"], "nothing was asked for: pass --preset"),
    "a preset": (["TABLE", "--preset", "modrate"], "no preset 'modrate'. Did you mean 'moderate'?"),
    "a text column": (["TABLE", "--preset", "mild", *COLUMNS[:-2]], "column 'note' is text"),
    "a column": (
        ["TABLE", "--preset", "mild", "--time", "wen"],
        "--time: no column 'wen'. Did you mean 'when'?",
    ),
    "times of two recordings": (
        ["TABLE", "--preset", "mild", "--time", "when", "--exclude", "site,note"],
        "occurs twice",
    ),
    "an option": (["TABLE", "--set", "nois=1"], "no option 'nois'. Did you mean 'noise'?"),
    "a nested option": (["TABLE", "--set", "missing.rat=1"], "Missing has no option 'rat'"),
    "a setting": (["TABLE", "--set", "noise"], "--set takes name=value, got 'noise'"),
    "a file of options": (
        ["TABLE", "--config", "none.yaml"],
        "cannot read options from 'none.yaml'",
    ),
    "an excluded role": (
        ["TABLE", "--preset", "mild", "--time", "when", "--exclude", "when"],
        "--time and --exclude both name the column 'when'",
    ),
    "no such file": (["none.csv", "--preset", "mild"], "no such file: 'none.csv'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_exit_with_2_a_remedy_and_no_files(case, table, tmp_path, capsys):
    words, message = MISTAKES[case]
    words = [table if w == "TABLE" else w for w in words]
    assert run("corrupt", *words, "--out", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_table_itself_is_not_written_over(table, capsys):
    data = table.rename(table.with_name("data.csv"))
    before = data.read_bytes()
    assert run("corrupt", data, "--preset", "mild", *COLUMNS, "--out", data.parent) == 2
    assert "would write over the table" in capsys.readouterr().err
    assert data.read_bytes() == before


WRONG_TYPES = {
    "missing.kind=mnar_self": "kind='mnar_self' is not one of",
    "noise=loud": "noise must be at least 0, got 'loud'",
    "gain=2": "a lowest and a highest factor above 0, got 2",
}


ALL_AT_ONCE = """
import contextlib, io, json, sys
from aetia.cli.main import main
said = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(words)
    said.append([code, err.getvalue()])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def without_type_checks(tmp_path_factory):
    """What one process says that checks no types, as that of a user."""
    folder = tmp_path_factory.mktemp("wrong types")
    table = write_table(folder)
    words = [
        ["corrupt", str(table), "--set", s, *COLUMNS, "--out", str(folder / "out")]
        for s in WRONG_TYPES
    ]
    done = subprocess.run(
        [sys.executable, "-c", ALL_AT_ONCE, json.dumps(words)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
    )
    return dict(zip(WRONG_TYPES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("setting", WRONG_TYPES)
def test_wrong_types_are_refused_in_a_process_without_type_checks(setting, without_type_checks):
    code, said = without_type_checks[setting]
    assert code == 2
    assert WRONG_TYPES[setting] in said
    assert "Traceback" not in said
