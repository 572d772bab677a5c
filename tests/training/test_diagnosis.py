"""What a record says in words: each rule fires where it should, and not where it should not."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetia.training import Healthy, diagnose, train
from aetia.training.diagnosis import TrainingFinding
from training.runs import options, phase, regression, tables


def rows_of(n=8, **signals):
    """A healthy record; signals are numbers or functions of the interval, from 0."""
    usual = {
        "loss": lambda k: 1.0 / (k + 1),
        "clipped_share": 0.01,
        "gradient_norm": 1.0,
        "learning_rate": 5e-4,
        "skipped_steps": 0,
        "rate_factor": 1.0,
        **signals,
    }
    return [
        {"step": 10 * (k + 1), **{n: v(k) if callable(v) else v for n, v in usual.items()}}
        for k in range(n)
    ]


def found(rows, code, **arguments):
    return [f for f in diagnose(rows, **arguments) if f.code == code]


def only(rows, code, **arguments):
    (finding,) = found(rows, code, **arguments)
    return finding


def test_a_healthy_run_has_good_findings_alone():
    rows = rows_of(
        edge_count=12.0,
        best_threshold=0.2,
        objective="recon",
        **{"objective_gradient/structure": 0.3, "gradient_share/sparse": 0.2},
    )
    findings = diagnose(rows)
    assert {f.severity for f in findings} == {"good"}
    assert not any(f.advice for f in findings)
    assert {"AH001", "AH002", "AH003", "AH004", "AH005", "AH006", "AH008"} <= {
        f.code for f in findings
    }


def test_nothing_is_said_about_nothing():
    assert diagnose([]) == []
    assert diagnose([{"step": 5, "validation": {"loss": 1.0}}]) == []


def test_the_worst_comes_first():
    findings = diagnose(rows_of(edge_count=0.0, clipped_share=0.3))
    order = [f.severity for f in findings]
    assert order == sorted(order, key=["bad", "look", "good"].index)
    assert {"bad", "look", "good"} == set(order)


# -- clipping -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "share", "severity"),
    [(5, 0.96, "good"), (6, 0.96, "bad"), (6, 0.51, "bad"), (6, 0.5, "look"), (6, 0.21, "look"),
     (6, 0.2, "good"), (6, 0.0, "good")],
)  # fmt: skip
def test_clipping_is_judged_after_the_fifth_interval(n, share, severity):
    finding = only(rows_of(n, clipped_share=share), "AH002")
    assert finding.severity == severity
    if severity != "good":
        assert "0.0005" in finding.advice
        assert "standardised" in finding.advice


def test_clipping_that_falls_as_in_the_original_log_is_said_to():
    shares = [0.964, 0.388, 0.04, 0.007, 0.002]
    finding = only(rows_of(5, clipped_share=lambda k: shares[k]), "AH002")
    assert finding.severity == "good"
    assert "fell from 96% to 0.2%" in finding.text


def test_each_phase_is_judged_by_its_own_clipping():
    rows = [
        {k: v for k, v in r.items() if k != "clipped_share"}
        | {"critic/clipped_share": 0.9, "player/clipped_share": 0.1, "clipped_share/structure": 1.0}
        for r in rows_of()
    ]
    by_text = {f.severity: f.text for f in found(rows, "AH002")}
    assert by_text.keys() == {"bad", "good"}
    assert "'critic'" in by_text["bad"]
    assert "'player'" in by_text["good"]


# -- losses -------------------------------------------------------------------------------------


def test_a_training_loss_that_rises_deserves_a_look():
    assert only(rows_of(), "AH003").severity == "good"
    finding = only(rows_of(loss=lambda k: 1.0 + k), "AH003")
    assert finding.severity == "look"
    assert "1 at first, 8 last" in finding.text


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_loss_that_is_not_finite_is_bad_from_memory_and_from_a_file(value):
    rows = rows_of(loss=lambda k: 1.0 if k < 7 else value)
    assert only(rows, "AH003").severity == "bad"
    assert not found(rows, "AH004")


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        ([4, 3, 2, 1, 1, 1], "good"),  # two flat ones
        ([4, 3, 2, 1, 1, 1, 1], "look"),
        ([4, 3, 2, 1, 1 - 5e-5, 1, 1], "look"),
        ([4, 3, 2, 1, 0.999, 1, 1], "good"),
        ([-4, -4, -4, -4], "look"),
        ([-4, -5, -6, -7], "good"),
    ],
)
def test_three_evaluations_without_a_gain_are_flat(values, severity):
    rows = rows_of(len(values), loss=lambda k: float(values[k]))
    finding = only(rows, "AH004")
    assert finding.severity == severity
    if severity == "look":
        assert "by 0.5" in finding.advice


def test_held_out_losses_count_where_they_are():
    rows = rows_of()
    for k, loss in enumerate([3.0, 2.0, 2.5, 2.6, 2.7]):
        rows.append({"step": 15 * (k + 1), "validation": {"loss": loss}})
    finding = only(rows, "AH004")
    assert finding.severity == "look"
    assert "held-out loss" in finding.text
    assert "2 at step 30" in finding.text
    assert "training loss went on falling" in finding.text


def test_losses_of_adversaries_need_not_fall():
    rows = [r | {"critic/loss": 1.0, "player/loss": 2.0} for r in rows_of(loss=lambda k: 1.0 + k)]
    assert not found(rows, "AH003")
    assert not found(rows, "AH004")


# -- structure ----------------------------------------------------------------------------------


def structure(edges, gradient, **more):
    return rows_of(edge_count=edges, **{"objective_gradient/structure": gradient}, **more)


def test_no_edges_ask_for_weaker_penalties_only_if_the_data_reach_the_graph():
    weights = {"lambda/sparse": 1e-3, "lambda/acyclic": 1e-5}
    finding = only(structure(0.0, 0.1, **weights), "AH006")
    assert finding.severity == "bad"
    assert (
        "Weaken sparsity and acyclicity (in force: sparse 0.001, acyclic 1e-05)" in finding.advice
    )
    finding = only(structure(0.0, 0.0, **weights), "AH006")
    assert finding.severity == "bad"
    assert "cut off from the data" in finding.text
    assert "Weaken" not in finding.advice
    finding = only(rows_of(edge_count=0.0), "AH006")
    assert "Find out first" in finding.advice


def test_a_structure_without_gradient_is_bad_even_with_edges():
    assert only(structure(20.0, 0.0), "AH005").severity == "bad"
    assert only(structure(20.0, 1e-9), "AH005").severity == "good"
    assert not found(rows_of(), "AH005")


def test_edge_counts_are_good_above_zero_with_the_rule_of_thumb_as_a_hint():
    assert "more than 5" in only(structure(3.0, 1.0), "AH006").text
    assert "more than 5" not in only(structure(6.0, 1.0), "AH006").text
    assert only(structure(3.0, 1.0), "AH006").severity == "good"


def test_too_many_edges_ask_for_more_sparsity():
    signals = {"edge_count": Healthy(1, 40, "unused")}
    assert only(structure(40.0, 1.0), "AH006", signals=signals).severity == "good"
    finding = only(structure(41.0, 1.0), "AH006", signals=signals)
    assert finding.severity == "look"
    assert "Raise the weight of sparsity" in finding.advice
    assert not found(structure(41.0, 1.0), "AH011", signals=signals)


def test_a_dominating_term_is_named_unless_it_is_the_objective():
    def rows(share, **more):
        shares = {"gradient_share/sparse": share, "gradient_share/recon": 1 - share}
        return rows_of(**shares, **more)

    finding = only(rows(0.95, objective="recon"), "AH007")
    assert "'sparse' holds 95%" in finding.text
    assert "Lower the weight of 'sparse'" in finding.advice
    assert not found(rows(0.9, objective="recon"), "AH007")
    cut_off = rows(0.95, objective="recon", **{"objective_gradient/structure": 0.0})
    assert "Lower" not in only(cut_off, "AH007").advice
    assert not found(rows(0.95, objective="sparse"), "AH007")
    assert not found(rows(0.95), "AH007")


@pytest.mark.parametrize(
    ("value", "severity"), [(0.0, "good"), (0.3, "good"), (0.4, "look"), (0.5, "bad")]
)
def test_thresholds(value, severity):
    assert only(rows_of(best_threshold=value), "AH008").severity == severity


# -- skipped steps, external evaluation, other signals -------------------------------------------


def test_skipped_steps_are_bad_when_they_are_many():
    finding = only(rows_of(100, skipped_steps=5, rate_factor=2**-5), "AH001")
    assert finding.severity == "look"
    assert "5 of 1000 steps" in finding.text
    assert "0.0312" in finding.text
    assert only(rows_of(8, skipped_steps=5), "AH001").severity == "bad"


def test_external_evaluation_is_reported_as_such_and_only_if_there_is_one():
    assert not found(rows_of(), "AH009")
    assert not found(rows_of(), "AH010")
    rows = rows_of()
    rows += [
        {"step": s, "external": {"val_f1": f, "val_shd": h}} for s, f, h in ((5, 0, 9), (9, 0, 27))
    ]
    assert only(rows, "AH009").severity == "look"
    assert "threshold" in only(rows, "AH009").advice
    assert only([r | {"edge_count": 0.0} for r in rows], "AH009").advice == ""
    assert "9 at first, 27 last" in only(rows, "AH010").text
    assert only(rows, "AH010").severity == "look"


def test_other_signals_are_judged_by_the_ranges_of_the_method_or_by_the_verdicts_of_the_record():
    signals = {"tau": Healthy(0.1, 2.0, "anneal more slowly")}
    assert "anneal" in only(rows_of(tau=0.01), "AH011", signals=signals).text
    assert not found(rows_of(tau=0.5), "AH011", signals=signals)
    rows = rows_of(verdicts={"spread": "too narrow (found 0.1)", "tau": "ok"})
    assert "spread: too narrow" in only(rows, "AH011").text


number = st.one_of(st.none(), st.floats(), st.integers(0, 100))
names = [
    "loss", "clipped_share", "a/clipped_share", "edge_count", "best_threshold", "skipped_steps",
    "objective_gradient/structure", "gradient_share/x", "rate_factor", "a/loss", "tau",
]  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(names), number), max_size=9))
def test_any_record_can_be_judged(records):
    rows = [{"step": k + 1, "learning_rate": 0.1, **r} for k, r in enumerate(records)]
    for row in rows:
        for name in ("skipped_steps", "rate_factor"):  # the loop always writes numbers there
            if name in row and not isinstance(row[name], int):
                row[name] = 1
    assert all(isinstance(f, TrainingFinding) and f.text for f in diagnose(rows))


def test_the_findings_of_a_run_are_those_of_its_file(tmp_path):
    trained = train(
        regression(0.0),
        [phase()],
        tables,
        config=options(n_steps=40, clip_norm=1e-6),
        seed=1,
        folder=tmp_path,
        signals={"loss": Healthy(0, 0, "never mind")},
    )
    lines = (tmp_path / "health.jsonl").read_text().splitlines()
    assert diagnose([json.loads(line) for line in lines]) == trained.findings
    assert trained.findings[0].severity == "bad"
