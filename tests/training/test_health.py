"""The health record: rows, means, verdicts, resumption, gradient shares."""

import json
import math
import time
from itertools import islice

import pytest
import torch
from torch import nn

from aetia.errors import InputError
from aetia.nets import seeded
from aetia.training import Healthy, average_rows, read_record, train, verdicts
from aetia.training.health import HealthRecord
from training import runs
from training.runs import options, phase, regression, tables


def fit(folder=None, batches=tables, phases=None, module=None, **arguments):
    names = ("validate", "on_step_end", "signals")
    passed = {k: arguments.pop(k) for k in names if k in arguments}
    return train(
        module or regression(0.0),
        phases or [phase()],
        batches,
        config=options(**arguments),
        seed=5,
        folder=folder,
        **passed,
    )


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def constant_score(module, step):
    return [{"task": "t", "loss": 1.0, "undefined": math.nan}]


def test_one_json_line_for_each_logging_step_and_validation(tmp_path):
    trained = fit(tmp_path, validate=constant_score, validate_every=6)
    lines = (tmp_path / "health.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [r["step"] for r in rows if "validation" not in r] == [4, 8, 12]
    assert [r["step"] for r in rows if "validation" in r] == [6, 12]
    assert len(trained.rows) == len(rows)


def test_every_line_is_strict_json_even_where_a_number_is_not_finite(tmp_path):
    """One task has no standard error, and a metric may be undefined."""
    fit(
        tmp_path,
        validate=constant_score,
        validate_every=6,
        on_step_end=lambda step, info: {"signal": math.nan},
    )
    for line in (tmp_path / "health.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=refuse)


def test_rows_are_written_at_once(tmp_path):
    """A run that dies has its rows on the disk."""
    seen = []

    def look(step, info):
        seen.append(len(read_record(tmp_path / "health.jsonl")))
        return {}

    fit(tmp_path, on_step_end=look)
    assert seen == [0] * 4 + [1] * 4 + [2] * 4


def test_rows_hold_means_over_the_steps_since_the_last_row():
    noted = []

    def note(step, info):
        noted.append(dict(info))
        return {"square": float(step**2)}

    trained = fit(on_step_end=note, gradient_shares=False)
    for k, row in enumerate(trained.rows):
        part = noted[4 * k : 4 * k + 4]
        for name in ("loss", "error", "penalty", "gradient_norm"):
            assert row[name] == pytest.approx(sum(i[name] for i in part) / 4), name
        assert row["square"] == sum(s**2 for s in range(4 * k, 4 * k + 4)) / 4
        assert row["learning_rate"] == part[-1]["learning_rate"]
    expected = {"step", "loss", "gradient_norm", "clipped_share", "learning_rate"}
    assert expected | {"tasks_per_second", "skipped_steps", "verdicts"} <= trained.rows[0].keys()


def test_the_last_step_has_a_row_although_it_is_off_the_grid():
    assert [r["step"] for r in fit(n_steps=10).rows] == [4, 8, 10]


def test_waiting_for_data_is_measured_as_a_share_of_the_time():
    def slow(start):
        for x in tables(start):
            time.sleep(0.04)
            yield x

    (row,) = fit(batches=slow, n_steps=8, log_every=8).rows
    assert 0.3 < row["data_wait_share"] <= 1.0
    assert row["tasks_per_second"] <= 8 / 0.04
    assert "n_workers" in row["verdicts"]["data_wait_share"]


def test_validation_in_between_does_not_distort_the_speed():
    """Eight batches of eight rows, 10 ms each: at most 800 rows a second, whatever else is done."""

    def slow(start):
        for x in tables(start):
            time.sleep(0.01)
            yield x

    rows = fit(batches=slow, n_steps=8, log_every=8, validate=constant_score, validate_every=7).rows
    (row,) = (r for r in rows if "loss" in r)
    assert row["data_wait_share"] <= 1.0
    assert row["tasks_per_second"] <= 800


# -- verdicts -----------------------------------------------------------------------------------


def test_verdicts_are_ok_inside_the_range_and_advice_with_the_value_outside():
    signals = {"edges": Healthy(1.0, 5.0, "raise the threshold"), "absent": Healthy(0, 1, "no")}
    assert verdicts({"edges": 1.0, "other": 9.0}, signals) == {"edges": "ok"}
    assert verdicts({"edges": 5.0}, signals) == {"edges": "ok"}
    for value, shown in ((0.5, "0.5"), (7.25, "7.25"), (math.nan, "nan"), (math.inf, "inf")):
        text = verdicts({"edges": value}, signals)["edges"]
        assert "raise the threshold" in text
        assert shown in text


def test_a_method_adds_its_own_signals_and_may_change_common_ranges():
    trained = fit(
        on_step_end=lambda step, info: {"edges": float(step)},
        signals={
            "edges": Healthy(0.0, 5.0, "too many"),
            "gradient_norm": Healthy(1e9, math.inf, "too small"),
        },
    )
    assert [r["verdicts"]["edges"] == "ok" for r in trained.rows] == [True, False, False]
    assert all("too small" in r["verdicts"]["gradient_norm"] for r in trained.rows)
    assert all(r["verdicts"]["loss"] == "ok" for r in trained.rows)


def test_common_signals_are_judged():
    rows = fit(clip_norm=1e-6).rows
    assert all("clip" in r["verdicts"]["clipped_share"] for r in rows)
    rows = fit(clip_norm=None).rows
    assert all(r["verdicts"]["clipped_share"] == "ok" for r in rows)
    flat = phase(lambda m, x, step, g: (0.0 * m(x).sum(), {}))
    assert all("vanish" in r["verdicts"]["gradient_norm"] for r in fit(phases=[flat]).rows)


# -- resumption -----------------------------------------------------------------------------------


def test_resumption_drops_the_rows_that_are_made_again(tmp_path):
    with pytest.raises(InputError, match="ran out"):
        fit(tmp_path, lambda k: islice(tables(k), 11), checkpoint_every=6, log_every=2)
    assert [r["step"] for r in read_record(tmp_path / "health.jsonl")] == [2, 4, 6, 8, 10]
    trained = fit(tmp_path, checkpoint_every=6, log_every=2)
    assert [r["step"] for r in trained.rows] == [2, 4, 6, 8, 10, 12]
    assert [r["step"] for r in read_record(tmp_path / "health.jsonl")] == [2, 4, 6, 8, 10, 12]


def test_a_line_that_was_cut_off_by_a_crash_is_left_out(tmp_path):
    file = tmp_path / "health.jsonl"
    record = HealthRecord(file)
    for step in (1, 2, 3):
        record.add({"step": step, "loss": 0.5})
    file.write_bytes(file.read_bytes()[:-7])
    assert [r["step"] for r in read_record(file)] == [1, 2]
    resumed = HealthRecord(file, resume_at=2)
    resumed.add({"step": 3, "loss": 0.25})
    assert read_record(file) == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 0.5},
        {"step": 3, "loss": 0.25},
    ]


