"""The health page: complete for every kind of training, self-contained, safe, linked."""

from __future__ import annotations

import base64
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from aetia.cli.main import main
from aetia.discovery import ExactPosterior
from aetia.errors import InputError, NumericalError, ResultFileError
from aetia.files import UNFINISHED
from aetia.report import (
    RunContext,
    collect_graph,
    health_records,
    rebuild_report,
    write_health_pages,
    write_run,
)
from aetia.report.kinds.health import health_page
from aetia.training import Healthy, ParameterGroup, diagnose, read_record, train, weigh
from browser import CHROMIUM, open_page
from training.runs import (
    adversaries,
    module_of,
    options,
    phase,
    players,
    regression,
    tables,
    target,
)


def weighed(module, x, step, generator):
    predicted = module_of(module)(x)
    terms = {"recon": (predicted - target(x)).square().mean(), "sparse": predicted.abs().mean()}
    return weigh(terms, {"recon": 10.0, "sparse": 0.1})


def run(folder, **changes):
    """Everything that a run can record."""
    arguments = {
        "phases": [
            phase(
                weighed,
                groups=lambda m: {"structure": ParameterGroup([m.first.weight], weight_decay=0.0)},
                objective="recon",
            )
        ],
        "config": options(n_steps=40, validate_every=8, clip="per-group"),
        "validate": lambda m, step: [{"task": 0, "loss": 1.0 / step, "auroc": 0.7}],
        "evaluate": lambda m, step: {"val_f1": 0.25, "val_shd": 9.0},
        "signals_of": lambda m: {"edge_count": 50.0, "edge_count_0.1": 60.0, "tau <b>": 0.5},
        "signals": {"edge_count": Healthy(1, 20, "raise sparsity")},
        "facts": {"data_stats": {"n_train": 321, "X_mean": [0.25] * 20}},
        "module": regression(0.0),
        **changes,
    }
    module, phases = arguments.pop("module"), arguments.pop("phases")
    return train(module, phases, tables, seed=1, folder=folder, **arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run(out)
    write_health_pages(out)
    return out


def page(folder):
    return (folder / "health.html").read_text()


def headings(html):
    return re.findall(r"<h2>(.*?)</h2>", html)


def figures(html):
    return re.findall(r'alt="([^"]*)"', html)


# -- what is on it --------------------------------------------------------------------------------


def test_every_figure_is_there(folder):
    html = page(folder)
    assert headings(html) == [
        "Verdict",
        "Can it be trusted?",
        "Losses",
        "Gradients",
        "Pace",
        "Signals of the method",
        "Other held-out metrics",
        "What an external evaluator saw",
        "Last interval",
        "Validation",
        "Run",
    ]
    assert figures(html) == [
        "loss and its terms",
        "held-out loss",
        "terms before weighting",
        "weights of the terms",
        "gradient norms before clipping",
        "share of gradients clipped",
        "where the gradient comes from",
        "gradient of the objective by group",
        "learning rate",
        "rows or tasks a second",
        "edge_count",
        "tau &lt;b&gt;",
        "auroc",
        "val_f1",
        "val_shd",
    ]


def svg_of(html, alt):
    (data,) = re.findall(rf'src="data:image/svg\+xml;base64,([^"]*)" alt="{re.escape(alt)}"', html)
    return base64.b64decode(data).decode()


def test_gradient_norms_are_drawn_by_group_on_a_log_axis_with_the_limit(folder):
    """Matplotlib notes the text of every label in a comment."""
    svg = svg_of(page(folder), "gradient norms before clipping")
    for label in ("all", "all, max", "structure", "structure, max", "rest", "clip_norm"):
        assert f"<!-- {label} -->" in svg, label
    assert r"10^{" in svg
    assert "<!-- sparse -->" in svg_of(page(folder), "where the gradient comes from")


def test_the_verdict_and_every_finding_are_in_words(folder):
    html = page(folder)
    findings = diagnose(
        read_record(folder / "health.jsonl"), signals={"edge_count": Healthy(1, 20, "")}
    )
    assert len(findings) >= 8
    assert "AH006" in {f.code for f in findings if f.severity == "look"}
    for f in findings:
        assert f.text.replace("'", "&#39;") in html, f
        assert f.advice.replace("'", "&#39;") in html
        assert f'<li class="{f.severity}">' in html
    assert re.search(r'class="answer">Training is (mostly|not) healthy', html)


def cells(html, section):
    html = html.replace("<wbr>", "")
    body = html.split(f'<section id="{section}">')[1].split("</section>")[0]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("<tr>")[2:]]


