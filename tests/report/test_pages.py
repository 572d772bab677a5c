"""The report: complete, self-contained, safe, and readable on a phone."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from aetia.discovery import DiBS, ExactPosterior
from aetia.report import check_posterior, rebuild_report, write_run

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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
    write_run(
        fit.posterior_,
        out,
        title="Causes <of> things",
        data_summary={"column": list(names)},
        source="a test",
        warnings=["mind the <gap>"],
        effects=[fit.posterior_.effect(names[0], names[1])],
    )
    return out


def test_every_edge_and_finding_is_in_the_report(folder):
    html = (folder / "report.html").read_text()
    edges = pd.read_csv(folder / "edges.csv")
    for probability in edges["probability"][edges["probability"] >= 0.01]:
        assert f"{probability:.3f}" in html
    for section in ("graph", "diagnostics", "edges", "effects", "matrix", "trace", "data", "run"):
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
    found = {c.code: c for c in check_posterior(ExactPosterior().fit(x).posterior_)}
    assert found["AE002"].verdict == "good"
    assert "exact" in found["AE002"].text
    assert found["AE004"].verdict == "look"
    assert "few" in found["AE004"].text


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_opens_in_a_browser_without_errors(folder, tmp_path, width):
    # A page inside a frame of the given width: headless windows are never narrower than 500.
    report = (folder / "report.html").resolve()
    probe = tmp_path / "probe.html"
    probe.write_text(
        f'<!doctype html><iframe id="f" style="width:{width}px;height:900px;border:0" '
        f'srcdoc="{_escaped(report.read_text())}"></iframe><script>'
        'document.getElementById("f").onload = e => { const d = e.target.contentDocument;'
        " const bad = [...d.images].filter(i => !i.complete || !i.naturalWidth).length;"
        ' document.title = d.documentElement.scrollWidth + " " + d.images.length + " " + bad; }'
        "</script>"
    )
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [
            str(CHROMIUM),
            *FLAGS,
            profile,
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            "--dump-dom",
            probe.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    scroll, images, broken = re.search(r"<title>(\d+) (\d+) (\d+)</title>", done.stdout).groups()
    assert int(scroll) <= width, "the page is wider than the screen"
    assert int(images) >= 4
    assert int(broken) == 0
    assert "CONSOLE" not in done.stderr
    picture = tmp_path / "page.png"
    subprocess.run(
        [
            str(CHROMIUM),
            *FLAGS,
            f"{profile}2",
            f"--window-size={max(width, 500)},2000",
            f"--screenshot={picture}",
            report.as_uri(),
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert picture.stat().st_size > 20_000


def _escaped(html: str) -> str:
    return html.replace("&", "&amp;").replace('"', "&quot;")
