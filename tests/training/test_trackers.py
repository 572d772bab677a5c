"""Trackers get the rows of the record: one of the user's, TensorBoard's files, offline wandb."""

from itertools import islice

import pytest

from aetia.errors import InputError
from aetia.training import TRACKERS, Tracker, train
from training.runs import Recording, options, phase, regression, tables


def fit(*trackers, batches=tables, **arguments):
    return train(
        regression(0.0),
        [phase()],
        batches,
        config=options(validate_every=6, **arguments),
        seed=5,
        validate=lambda module, step: [{"task": "t", "loss": float(step)}],
        trackers=trackers,
    )


def test_a_tracker_of_the_users_gets_what_the_record_has():
    tracker = Recording()
    assert isinstance(tracker, Tracker)
    trained = fit(tracker)
    assert tracker.n_closed == 1
    logged = [(s, r) for s, r in tracker.rows if "train/loss" in r]
    assert [s for s, _ in logged] == [4, 8, 12]
    rows = [r for r in trained.rows if "loss" in r]
    for (_, got), row in zip(logged, rows, strict=True):
        for name in ("loss", "error", "gradient_norm", "learning_rate", "clipped_share"):
            assert got[f"train/{name}"] == row[name]
    assert [(s, r["val/loss"]) for s, r in tracker.rows if "val/loss" in r] == [(6, 6), (12, 12)]


def test_the_count_of_skipped_steps_is_tracked_too():
    tracker = Recording()
    fit(tracker)
    assert all(r["train/skipped_steps"] == 0 for _, r in tracker.rows if "train/loss" in r)


def test_all_of_several_trackers_are_fed_and_closed():
    first, second = Recording(), Recording()
    fit(first, second)
    assert [s for s, _ in first.rows] == [s for s, _ in second.rows]
    assert (first.n_closed, second.n_closed) == (1, 1)


def test_trackers_are_closed_when_training_fails():
    """Or what they hold back is lost."""
    tracker = Recording()
    with pytest.raises(InputError, match="ran out"):
        fit(tracker, batches=lambda k: islice(tables(k), 7))
    assert tracker.n_closed == 1


def test_tensorboard_event_files_have_the_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained = fit(TRACKERS["tensorboard"](tmp_path))
    events = EventAccumulator(str(tmp_path)).Reload()
    scalars = {e.step: e.value for e in events.Scalars("train/loss")}
    rows = {r["step"]: r["loss"] for r in trained.rows if "loss" in r}
    assert scalars == pytest.approx(rows, rel=1e-6)
    assert [e.step for e in events.Scalars("val/loss")] == [6, 12]


def test_a_missing_package_names_its_extra(tmp_path, monkeypatch):
    import sys

    from aetia.errors import MissingDependencyError

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    for name, make in TRACKERS.items():
        with pytest.raises(MissingDependencyError, match=r"aetia\[tracking\]"):
            make(tmp_path / name)


def test_wandb_is_used_by_its_documented_calls(tmp_path, monkeypatch):
    """A stand-in for the package: a real offline run takes ten seconds to start."""
    import sys
    from types import SimpleNamespace

    calls = []

    class Run:
        def log(self, row, step):
            assert all(isinstance(v, (int, float)) for v in row.values())
            calls.append(("log", step))

        def finish(self):
            calls.append(("finish", None))

    def init(**options):
        calls.append(("init", options))
        return Run()

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    fit(TRACKERS["wandb"](tmp_path / "w", project="p"))
    assert calls[0] == ("init", {"dir": str(tmp_path / "w"), "project": "p"})
    assert next(c for c in calls if c[0] == "log") == ("log", 4)
    assert calls[-1] == ("finish", None)
    steps = [s for name, s in calls if name == "log"]
    assert steps == sorted(steps)