def test_the_last_row_stands_beside_its_healthy_ranges(folder):
    rows = {r[0]: r[1:] for r in cells(page(folder), "last")}
    assert rows["edge_count"] == ["50", "outside", "1 to 20"]
    assert rows["skipped_steps"] == ["0", "ok", "0 to 0"]
    assert rows["clipped_share"][2] == "0 to 0.2"
    assert rows["objective_gradient/structure"][1:] == ["ok", "above 0"]
    assert rows["loss"][1:] == ["ok", "finite"]
    assert rows["learning_rate"][1:] == ["", ""]
    assert "verdicts" not in rows
    order = [("outside", "ok", "").index(row[1]) for row in rows.values()]
    assert order == sorted(order)
    assert {0, 1, 2} == set(order)


def test_configuration_and_facts_are_shown(folder):
    html = page(folder)
    assert "clip: per-group" in html
    assert "plateau_cooldown: 0" in html
    facts = dict(re.findall(r"<tr><th>(.*?)</th><td class=\"name\">(.*?)</td>", html))
    assert facts["Steps made"] == "40"
    assert facts["data_stats: n_train"] == "321"
    assert facts["data_stats: X_mean"].endswith("... (20)")
    assert ["val_f1 (external)", "0.25", "–"] in cells(html, "metrics")


def test_the_page_needs_no_other_file_and_runs_no_script(folder):
    html = page(folder)
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "<script" not in html
    assert "<b>0.1" not in html
    assert "tau <b>" not in html


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser")
@pytest.mark.parametrize("width", [360, 1200])
def test_it_opens_on_a_screen(folder, tmp_path, width):
    shown = open_page(folder / "health.html", tmp_path, width)
    assert shown.scroll_width <= width
    assert shown.n_images == len(figures(page(folder)))
    assert (shown.n_broken, shown.has_errors) == (0, False)


# -- other trainings ------------------------------------------------------------------------------


def test_alternating_phases_have_their_own_panels(no_pictures, tmp_path):
    import torch

    run(
        tmp_path,
        module=players(torch.float32),
        phases=adversaries(),
        validate=None,
        evaluate=None,
        signals_of=None,
        signals=None,
        facts=None,
        config=options(),
    )
    write_health_pages(tmp_path)
    html = page(tmp_path)
    shown = figures(html)
    assert "critic: loss and its terms" in shown
    assert "player: gradient norms before clipping" in shown
    assert "Signals of the method" not in headings(html)
    assert "Training is" in html


@pytest.mark.parametrize("keep", [1, 2])
def test_a_run_that_goes_on_has_a_page_too(no_pictures, tmp_path, keep):
    run(tmp_path)
    lines = [
        line for line in (tmp_path / "health.jsonl").read_text().splitlines() if "ning_rate" in line
    ]
    (tmp_path / "health.jsonl").write_text("\n".join([*lines[:keep], lines[keep][:30]]))
    (tmp_path / "training_summary.json").unlink()
    write_health_pages(tmp_path)
    assert "had not ended at step" in page(tmp_path)
    assert "written when the run ends" in page(tmp_path)


def test_a_run_that_gave_up_says_so(no_pictures, tmp_path):
    def bad(module, x, step, generator):
        loss, parts = weighed(module, x, step, generator)
        return loss * (1.0 if step < 6 else float("nan")), parts

    with pytest.raises(NumericalError):
        run(tmp_path, phases=[phase(bad)])
    write_health_pages(tmp_path)
    html = page(tmp_path)
    assert 'class="answer">Training gave up.' in html
    assert "last healthy step was 6" in html
    assert "steps skipped so far" in figures(html)
    assert ["loss", "not finite", "outside", "finite"] in cells(html, "last")


