"""An experiment from start to end, its cache, its resumption and its command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml

from aetia.benchmark import evaluation, read_experiment, run_experiment
from aetia.benchmark import experiment as experiment_module
from aetia.cli.main import main
from aetia.discovery import Pretrained
from aetia.discovery.amortised.familiarity import Familiarity
from aetia.errors import InputError
from aetia.scm.distance import family_distance

TINY = {
    "name": "tiny",
    "data": {
        "train_family": {
            "n_nodes": 4,
            "graph": {"name": "erdos-renyi", "edges": 3},
            "mechanism": "linear",
            "interventions": {"share": 0.3, "p_observational": 0.0},
        },
        "test_families": {
            "id": {"group": "id", "graph": {"name": "erdos-renyi", "edges": 3}},
            "ood_square": {"group": "ood_mechanism", "mechanism": "square"},
        },
        "rows_per_task": 20,
        "seeds_val": [1, 2],
        "seeds_test": [5, 6, 7],
    },
    "model": {"type": "avici", "d_model": 8, "nhead": 1, "num_layers": 1, "dim_feedforward": 16},
    "trainer": {
        "max_steps": 4,
        "tasks_per_step": 4,
        "log_every_n_steps": 2,
        "val_check_interval": 2,
        "checkpoint_every_n_steps": 2,
        "device": "cpu",
    },
    "inference": {"n_draws": 12},
}


def tiny(**sections) -> dict:
    values = json.loads(json.dumps(TINY))
    for name, part in sections.items():
        values[name] = {**values.get(name, {}), **part} if isinstance(part, dict) else part
    return values


@pytest.fixture(scope="module", autouse=True)
def few_tasks():
    """Compare families on few tasks: most of what an experiment of four steps would wait for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "family_distance", partial(family_distance, n_tasks=5))
        patch.setattr(Familiarity, "of", partial(Familiarity.of, n_batches=8))
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    return folder, run_experiment(read_experiment(TINY), folder)


def test_an_experiment_leaves_everything_in_its_folder(finished):
    folder, results = finished
    names = {p.name for p in folder.iterdir()}
    expected = {
        "checkpoints",
        "config.yaml",
        "health.jsonl",
        "inference",
        "metrics.json",
        "report.html",
        "weights",
    }
    assert expected <= names
    saved = json.loads((folder / "metrics.json").read_text())
    assert set(saved["families"]) == {"id", "ood_square"}
    assert saved["families"]["id"]["n_tasks"] == 3
    for metric in (
        "auroc",
        "average_precision",
        "expected_shd",
        "expected_sid",
        "ece",
        "joint_nll",
    ):
        values = [t[metric] for t in saved["tasks"] if t["family"] == "id"]
        assert saved["families"]["id"][metric] == pytest.approx(np.mean(values))
        error = np.std(values, ddof=1) / np.sqrt(3)
        assert saved["families"]["id"][f"{metric}_se"] == pytest.approx(error)
    assert set(saved["groups"]) == {"id", "ood_mechanism"}
    assert saved["distance"]["id"]["mechanism"] >= 0
    assert yaml.safe_load((folder / "config.yaml").read_text())["trainer"]["max_steps"] == 4
    assert results["weights"]["key"] == saved["weights"]["key"]


def test_the_report_is_one_file_that_names_every_family(finished):
    html = (finished[0] / "report.html").read_text()
    assert "ood_square" in html
    assert html.count("<img") >= 4
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "<script" not in html


def test_running_again_trains_and_predicts_nothing_anew(finished, no_pictures):
    folder, first = finished
    files = sorted((folder / "inference").glob("*/*.safetensors"))
    assert len(files) == 6
    before = [f.stat().st_mtime_ns for f in files]
    again = run_experiment(read_experiment(TINY), folder)
    assert [f.stat().st_mtime_ns for f in files] == before
    assert json.dumps(again["families"]) == json.dumps(first["families"])


def test_predictions_are_kept_under_weights_and_family(finished, no_pictures, tmp_path):
    folder, _ = finished
    values = tiny(inference={"weights": str(folder / "weights"), "n_draws": 12})
    run_experiment(read_experiment(values), tmp_path)
    same = {p.name for p in (tmp_path / "inference").iterdir()}
    assert same == {p.name for p in (folder / "inference").iterdir()}
    values["data"]["rows_per_task"] = 21
    values["inference"]["n_stored_draws"] = 5
    run_experiment(read_experiment(values), tmp_path)
    assert len({p.name for p in (tmp_path / "inference").iterdir()} - same) == 2


def test_a_folder_of_another_experiment_is_refused(finished, tmp_path):
    folder, _ = finished
    import shutil

    shutil.copytree(folder, tmp_path / "run")
    with pytest.raises(InputError, match="belongs to a run with another"):
        run_experiment(read_experiment(tiny(trainer={"lr": 3e-4})), tmp_path / "run")


