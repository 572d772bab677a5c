"""Reports of effects, imputations and generated rows: complete, safe, readable on a phone."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import aetia.report
from aetia.effects import CausalBGM
from aetia.generation import BGM
from aetia.generation.comparison import compare_tables
from aetia.report import (
    RunContext,
    collect_effects,
    collect_generation,
    effect_in_words,
    findings,
    render_report,
)
from aetia.scm.effect_designs import simulate_study
from aetia.training import learning_curves
from browser import CHROMIUM, open_page


@pytest.fixture(scope="module")
def answers():
    study = simulate_study("hahn", 120, random_state=0)
    frame = pd.DataFrame(study.covariates, columns=["<b>age</b>", "größe", "z" * 60, "d", "e"])
    fitted = CausalBGM(n_egm_steps=40, n_draws=60, n_replicates=1, random_state=0, progress=False)
    return collect_effects(fitted.fit(study.treatment, study.outcome, frame))


@pytest.fixture(scope="module")
def page(answers, tmp_path_factory):
    context = RunContext(
        title="Effect <of> things",
        data_summary={"column": ["<b>age</b>", "z" * 60], "missing": [0, 3]},
        left_out=["<i>name</i>"],
        warnings=["mind the <gap>"],
    )
    html = render_report("effect", answers, context)
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(html)
    return file


def test_every_section_and_finding_is_there(page):
    html = page.read_text()
    for name in ("answer", "response", "units", "overlap", "diagnostics", "calibration"):
        assert f'id="{name}"' in html
    for name in ("assumptions", "trace", "data", "run"):
        assert f'id="{name}"' in html
    for code in ("AF001", "AF002", "AF003", "AF004", "AF005"):
        assert code in html
    assert "No unmeasured confounding" in html


def test_names_are_escaped_and_nothing_is_loaded(page):
    html = page.read_text()
    assert not re.search(r'(src|href)="(?!data:)', html)
    for tag in ("<script", "<b>age", "<i>name", "<gap>", "<of>"):
        assert tag not in html
    assert "&lt;i&gt;name" in html


def test_words_follow_the_posterior(answers):
    sure = replace(answers.average, draws=1 + 0.1 * answers.average.draws)
    up = effect_in_words(replace(answers, average=sure))[0]
    assert "raises" in up
    assert "more than 99 %" in up
    turned = replace(sure, draws=-sure.draws)
    assert "lowers" in effect_in_words(replace(answers, average=turned))[0]
    open_ = replace(answers.average, draws=answers.average.draws - answers.average.mean + 0.01)
    assert "do not settle its sign" in effect_in_words(replace(answers, average=open_))[0]


def test_coverage_counts_ranks_around_one_half(answers):
    even = replace(answers, rows=np.arange(1000), ranks=(np.arange(1000) + 0.5) / 1000)
    assert even.coverage() == pytest.approx({0.5: 0.5, 0.8: 0.8, 0.9: 0.9, 0.95: 0.95})
    narrow = replace(answers, ranks=np.repeat([0.01, 0.99], 60))
    verdicts = {f.code: f.verdict for f in findings("effect", narrow)}
    assert verdicts["AF003"] == "bad"


def test_the_earlier_name_of_the_page_still_works(answers):
    with pytest.warns(FutureWarning, match="render_report"):
        html = aetia.report.render_effect_report(answers, title="t")
    assert html == render_report("effect", answers, RunContext(title="t"))


def test_curves_of_a_second_stage_continue_the_first():
    history = [{"stage": s, "step": t, "loss": 1.0} for s in ("a", "b") for t in (1, 2)]
    assert learning_curves(history, {"loss": "loss"})["loss"]["step"] == [1, 2, 3, 4]


def test_rows_that_differ_are_discriminated():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(200, 2))
    same = compare_tables(real, rng.normal(size=(200, 2)), ["a", "b"])
    other = compare_tables(real, rng.normal(size=(200, 2)) + 3, ["a", "b"])
    assert same["auroc"] < 0.65 < 0.95 < other["auroc"]
    assert other["columns"][0]["distance"] > 0.8 > same["columns"][0]["distance"]


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_of_effects_opens_in_a_browser(page, tmp_path, width):
    shown = open_page(page, tmp_path, width)
    assert shown.scroll_width <= width, "the page is wider than the screen"
    assert shown.n_images >= 5
    assert shown.n_broken == 0
    assert not shown.has_errors
    assert shown.picture.stat().st_size > 20_000


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_report_of_generated_rows_fits_a_phone(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "long name " * 6])
    fitted = BGM(n_steps=40, random_state=0, progress=False).fit(table)
    draws = fitted.sample(100)
    made = collect_generation(fitted, draws, table.to_numpy())
    file = tmp_path / "report.html"
    file.write_text(render_report("generation", made, RunContext(title="Rows")))
    shown = open_page(file, tmp_path, 390)
    assert shown.scroll_width <= 390
    assert shown.n_broken == 0
