"""Evaluators with the truth, signals of the weights, the line for people, and the summary."""

import json
import re

import pytest
import torch

from aetia.errors import InputError
from aetia.training import Healthy, read_record, seed_record, train, weigh
from aetia.training.progress_line import progress_line
from training import runs
from training.runs import module_of, options, phase, regression, table, tables, target


def fit(folder=None, *, config=None, **arguments):
    return train(
        arguments.pop("module", None) or regression(),
        arguments.pop("phases", [phase(runs.noisy_error)]),
        arguments.pop("batches", tables),
        config=options(**{"validate_every": 3, **(config or {})}),
        seed=5,
        folder=folder,
        **arguments,
    )


def honest(module, step):
    return [{"task": 0, "loss": float((module(table(-1)) - target(table(-1))).square().mean())}]


def oracle(module, step):
    """Tells the opposite of what validation says, and would choose other weights."""
    assert not module.training
    assert not torch.is_grad_enabled()
    return {"val_f1": 1.0 / step, "val_shd": float(step), "loss": -1e9 / step}


# -- evaluators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ema_decay", [None, 0.9])
@pytest.mark.parametrize("validate", [honest, None])
def test_external_evaluation_changes_nothing(validate, ema_decay):
    config = {
        "schedule": "plateau",
        "plateau_patience": 0,
        "patience": 2,
        "ema_decay": ema_decay,
        "n_steps": 30,
        "learning_rate": 0.3,
    }
    alone = fit(validate=validate, config=config)
    watched = fit(validate=validate, config=config, evaluate=oracle)
    for name, value in alone.module.state_dict().items():
        assert torch.equal(value, watched.module.state_dict()[name]), name
    assert (alone.step, alone.best_step) == (watched.step, watched.best_step)
    rates = [[r["learning_rate"] for r in t.rows if "learning_rate" in r] for t in (alone, watched)]
    assert rates[0] == rates[1]


def test_external_evaluation_is_recorded_apart():
    rows = fit(validate=honest, evaluate=oracle).rows
    outside = {r["step"]: r["external"] for r in rows if "external" in r}
    assert list(outside) == [3, 6, 9, 12]
    assert outside[6] == {"val_f1": 1 / 6, "val_shd": 6.0, "loss": -1e9 / 6}
    assert not any("val_f1" in r or "val_f1" in r.get("validation", {}) for r in rows)
    assert not any("external" in r for r in fit(validate=honest).rows)


def test_external_evaluation_sees_the_weights_that_are_validated():
    seen = {}

    def look(name):
        def function(module, step):
            seen.setdefault(name, []).append(module.last.weight.detach().clone())
            return {"x": 1.0} if name == "outside" else [{"task": 0, "loss": 1.0}]

        return function

    fit(validate=look("inside"), evaluate=look("outside"), config={"ema_decay": 0.5})
    assert len(seen["inside"]) == 4
    assert all(torch.equal(*pair) for pair in zip(*seen.values(), strict=True))


# -- signals of the weights ----------------------------------------------------------------------


def test_signals_of_the_weights_are_those_at_the_row_and_are_judged(tmp_path):
    kept, module = {}, regression()

    def follow(step, info):
        kept[step + 1] = float(module.last.weight.detach().abs().sum())
        return {}

    trained = fit(
        tmp_path,
        module=module,
        on_step_end=follow,
        signals_of=lambda m: {"size": m.last.weight.abs().sum(), "edge_count": 3},
        signals={"size": Healthy(1e9, 2e9, "too small")},
    )
    assert [r["size"] for r in trained.rows] == [kept[s] for s in (4, 8, 12)]
    assert all("too small" in r["verdicts"]["size"] for r in trained.rows)
    assert [r["edge_count"] for r in read_record(tmp_path / "health.jsonl")] == [3.0] * 3


# -- the line -------------------------------------------------------------------------------------


ROW = {"step": 400, "loss": 0.0105, "clipped_share": 0.007, "learning_rate": 5e-4}


def test_the_line_says_what_there_is():
    line = progress_line({**ROW, "edge_count": 12.0}, n_steps=2000, held_out=0.52, is_best=True)
    assert line == (
        "step 400/2000 | loss 0.0105 | held-out 0.52 | edges 12 | clipped 0.7 % | rate 5.00e-04 "
        "| best"
    )
    assert progress_line(ROW, n_steps=2000) == (
        "step 400/2000 | loss 0.0105 | clipped 0.7 % | rate 5.00e-04"
    )
    line = progress_line(ROW, n_steps=2000, external={"val_f1": 0.069, "shd": 27.0})
    assert "| F1 0.069 | SHD 27 |" in line


def test_one_line_for_each_validation_goes_to_stderr_if_progress_is_shown(capsys):
    fit(validate=honest, evaluate=oracle, config={"progress": True, "log_every": 4})
    said = capsys.readouterr()
    lines = re.findall(r"step (\d+)/12 \| loss \S+ \| held-out (\S+) \| F1 \S+", said.err)
    assert [int(step) for step, _ in lines] == [3, 6, 9, 12]
    assert "| best" in said.err
    assert said.out == ""
    fit(validate=honest, evaluate=oracle, config={"progress": False})
    assert capsys.readouterr().err == ""


