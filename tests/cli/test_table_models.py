"""The verbs ``impute`` and ``generate``."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest

from aetia.cli.main import main
from aetia.results import Draws

pytestmark = pytest.mark.usefixtures("no_pictures_in_module")

FAST = ["--set", "n_steps=40", "--set", "n_warmup=20", "--set", "n_starts=40", "--no-progress"]


def run(*words) -> int:
    return main([str(w) for w in words])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Numbers in many spellings, text, and a column with two values."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=120)
    lines = ["id,heat,load,alarm"]
    for i, b in enumerate(base):
        heat = "" if i % 7 == 0 else f"{b:.3f}0"  # a trailing zero that numbers lose
        load = "NA" if i % 5 == 1 else f" {b + rng.normal():.2e}"
        alarm = "" if i % 9 == 2 else ("1.0" if b > 0 else "0")
        lines.append(f'"m, {i}",{heat},{load},{alarm}')
    path = tmp_path_factory.mktemp("table") / "holes.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("impute") / "run"
    words = ["--exclude", "id", "--n-draws", 30, "--seed", 0, "--out", out, *FAST]
    assert run("impute", table, *words) == 0
    return out


def test_observed_cells_stay_byte_for_byte_and_holes_are_filled(table, folder):
    with table.open(newline="") as before, (folder / "completed.csv").open(newline="") as after:
        given, filled = list(csv.reader(before)), list(csv.reader(after))
    assert len(given) == len(filled)
    for old, new in zip(given, filled, strict=True):
        for a, b in zip(old, new, strict=True):
            assert b == a if a not in ("", "NA") else np.isfinite(float(b))
    assert {row[3] for row in filled[1:]} == {"1.0", "0"}  # spelled as the user does


def test_intervals_and_draws_agree_with_the_completed_table(folder):
    intervals = pd.read_csv(folder / "intervals.csv")
    draws = Draws.load(folder / "draws")
    assert list(intervals.columns) == ["row", "column", "mean", "sd", "lower", "upper"]
    assert len(intervals) == draws.n_cells
    completed = pd.read_csv(folder / "completed.csv")
    loads = intervals[intervals["column"] == "load"]
    np.testing.assert_allclose(completed["load"][loads["row"]], loads["mean"], rtol=1e-6)


def test_the_check_hides_cells_and_the_report_shows_it(folder):
    summary = json.loads((folder / "summary.json").read_text())
    hidden = summary["hidden"]
    assert hidden["n_cells"] == sum(c["n"] for c in hidden["columns"])
    assert 0.05 < hidden["n_cells"] / (360 - 18 - 24 - 14) < 0.15
    assert {c["column"]: c["coverage"] is None for c in hidden["columns"]}["alarm"]
    html = (folder / "report.html").read_text()
    for section in ("answer", "missing", "distributions", "check", "diagnostics", "data", "run"):
        assert f'id="{section}"' in html
    assert run("report", folder) == 0
    assert (folder / "report.html").read_text() == html


def test_one_draw_can_fill_the_table_and_the_check_be_left_out(table, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["--exclude", "id,alarm", "--fill", "draw", "--check-share", 0, "--missingness", "mnar"]
    assert run("impute", table, *words, "--n-draws", 10, "--json", "--out", out, *FAST) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["check"] == {}
    assert facts["facts"]["config"]["missingness"] == "mnar"
    completed, draws = pd.read_csv(out / "completed.csv"), Draws.load(out / "draws")
    np.testing.assert_allclose(completed["heat"], draws.draw(0)[:, 0], rtol=1e-6)


def test_generated_rows_have_the_columns_and_are_compared(table, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["--exclude", "id", "--rows", 80, "--seed", 0, "--out", out, *FAST]
    assert run("generate", table, *words) == 0
    generated = pd.read_csv(out / "generated.csv")
    assert generated.shape == (80, 3)
    assert set(generated["alarm"]) <= {0.0, 1.0}
    html = (out / "report.html").read_text()
    assert 'id="marginals"' in html
    assert 'id="correlations"' in html
    assert run("report", out) == 0
    assert (out / "report.html").read_text() == html
    assert run("generate", table, *words) == 2
    assert "holds a run" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["impute", "generate"])
def test_a_dry_run_writes_nothing(verb, table, tmp_path, capsys):
    out = tmp_path / "never"
    assert run(verb, table, "--exclude", "id", "--dry-run", "--json", "--out", out, *FAST) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["estimated_seconds"] > 0
    assert facts["missing_cells"] == 18 + 24 + 14
    assert not out.exists()


MISTAKES = {
    "text": (["impute", "TABLE"], "column 'id' is text (120 distinct values)"),
    "text to generate": (["generate", "TABLE"], "Leave it out with --exclude 'id'"),
    "nothing missing": (["impute", "diabetes"], "there is nothing to impute"),
    "unknown column": (["impute", "TABLE", "--exclude", "idd"], "Did you mean 'id'?"),
    "bad law": (["impute", "TABLE", "--missingness", "mra"], "Did you mean 'mar'"),
    "bad fill": (["impute", "TABLE", "--fill", "mode"], "--fill takes mean or draw"),
    "bad share": (["impute", "TABLE", "--check-share", "0.9"], "--check-share must lie between"),
    "no rows": (["generate", "TABLE", "--rows", "0"], "--rows must be at least 1"),
    "no such file": (["generate", "nowhere.csv"], "no such file: 'nowhere.csv'"),
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
    assert not (tmp_path / "run").exists()
