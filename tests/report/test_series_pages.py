"""The report of recordings: complete, rebuilt from its folder, safe, and readable on a phone."""

from __future__ import annotations

import json
import re
from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aetia.discovery import RCGNN
from aetia.errors import ResultFileError
from aetia.graphs import Knowledge
from aetia.report import (
    RunContext,
    collect_series,
    findings,
    rebuild_report,
    render_report,
    write_run,
)
from aetia.report.checks.series import open_directions
from aetia.report.kinds.series import compare_series, series_in_words
from browser import CHROMIUM, open_page

NAMES = ("<b>heat</b>", "NA", "größe & level", "pressure_at_the_outlet_of_pump_2")
SECTIONS = ["answer", "graph", "diagnostics", "edges", "known", "imputed", "regimes", "sensors"]
TRUTH = [
    {"source": NAMES[0], "target": NAMES[1], "lag": 1},
    {"source": NAMES[2], "target": NAMES[3], "lag": 0},
    {"source": NAMES[0], "target": NAMES[0], "lag": 1},
]


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    parts = []
    for regime, slope in (("day", 1.5), ("night", 0.2)):
        x = np.zeros((200, 4))
        for t in range(1, 200):
            e = rng.normal(size=4)
            x[t, 0] = 0.5 * x[t - 1, 0] + e[0]
            x[t, 1] = slope * x[t - 1, 0] + e[1]
            x[t, 2] = 0.6 * x[t - 1, 1] + e[2]
            x[t, 3] = 10 * (0.9 * x[t, 2] + e[3])
        part = pd.DataFrame(x, columns=list(NAMES))
        parts.append(part.assign(mode=regime))
    table = pd.concat(parts, ignore_index=True)
    table.loc[30:50, NAMES[0]] = np.nan
    table.loc[260:265, NAMES[1]] = np.nan
    table.loc[100, NAMES[3]] = 2000.0
    return RCGNN(n_resamples=6, random_state=0, progress=False).fit(
        table, regime="mode", knowledge=Knowledge(forbidden=[(NAMES[3], NAMES[0])])
    )


@pytest.fixture(scope="module")
def answers(fitted):
    return collect_series(
        fitted,
        imputed=pd.DataFrame({"a": [1.0]}),
        roles={"time": None, "series": None, "regime": "mode"},
        truth=TRUTH,
    )