def test_showing_progress_does_not_change_the_record(capsys):
    def rows(progress):
        kept = fit(validate=honest, config={"progress": progress, "log_every": 4}).rows
        timed = ("seconds", "tasks_per_second", "data_wait_share", "verdicts")
        return [{k: v for k, v in r.items() if k not in timed} for r in kept]

    assert repr(rows(True)) == repr(rows(False))


# -- the summary ----------------------------------------------------------------------------------


def summary_of(folder):
    return json.loads((folder / "training_summary.json").read_text())


def test_the_summary_says_how_the_run_went(tmp_path):
    shares = {}

    def loss(module, x, step, generator):
        return runs.squared_error(module, x, step, generator)

    trained = fit(
        tmp_path,
        phases=[phase(loss)],
        validate=honest,
        evaluate=oracle,
        signals_of=lambda m: {"edge_count": 7.0},
        signals={"edge_count": Healthy(1, 9, "too many")},
        facts={"data_stats": {"n_train": 8, "X_mean": [0.0, 1.0]}},
        config={"clip_norm": 1.0},
    )
    found = summary_of(tmp_path)
    steps = [r for r in trained.rows if "learning_rate" in r]
    shares = [r["clipped_share"] for r in steps]
    assert found["avg_grad_clip_ratio"] == pytest.approx(sum(shares) / len(shares))
    assert found["final_learning_rate"] == steps[-1]["learning_rate"]
    assert found["final_edge_count"] == 7.0
    assert (found["final_step"], found["best_step"]) == (12, trained.best_step)
    assert found["best_metrics"]["loss"] == trained.best_metrics["loss"]
    assert found["best_external"]["val_shd"] == trained.best_step
    assert found["data_stats"] == {"n_train": 8, "X_mean": [0.0, 1.0]}
    assert found["config"]["learning_rate"] == 1e-2
    assert found["total_time"] == pytest.approx(sum(r["seconds"] for r in trained.rows))
    assert found["signals"]["edge_count"]["high"] == 9
    assert (found["n_skipped"], found["aborted"], found["seed"]) == (0, None, 5)
    assert [f["text"] for f in found["findings"]] == [f.text for f in trained.findings]


def test_the_summary_is_strict_json(tmp_path):
    fit(tmp_path, signals={"x": Healthy(-float("inf"), float("inf"), "no")})

    def refuse(constant):
        raise AssertionError(constant)

    text = (tmp_path / "training_summary.json").read_text()
    assert json.loads(text, parse_constant=refuse)["signals"]["x"]["high"] is None


def test_the_time_of_a_resumed_run_is_that_of_all_its_parts(tmp_path):
    from itertools import islice

    with pytest.raises(InputError, match="ran out"):
        fit(tmp_path, batches=lambda k: islice(tables(k), 9 - k))
    assert not (tmp_path / "training_summary.json").exists()
    before = sum(r["seconds"] for r in read_record(tmp_path / "health.jsonl") if r["step"] <= 8)
    fit(tmp_path)
    assert summary_of(tmp_path)["total_time"] > before > 0


def test_facts_may_not_hide_what_the_summary_says():
    with pytest.raises(InputError, match="best_step, config are names"):
        fit(facts={"config": 1, "best_step": 2, "fine": 3})


def test_the_record_in_the_names_of_the_original_log():
    def loss(module, x, step, generator):
        predicted = module_of(module)(x)
        terms = {"recon": (predicted - target(x)).square().mean(), "sparse": predicted.abs().mean()}
        return weigh(terms, {"recon": 10.0, "sparse": 0.1})

    rows = fit(
        phases=[phase(loss)],
        evaluate=lambda m, s: {"val_f1": s / 100, "val_shd": 27.0, "best_threshold": 0.05},
        signals_of=lambda m: {"edge_count": 4},
        config={"validate_every": 8},
    ).rows
    record = seed_record(rows)
    assert [r["epoch"] for r in record] == [1, 2, 3]
    full = {
        "epoch", "train_loss", "train_loss_components", "val_f1", "val_shd", "edge_count",
        "grad_clip_ratio", "learning_rate", "best_threshold", "epoch_time",
    }  # fmt: skip
    assert record[1].keys() == record[2].keys() == full
    assert (record[1]["val_f1"], record[2]["val_f1"]) == (0.08, 0.12)
    assert full - record[0].keys() == {"val_f1", "val_shd", "best_threshold"}
    for epoch in record:
        parts = epoch["train_loss_components"]
        assert parts.keys() == {"recon", "sparse"}
        assert sum(parts.values()) == pytest.approx(epoch["train_loss"], rel=1e-6)
    plain = seed_record(fit(config={"gradient_shares": False}).rows)
    assert plain[0].keys() == {
        "epoch", "train_loss", "grad_clip_ratio", "learning_rate", "epoch_time",
    }  # fmt: skip