def test_a_new_run_starts_a_new_record(tmp_path):
    fit(tmp_path, checkpoint_every=100, n_steps=4)
    HealthRecord(tmp_path / "health.jsonl")
    assert read_record(tmp_path / "health.jsonl") == []
    assert read_record(tmp_path / "missing.jsonl") == []


# -- gradient shares -------------------------------------------------------------------------


def shares_of(row):
    return {k.split("/")[-1]: v for k, v in row.items() if "gradient_share/" in k}


def test_gradient_shares_compare_the_norms_of_the_parts():
    with seeded(torch.Generator().manual_seed(0)):
        module = nn.Linear(2, 1, bias=False)

    def loss(module, x, step, generator):
        a = 3 * module.weight[0, 0] + 4 * module.weight[0, 1]  # gradient norm 5
        b = 15 * module.weight[0, 0]
        return a + b, {"a": a, "b": b, "monitored": b.detach()}

    rows = fit(module=module, phases=[phase(loss)]).rows
    for row in rows:
        assert shares_of(row) == pytest.approx({"a": 0.25, "b": 0.75})
    rows = fit(module=module, phases=[phase(loss)], gradient_shares=False).rows
    assert not any(shares_of(row) for row in rows)


def test_gradient_shares_are_about_the_parameters_of_their_phase():
    def loss(module, x, who):
        a, b = module(x, who), 2.0 * module(x, who)
        return a + b, {"a": a, "b": b}

    phases = [
        phase(
            lambda m, x, s, g, who=who: loss(m, x, who),
            lambda m, who=who: list(getattr(m, who).parameters()),
            name=who,
        )
        for who in ("critic", "player")
    ]
    rows = fit(module=runs.players(torch.float32), phases=phases).rows
    for row in rows:
        for who in ("critic", "player"):
            mine = {k: v for k, v in row.items() if k.startswith(f"{who}/gradient_share/")}
            assert [*mine.values()] == pytest.approx([1 / 3, 2 / 3])


# -- averages over tasks ---------------------------------------------------------------------


def test_metrics_are_averaged_over_the_tasks_that_have_them():
    rows = [
        {"task": "a", "f1": 1.0, "auroc": 0.5},
        {"task": "b", "f1": 3.0, "auroc": math.nan},
        {"task": "c", "f1": 5.0, "only": 2.0},
    ]
    got = average_rows(rows)
    assert got["f1"] == 3.0
    assert got["f1_se"] == pytest.approx(2 / math.sqrt(3))
    assert (got["auroc"], got["only"]) == (0.5, 2.0)
    assert math.isnan(got["auroc_se"])
    assert average_rows([]) == {}


def test_the_number_of_a_task_is_not_a_metric():
    assert set(average_rows([{"task": 3, "f1": 1.0}, {"task": 4, "f1": 2.0}])) == {"f1", "f1_se"}
