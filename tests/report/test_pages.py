"""The report: complete, self-contained, safe, and readable on a phone."""

from __future__ import annotations

import re
from html import escape

import numpy as np
import pandas as pd
import pytest

from aetia.discovery import DiBS, ExactPosterior
from aetia.report import (
    GraphAnswers,
    RunContext,
    collect_graph,
    findings,
    rebuild_report,
    write_run,
)
from aetia.results.adjacency_table import short_probability
from browser import CHROMIUM, open_page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 200))
    table = pd.DataFrame(
        {"<script>alert(1)</script>": a, "größe & mass": a + b, "z" * 60: a - b + c}
    )
    fit = DiBS(
        "bge",
        n_particles=12,
        n_steps=150,
        trace_every=10,
        beta=1e4,
        random_state=0,
        n_likelihood_graphs=16,
        n_acyclicity_graphs=8,
    ).fit(table)
    names = fit.posterior_.names
    out = tmp_path_factory.mktemp("run")
    context = RunContext(
        title="Causes <of> things",
        data_summary={"column": list(names)},
        source="a test",
        warnings=["mind the <gap>"],
    )
    effects = [fit.posterior_.effect(names[0], names[1])]
    write_run("graph", collect_graph(fit.posterior_, effects=effects), out, context)
    return out


def test_every_edge_and_finding_is_in_the_report(folder):
    html = (folder / "report.html").read_text()
    edges = pd.read_csv(folder / "edges.csv")
    for row in edges[edges["adjacent"] >= 0.01].to_dict("records"):
        for number in (row["adjacent"], row["probability"], row["reverse_probability"]):
            assert f'<td class="n">{escape(short_probability(number))}</td>' in html
    for section in (
        "answer", "graph", "diagnostics", "edges", "classes", "effects", "matrix", "trace", "data",
        "run",
    ):  # fmt: skip
        assert f'id="{section}"' in html
    for code in ("AE001", "AE002", "AE004", "AE005"):
        assert code in html


def test_the_report_needs_no_other_file_and_runs_no_script(folder):
    html = (folder / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "größe &amp; mass" in html
    assert "mind the &lt;gap&gt;" in html


def test_the_report_can_be_made_again_from_the_folder(folder):
    before = (folder / "report.html").read_text()
    assert rebuild_report(folder).read_text() == before


def test_findings_are_in_words_and_have_codes():
    x = np.random.default_rng(0).normal(size=(20, 3))
    answers = GraphAnswers(ExactPosterior("bge").fit(x).posterior_)
    found = {f.code: f for f in findings("graph", answers)}
    assert found["AE002"].verdict == "good"
    assert "exact" in found["AE002"].text
    assert found["AE004"].verdict == "look"
    assert "few" in found["AE004"].text


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_opens_in_a_browser_without_errors(folder, tmp_path, width):
    page = open_page(folder / "report.html", tmp_path, width)
    assert page.scroll_width <= width, "the page is wider than the screen"
    assert page.n_images >= 4
    assert page.n_broken == 0
    assert not page.has_errors
    assert page.picture.stat().st_size > 20_000