def test_an_old_record_without_summary_or_new_fields_is_drawn():
    rows = [
        {"step": s, "loss": 1.0 / s, "learning_rate": 0.1, "verdicts": {"loss": "ok"}}
        for s in (1, 2, 3)
    ]
    html = health_page(rows, {})
    assert figures(html) == ["loss and its terms", "learning rate"]


def test_long_records_are_thinned_but_end_at_the_end():
    rows = [{"step": s, "loss": 1.0, "learning_rate": 0.1} for s in range(1, 5001)]
    short = health_page(rows, {})
    assert len(short) < 400_000


# -- folders --------------------------------------------------------------------------------------


def graph_run(folder):
    rng = np.random.default_rng(0)
    a = rng.normal(size=80)
    table = pd.DataFrame({"a": a, "b": a + rng.normal(size=80)})
    fit = ExactPosterior().fit(table)
    context = RunContext(title="A graph", source="a test", data_summary={"column": ["a", "b"]})
    write_run("graph", collect_graph(fit.posterior_), folder, context)


def test_a_training_in_a_subfolder_is_found_and_linked_with_the_report(no_pictures, tmp_path):
    graph_run(tmp_path)
    plain = (tmp_path / "report.html").read_text()
    assert rebuild_report(tmp_path) == tmp_path / "report.html"
    assert (tmp_path / "report.html").read_text() == plain
    run(tmp_path / "training")
    assert health_records(tmp_path) == [tmp_path / "training" / "health.jsonl"]
    for _ in range(2):
        assert rebuild_report(tmp_path) == tmp_path / "report.html"
        linked = (tmp_path / "report.html").read_text()
        assert linked.count('href="health.html"') == 1
        assert linked.replace(' <a href="health.html">Training health</a>.', "") == plain
        assert 'href="report.html"' in page(tmp_path)


def test_several_trainings_have_a_page_each(no_pictures, tmp_path):
    for name in ("b", "a"):
        run(tmp_path / name)
    assert rebuild_report(tmp_path) == tmp_path / "health.html"
    assert ", a</title>" in page(tmp_path)
    assert ", b</title>" in (tmp_path / "health-b.html").read_text()


def test_the_command_prints_the_pages(no_pictures, tmp_path, capsys):
    graph_run(tmp_path)
    run(tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [str(tmp_path / "report.html"), str(tmp_path / "health.html")]


def test_folders_without_anything_to_show_are_named(tmp_path):
    with pytest.raises(InputError, match="no such run folder"):
        rebuild_report(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"neither a summary\.json nor the health record"):
        rebuild_report(tmp_path)
    (tmp_path / "health.jsonl").write_text("")
    with pytest.raises(ResultFileError, match="no row of training yet"):
        rebuild_report(tmp_path)
    with pytest.raises(ResultFileError, match="no row of training yet"):
        health_page([], {})


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_summary_is_named(tmp_path, text):
    run(tmp_path)
    (tmp_path / "training_summary.json").write_text(text)
    with pytest.raises(ResultFileError, match="training_summary"):
        rebuild_report(tmp_path)


def test_an_empty_record_does_not_stop_the_report(no_pictures, tmp_path):
    graph_run(tmp_path)
    (tmp_path / "health.jsonl").write_text("")
    assert rebuild_report(tmp_path) == tmp_path / "report.html"
    assert not (tmp_path / "health.html").exists()


def test_the_summary_written_is_what_the_page_reads(no_pictures, tmp_path):
    run(tmp_path)
    stored = json.loads((tmp_path / "training_summary.json").read_text())
    stored["final_edge_count"] = 777.0
    (tmp_path / "training_summary.json").write_text(json.dumps(stored))
    write_health_pages(tmp_path)
    assert ">777<" in page(tmp_path)


def test_a_run_that_is_being_written_has_the_name_of_its_place(folder, no_pictures, tmp_path):
    staging = tmp_path / "mill" / f"{UNFINISHED}0f"
    staging.mkdir(parents=True)
    shutil.copy(folder / "health.jsonl", staging / "health.jsonl")
    (made,) = write_health_pages(staging)
    assert "<h1>Training health: mill</h1>" in made.read_text(encoding="utf-8")
