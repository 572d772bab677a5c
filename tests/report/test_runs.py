"""Runs as folders: written whole, read back, replaced; what every page says; kinds of one file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from aetia.errors import InputError, ResultFileError
from aetia.report import (
    KINDS,
    DiffusionAnswers,
    GraphAnswers,
    RunContext,
    RunKind,
    rebuild_report,
    write_run,
)
from aetia.report.sections import texts
from aetia.report.sections.blocks import Section, Words
from aetia.results import GraphPosterior, RunFacts

FACTS = RunFacts(
    method="dibs", seed=2**80, seconds=12.5, n_steps=300, best_step=200, config={"beta": 1.0}
)
PAGE = RunContext(title="A title", source="a test", warnings=["careful"])


@pytest.fixture
def graph():
    graphs = np.zeros((2, 2, 2), dtype=bool)
    graphs[0, 0, 1] = True
    return GraphAnswers(
        GraphPosterior(
            graphs=graphs,
            log_weights=np.log([0.75, 0.25]),
            names=("a", "b"),
            facts=FACTS,
            diagnostics={"varsortability_of_consensus": float("nan"), "n_rows": 12},
        )
    )


def read(file: Path):
    def refuse(word: str):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(file.read_text(), parse_constant=refuse)


def test_a_run_says_what_it_wrote_and_found(graph, tmp_path):
    run = write_run(
        "graph",
        graph,
        tmp_path / "run",
        PAGE,
        save={"model": lambda file: file.write_text("weights")},
    )
    assert run.folder == tmp_path / "run"
    assert all(file.exists() for file in run.files.values())
    assert run.files["model"].read_text() == "weights"
    assert "1 of 1 pairs" in run.words[0]
    assert run.findings[0].verdict == "bad"
    assert run.facts == FACTS
    assert run.plain["edges"][0]["source"] == "a"
    summary = read(run.folder / "summary.json")
    assert {*summary["files"]} == {p.name for p in run.folder.iterdir()}
    assert summary["facts"]["seed"] == str(2**80)
    config = yaml.safe_load(run.files["config"].read_text())
    assert config == {"method": "dibs", "beta": 1.0}


def test_every_report_says_method_time_steps_seed_and_version(graph, tmp_path):
    html = write_run("graph", graph, tmp_path, PAGE).files["report"].read_text()
    shown = dict(re.findall(r"<tr><th>(.*?)</th><td class=\"name\">(.*?)</td>", html))
    assert shown["Method"] == "DiBS"
    assert shown["Time (seconds)"] == "12.5"
    assert shown["Steps"] == "300"
    assert shown["Step of the kept weights"] == "200"
    assert shown["Seed"] == str(2**80)
    assert shown["Version of aetia"] == FACTS.version
    assert "beta: 1.0" in html


def test_findings_stand_on_the_page_with_title_and_code_unless_muted(graph, tmp_path):
    html = write_run("graph", graph, tmp_path / "a", PAGE).files["report"].read_text()
    assert "<i>Number of rows.</i> 12 rows for 2 columns: few" in html
    assert "AE004" in html
    muted = write_run("graph", graph, tmp_path / "b", replace(PAGE, mute=["AE004"]))
    assert "AE004" not in muted.files["report"].read_text()
    assert "AE004" not in {f.code for f in muted.findings}
    assert "AE004" not in rebuild_report(muted.folder).read_text()


def test_a_folder_with_a_run_in_it_is_replaced_only_on_request(graph, tmp_path):
    truth = replace(graph, truth=np.zeros((2, 2), dtype=bool), total_effects=None)
    first = write_run("graph", truth, tmp_path, PAGE, save={"model": lambda f: f.write_text("x")})
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="--force"):
        write_run("graph", graph, tmp_path, PAGE)
    assert first.files["model"].exists()
    second = write_run("graph", graph, tmp_path, PAGE, force=True)
    assert not first.files["model"].exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert 'id="comparison"' not in second.files["report"].read_text()


def test_nothing_is_left_where_the_page_cannot_be_made(graph, tmp_path):
    def fail(file: Path):
        raise InputError("no space")

    with pytest.raises(InputError, match="no space"):
        write_run("graph", graph, tmp_path / "run", PAGE, save={"model": fail})
    assert not list((tmp_path / "run").glob("*"))
    assert not list(tmp_path.glob(".run*"))


def test_a_run_that_works_in_its_folder_keeps_what_is_there(tmp_path):
    (tmp_path / "checkpoint.pt").write_text("state")
    picture = tmp_path / "gen.png"
    picture.write_bytes(b"\x89PNG")
    answers = DiffusionAnswers(
        words=["MMD 0.1"],
        numbers={"MMD": float("nan")},
        pictures={"Points": picture},
        verdicts={"loss": "too large"},
        facts=FACTS,
    )
    run = write_run("diffusion", answers, tmp_path, PAGE)
    assert (tmp_path / "checkpoint.pt").exists()
    assert [f.code for f in run.findings] == ["AE601"]
    assert read(tmp_path / "summary.json")["numbers"] == {"MMD": None}
    before = run.files["report"].read_text()
    assert rebuild_report(tmp_path).read_text() == before
    without = write_run("diffusion", replace(answers, pictures={}), tmp_path, PAGE)
    assert not picture.exists(), "a picture of the old run"
    assert "data:image/png" not in without.files["report"].read_text()
    (tmp_path / "summary.json").write_text('{"kind": "other"}')
    with pytest.raises(ResultFileError, match="unknown kind, 'other'"):
        rebuild_report(tmp_path)


@dataclass
class Poem:
    lines: list[str]


def test_a_new_kind_of_result_is_one_object(tmp_path, monkeypatch):
    """All that its file in report/kinds has to hold."""
    poem = RunKind[Poem](
        name="poem",
        facts=lambda answers: RunFacts(method="muse"),
        kept=lambda answers: {"lines": answers.lines},
        write=lambda answers, folder: {},
        read=lambda folder, summary: Poem(summary["lines"]),
        words=lambda answers: answers.lines[:1],
        plain=lambda answers: {"lines": answers.lines},
        page=lambda answers, context: [Section("rest", "The rest", [Words(answers.lines[1])])],
    )
    monkeypatch.setitem(KINDS, "poem", poem)
    run = write_run("poem", Poem(["first <line>", "second"]), tmp_path, PAGE)
    html = run.files["report"].read_text()
    assert "first &lt;line&gt;" in html
    assert '<section id="rest">' in html
    assert "muse on a test." in html
    run.files["report"].unlink()
    assert rebuild_report(tmp_path).read_text() == html


def test_every_standing_text_is_used():
    source = "".join(file.read_text() for file in Path(texts.__file__).parents[1].glob("*/*.py"))
    for kind, entries in texts._texts().items():
        for name in entries:
            assert f"{kind}.{name}" in source or name in ("gradients", "external"), (kind, name)
