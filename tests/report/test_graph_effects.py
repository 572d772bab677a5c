"""Effects on the page of a graph: words of every kind of level, all pairs where they are cheap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from aetia.data import as_dataset
from aetia.likelihoods import BGe, Moments
from aetia.report import RunContext, collect_graph, rebuild_report, write_run
from aetia.report.numbers import percent
from aetia.report.sections.blocks import Details, Table, Words
from aetia.report.sections.graph_effects import all_pairs, effect_blocks
from aetia.results import GraphPosterior, LinearModel, SimulationModel
from aetia.results.affordable_effects import affordable_total_effects
from browser import CHROMIUM, open_page


def posterior_of(d, n=200, n_graphs=6, seed=0, linear=True):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    x[:, 1] += x[:, 0]
    graphs = np.triu(rng.random((n_graphs, d, d)) < 0.5, 1)
    graphs[0] = False
    data = as_dataset(pd.DataFrame(x, columns=[f"column_{k}" for k in range(d)]))
    if linear:
        zero, one = torch.zeros(d, dtype=torch.float64), torch.ones(d, dtype=torch.float64)
        model = LinearModel(BGe(), Moments.of(torch.from_numpy(x)), zero, one)
    else:
        model = SimulationModel.of(data, "additive")
    return GraphPosterior(
        graphs=graphs,
        log_weights=np.log(np.arange(1, n_graphs + 1) / sum(range(n_graphs + 1))),
        names=data.names,
        model=model,
        diagnostics={"method": "by hand"},
    )


@pytest.fixture(scope="module")
def levels():
    rng = np.random.default_rng(1)
    site = rng.choice(["north", "south", "<west>"], 200)
    y = 2.0 * (site == "south") + rng.normal(size=200)
    frame = pd.DataFrame({"site": site, "y": y, "ill": np.where(y > 0.5, "yes", "no")})
    data = as_dataset(frame, categorical=["site", "ill"])
    graph = np.zeros((2, 3, 3), dtype=bool)
    graph[0, 0, 1] = graph[0, 1, 2] = True
    return GraphPosterior(
        graphs=graph,
        log_weights=np.log([0.7, 0.3]),
        names=data.names,
        model=SimulationModel.of(data, "block"),
        diagnostics={"method": "by hand"},
    )


def words_of(blocks):
    return [b.text for b in blocks if isinstance(b, Words)]


def rows_of(blocks):
    return [row for b in blocks if isinstance(b, Table) for row in b.rows]


def test_one_number_is_said_with_all_that_is_uncertain_about_it(levels):
    effect = levels.effect("site", "y", treated="south", control="north", n_draws=200)
    block = effect_blocks(effect)
    text = " ".join(words_of(block))
    row = effect.frame().iloc[0]
    assert f"from north to south changes y by {row['mean']:.4g}" in text
    assert "no effect at all with probability 30\u00a0%" in text
    assert "positive with 70\u00a0%" in text
    assert f"{row['mean_given_path']:.4g} on average if there is one" in text
    assert "is uncertainty about the graph" in text
    assert f"(probability 70\u00a0%) alone would say {row['best_graph_mean']:.4g}" in text
    assert rows_of(block) == []


@pytest.mark.parametrize(
    ("treatment", "outcome", "levels_of", "n_rows", "first"),
    [
        ("site", "ill", {"treated": "south", "control": "north"}, 2, "P(ill = no)"),
        ("site", "y", {"doses": ["north", "south"], "control": "<west>"}, 2, "north"),
        ("y", "ill", {"doses": [0.0, 1.0], "control": 2.0}, 4, "P(ill = no) at 0"),
        ("y", "site", {"treated": 1.0, "control": 0.0}, 3, "P(site = "),
    ],
)
def test_levels_and_doses_have_a_row_each(levels, treatment, outcome, levels_of, n_rows, first):
    effect = levels.effect(treatment, outcome, **levels_of, n_draws=100)
    block = effect_blocks(effect)
    assert len(rows_of(block)) == n_rows
    assert rows_of(block)[0]["quantity"].startswith(first)
    frame = effect.frame()
    assert [r["none"] for r in rows_of(block)] == [percent(z) for z in frame["zero"]]
    assert [r["mean"] for r in rows_of(block)] == [f"{m:.3g}" for m in frame["mean"]]
    path = levels.path_probability(treatment, outcome)
    assert f"(no directed path) is {percent(1 - path)}" in " ".join(words_of(block))


def test_numbers_as_doses_are_named(levels):
    effect = posterior_of(3).effect("column_0", "column_1", doses=[1.0, 2.0], control=0.5)
    block = effect_blocks(effect)
    assert "from 0.5 to each of the levels below" in words_of(block)[0]
    assert [r["quantity"] for r in rows_of(block)] == ["at 1", "at 2"]


def test_only_certainty_reads_as_certain():
    words = [percent(p).replace("\u00a0", " ") for p in (0, 1e-12, 0.003, 0.42, 0.996, 1.0)]
    assert words == ["0 %", "0 %", "<1 %", "42 %", ">99 %", "100 %"]


def test_all_pairs_are_told_where_they_are_cheap():
    small = posterior_of(4)
    frame = affordable_total_effects(small)
    pd.testing.assert_frame_equal(frame, small.total_effects())
    (section,) = all_pairs(frame, 4)
    assert "12 pairs" in words_of(section.blocks)[0]
    (details,) = (b for b in section.blocks if isinstance(b, Details))
    rows = rows_of(details.blocks)
    assert details.summary.startswith(f"{(frame['zero'] < 0.99).sum()} effects")
    assert (frame["zero"] < 0.99).sum() == len(rows)
    largest = frame["standardised"].abs().idxmax()
    assert rows[0]["effect of, on"].startswith(f"{frame['treatment'][largest]} →")
    assert len(affordable_total_effects(posterior_of(4, linear=False))) == 12
    assert affordable_total_effects(posterior_of(9, linear=False)) is None
    assert affordable_total_effects(posterior_of(8, n=1000, linear=False)) is None
    assert affordable_total_effects(replace(small, model=None)) is None
    assert affordable_total_effects(replace(small, kind="resampling")) is None


def test_many_graphs_are_thinned_evenly(monkeypatch):
    """1,302 draws of 60 graphs: each within one of its number, means within .1 sd (3.6 sigma)."""
    posterior = posterior_of(4, n_graphs=60)
    monkeypatch.setattr("aetia.results.affordable_effects._LINEAR_WORK", 2.5e5)
    few = affordable_total_effects(posterior)
    whole = posterior.total_effects()
    assert np.abs(few["zero"] - whole["zero"]).max() < 60 / 1302
    assert (np.abs(few["mean"] - whole["mean"]) <= 0.1 * whole["sd"] + 1e-12).all()
    monkeypatch.setattr("aetia.results.affordable_effects._LINEAR_WORK", 1e3)
    assert affordable_total_effects(posterior) is None


@pytest.fixture(scope="module")
def folder(levels, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    effects = [
        levels.effect("site", "ill", treated="south", control="north", n_draws=60),
        levels.effect("y", "ill", doses=[0.0, 1.0], control=2.0, n_draws=60),
        levels.effect("site", "y", treated="<west>", control="north", n_draws=60),
    ]
    context = RunContext(
        title="Effects", source="a test", data_summary={"column": list(levels.names)}
    )
    write_run("graph", collect_graph(levels, effects=effects), out, context)
    return out


def test_the_page_and_the_folder_hold_all_pairs(folder):
    html = (folder / "report.html").read_text()
    assert 'id="all-effects"' in html
    assert "&lt;west&gt;" in html
    assert "<west>" not in html
    saved = pd.read_csv(folder / "total_effects.csv")
    assert set(saved["treatment"]) == {"site", "y", "ill"}
    assert rebuild_report(folder).read_text() == html


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_the_screen(folder, tmp_path, width):
    page = open_page(folder / "report.html", tmp_path, width)
    assert page.scroll_width <= width
    assert page.n_broken == 0
    assert not page.has_errors