@pytest.mark.parametrize("every", [1, 4])
def test_checkpoints_come_as_often_as_asked(every, no_pictures, tmp_path):
    trainer = {"checkpoint_every_n_steps": every, "keep_last": 9, "val_check_interval": 0}
    values = tiny(trainer=trainer, data={"seeds_test": [5]})
    run_experiment(read_experiment(values), tmp_path)
    assert len(list((tmp_path / "checkpoints").glob("step-*.ckpt"))) == 4 // every


def test_options_of_the_data_reach_the_training(monkeypatch, tmp_path):
    seen = {}

    class StopHereError(Exception):
        pass

    def fake(method, network, config, data, training, **_):
        seen.update(data=data, training=training)
        raise StopHereError

    monkeypatch.setattr(experiment_module, "pretrain", fake)
    values = tiny(
        data={"pin_memory": True, "normalize_data": False, "replay": 2, "num_workers": 3},
        trainer={"val_n_draws": 5, "val_max_tasks": 1},
    )
    with pytest.raises(StopHereError):
        run_experiment(read_experiment(values), tmp_path)
    assert seen["data"].pin_memory
    assert not seen["data"].normalise
    assert (seen["data"].replay, seen["data"].n_draws, seen["data"].max_tasks) == (2, 5, 1)
    assert seen["training"].n_workers == 3
    assert len(seen["data"].reserved) == 6  # the graphs of the test tasks
    assert len(seen["data"].validation_sets()["id"].numbers) == 1


def test_raw_tables_reach_a_network_that_was_trained_on_them(finished, no_pictures, tmp_path):
    """With normalize_data=false the units of the simulator matter, in prediction too."""
    raw = run_experiment(read_experiment(tiny(data={"normalize_data": False})), tmp_path / "a")
    card = Pretrained.load(tmp_path / "a").card
    assert card["normalise"] is False
    assert raw["families"]["id"]["brier"] != finished[1]["families"]["id"]["brier"]


def test_the_exact_posterior_runs_in_the_same_way(no_pictures, tmp_path):
    values = tiny(model={"type": "exact", "options": {"likelihood": "bge"}})
    for key in ("d_model", "nhead", "num_layers", "dim_feedforward"):
        values["model"].pop(key)
    results = run_experiment(read_experiment(values), tmp_path)
    assert results["families"]["id"]["failed"] == 0
    assert results["families"]["id"]["raw_share_cyclic"] == 0
    assert not (tmp_path / "checkpoints").exists()


# -- command line -----------------------------------------------------------------------------


def run(*words: str, folder: Path, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "aetia", "experiment", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", **more},
        timeout=300,
        check=False,
    )


def test_the_smoke_run_in_two_processes_says_the_same_as_in_one(
    no_pictures, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["experiment", "--config-name", "smoke"]) == 0
    assert "report: " in capsys.readouterr().out
    two = run("--config-name", "smoke", "--devices", "2", folder=tmp_path, AETIA_RUNS="two")
    assert two.returncode == 0, two.stderr[-2000:]
    first, second = (
        json.loads((tmp_path / f / "smoke" / "metrics.json").read_text()) for f in ("runs", "two")
    )
    assert (first["world_size"], second["world_size"]) == (1, 2)
    assert [t["task"] for t in first["tasks"]] == [t["task"] for t in second["tasks"]]
    for a, b in zip(first["tasks"], second["tasks"], strict=True):
        for metric in ("edge_nll", "brier", "joint_nll", "auroc", "n_edges"):
            assert a[metric] == pytest.approx(b[metric], rel=1e-3), metric


def test_a_folder_of_the_users_inherits_from_the_package(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.yaml").write_text(
        "defaults: [smoke, _self_]\ntrainer: {max_steps: 7}\n"
    )
    assert (
        main(["experiment", "--config-path", "mine", "--config-name", "own", "--print-config"]) == 0
    )
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["trainer"]["max_steps"] == 7
    assert printed["model"]["d_model"] == 16
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config-name", "nope"], "no configuration 'nope'"),
        (["--config-name", "smoke", "trainer.max_stepz=3"], "Did you mean 'max_steps'"),
        (["--config-path", "nowhere"], "no such configuration folder: 'nowhere'"),
        (["--config-name", "smoke", "--devices", "two"], "--devices must be a positive integer"),
        (["--config-name", "smoke", "model=gpt"], "Could not find 'model/gpt'"),
    ],
)
def test_mistakes_on_the_command_line_are_explained(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["experiment", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_multirun_has_a_folder_for_each_job(no_pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["--multirun", "--config-name", "smoke", "seed=1,2", "trainer.max_steps=2"]
    assert main(["experiment", *words]) == 0
    folders = sorted(p.name for p in (tmp_path / "runs" / "smoke-multirun").iterdir() if p.is_dir())
    assert len(folders) == 2
    assert all("seed=" in f for f in folders)