@pytest.fixture(scope="module")
def folder(answers, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    context = RunContext(title="Causes <of> things", source="a test", warnings=["mind the <gap>"])
    write_run("series", answers, out, context)
    return out


def checks_of(answers):
    return {f.code: f for f in findings("series", answers)}


def test_every_section_edge_and_sensor_is_there(folder, answers):
    html = (folder / "report.html").read_text()
    for section in SECTIONS:
        assert f'id="{section}"' in html, section
    for frequency in answers.edges["frequency"][answers.edges["frequency"] >= 0.05]:
        assert f"{frequency:.2f}" in html
    assert "pressure_<wbr>at_<wbr>the" in html
    assert "größe &amp; level" in html
    assert "forbidden" in html
    assert "regime: mode" in html
    assert "n_resamples: 6" in html


def test_what_users_wrote_is_shown_as_text(folder):
    html = (folder / "report.html").read_text()
    assert "<b>heat" not in html
    assert "&lt;b&gt;heat" in html
    assert "mind the &lt;gap&gt;" in html
    assert "Causes &lt;of&gt; things" in html


def test_the_page_needs_no_other_file_and_runs_no_script(folder):
    html = (folder / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "<script" not in html


def test_the_report_is_rebuilt_byte_for_byte_from_the_folder_alone(folder):
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert rebuild_report(folder).read_bytes() == before


def test_a_damaged_folder_is_named(folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "spans.csv").unlink()
    with pytest.raises(ResultFileError, match=r"spans\.csv"):
        rebuild_report(copy)
    (copy / "spans.csv").write_text("sensor\nheat\n")
    with pytest.raises(ResultFileError, match="damaged"):
        rebuild_report(copy)


def test_a_second_run_without_regimes_leaves_no_stale_table(answers, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    context = RunContext(title="t")
    write_run("series", answers, tmp_path, context, force=True)
    assert (tmp_path / "regimes.csv").exists()
    without = replace(answers, regimes=answers.regimes.head(0))
    write_run("series", without, tmp_path, context, force=True)
    assert not (tmp_path / "regimes.csv").exists()
    assert 'id="regimes"' not in (tmp_path / "report.html").read_text()
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_record_of_training_is_kept_as_lines(answers, tmp_path):
    rows = [
        {"step": 1, "loss": np.float64(0.5), "learning_rate": 0.1},
        {"step": 2, "loss": 0.25, "learning_rate": 0.1},
    ]
    trained = replace(answers, history=rows, training={"final_step": 2, "aborted": None})
    run = write_run("series", trained, tmp_path / "run", RunContext(title="t"))
    assert json.loads(run.files["training"].read_text())["final_step"] == 2
    assert "had not ended" not in run.files["health"].read_text()
    assert pd.read_json(run.files["history"], lines=True).to_dict("records") == rows
    assert "learning rate" in run.files["health"].read_text()
    assert 'href="health.html"' in run.files["report"].read_text()
    assert 'href="report.html"' in run.files["health"].read_text()


def test_gaps_are_drawn_with_what_was_put_there_and_readings_as_they_are(answers, fitted):
    spans = answers.spans[answers.spans["sensor"] == NAMES[0]]
    gap = spans["reading"].isna()
    assert gap.sum() == 21
    assert spans["step"][gap].tolist() == list(range(30, 51))
    assert (spans["lower"][gap] < spans["imputed"][gap]).all()
    assert spans["lower"][~gap].isna().all()
    half = (spans["upper"] - spans["imputed"])[gap].to_numpy()
    np.testing.assert_allclose(half, 1.6449 * fitted.imputed_sd_[0, 30:51, 0])
    assert set(answers.spans["sensor"]) == {NAMES[0], NAMES[1]}  # the others have no gap
    assert answers.n_gaps == 27


def test_the_outlier_is_counted_where_it_is(answers):
    outliers = answers.sensors.set_index("sensor")["outliers"]
    assert outliers[NAMES[3]] >= 1
    assert outliers[NAMES[3]] == outliers.max()
    assert answers.sensors["longest_gap"].tolist() == [21, 6, 0, 0]


def test_weights_are_in_units_of_the_effect(answers):
    row = answers.edges.set_index(["source", "target", "lag"]).loc[(NAMES[2], NAMES[3], 0)]
    assert row["in_graph"]
    assert row["weight"] == pytest.approx(9.0, abs=2.0)


def test_what_a_back_end_does_not_estimate_is_left_out(fitted):
    other = copy(fitted)
    for name in ("weights_", "imputed_sd_", "outliers_", "drift_sd_", "information_"):
        setattr(other, name, None)
    answers = collect_series(other)
    assert answers.edges["weight"].isna().all()
    assert answers.spans["lower"].isna().all()
    assert not answers.spans["flagged_outliers"].any()
    assert answers.sensors["outliers"].sum() == 0
    html = render_report("series", answers, RunContext(title="less"))
    assert '<th class="n">weight</th>' not in html
    assert "The band holds" not in html
    assert "nan" not in re.sub(r'src="[^"]*"', "", html)


def test_known_edges_are_compared_without_own_pasts(answers):
    rows = dict(compare_series(answers, TRUTH))
    assert rows["Known edges"] == "2"
    assert rows["Known edges found at their lag"] == "2 of 2"
    other = [{"source": NAMES[0], "target": NAMES[1], "lag": 0}]
    assert dict(compare_series(answers, other))["Known edges found at their lag"] == "0 of 1"
    without_lags = [{"source": NAMES[0], "target": NAMES[1]}]
    assert "Known edges found at their lag" not in dict(compare_series(answers, without_lags))
    assert dict(compare_series(answers, without_lags))["Recall"] == "1"


def test_the_headline_counts_the_graph(answers):
    words = series_in_words(answers)
    assert "edge(s) between 4 sensors" in words[0]
    assert any("NA in night" in w or "NA in day" in w for w in words)
    empty = replace(answers, graph=np.zeros_like(answers.graph), edges=answers.edges.head(0))
    assert series_in_words(empty)[0].startswith("No edge between the 4 sensors")


def test_an_empty_graph_still_makes_a_page(answers):
    empty = replace(
        answers,
        graph=np.zeros_like(answers.graph),
        edges=answers.edges.head(0),
        spans=answers.spans.head(0),
        n_gaps=0,
    )
    html = render_report("series", empty, RunContext(title="nothing"))
    assert 'id="imputed"' not in html
    assert "AS003" not in html


def test_open_directions_are_those_the_half_samples_disagree_about(answers):
    posterior = answers.posterior
    graphs = np.zeros((10, 4, 4), dtype=bool)
    graphs[:7, 2, 3] = graphs[7:, 3, 2] = True
    graphs[:, 0, 1] = True
    within = np.zeros_like(answers.graph)
    within[0, 2, 3] = within[0, 0, 1] = True
    unsure = replace(
        answers,
        graph=within,
        posterior=replace(
            posterior,
            graphs=graphs,
            lagged=np.zeros((10, 1, 4, 4), dtype=bool),
            log_weights=np.zeros(10),
        ),
    )
    assert open_directions(unsure) == [(NAMES[2], NAMES[3])]
    assert f"{NAMES[2]} → {NAMES[3]}" in checks_of(unsure)["AS003"].text


def test_verdicts_follow_the_numbers(answers):
    found = checks_of(answers)
    assert found["AS012"].verdict == "look"
    assert found["AS005"].verdict == "good"
    assert "AS002" not in found
    diagnostics = dict(answers.posterior.diagnostics) | {
        "information": 0.3, "has_drift": True, "n_rows": 60,
    }  # fmt: skip
    sensors = answers.sensors.assign(
        share_observed=[0.2, 1, 1, 1], noise_share=[0.7, 0.1, 0.1, 0.1]
    )
    graph = answers.graph.copy()
    graph[1, 0, 2] = graph[1, 2, 0] = True
    bad = replace(
        answers,
        graph=graph,
        sensors=sensors,
        n_open=3,
        posterior=replace(answers.posterior, diagnostics=diagnostics),
    )
    worse = checks_of(bad)
    for code in ("AS011", "AS002", "AS004", "AS005", "AS006", "AS007", "AS008"):
        assert worse[code].verdict == "look", code
    assert "3 of 27 gaps" in worse["AS006"].text
    assert f"{NAMES[0]} and {NAMES[2]}" in worse["AS002"].text


def test_edges_just_below_the_threshold_are_counted_and_those_of_the_graph_are_not(answers):
    n_draws = 10
    within = np.zeros((n_draws, 4, 4), dtype=bool)
    within[:, 0, 1] = True  # always, but the sum of ten weights of 0.1 is not quite 1
    within[:6, 2, 3] = within[:2, 1, 2] = True
    posterior = replace(
        answers.posterior,
        graphs=within,
        lagged=np.zeros((n_draws, 1, 4, 4), dtype=bool),
        log_weights=np.full(n_draws, -np.log(n_draws)),
        diagnostics=dict(answers.posterior.diagnostics) | {"threshold": 0.7},
    )
    graph = np.zeros((2, 4, 4), dtype=bool)
    graph[0, 0, 1] = True
    check = checks_of(replace(answers, posterior=posterior, graph=graph))["AS001"]
    assert check.text.startswith("1 edge(s) are in the graph (threshold 0.70); 1 more were")
    assert check.verdict == "look"


def test_residuals_that_differ_without_other_weights_are_named(answers):
    regimes = answers.regimes.drop_duplicates(["regime", "sensor"]).assign(
        changed=False, p_value=0.5, difference=np.nan
    )
    assert checks_of(replace(answers, regimes=regimes))["AS010"].verdict == "good"
    regimes.loc[regimes.index[0], "p_value"] = 1e-5
    check = checks_of(replace(answers, regimes=regimes))["AS010"]
    assert check.verdict == "look"
    assert f"{regimes['sensor'].iloc[0]} in {regimes['regime'].iloc[0]}" in check.text


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_fits_the_screen(folder, tmp_path, width):
    page = open_page(folder / "report.html", tmp_path, width)
    assert page.scroll_width <= width
    assert (page.n_images, page.n_broken) == (4, 0)
    assert not page.has_errors
