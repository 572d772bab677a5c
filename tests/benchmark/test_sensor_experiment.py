"""RC-GNN as an experiment: configurations, health, scores from outside, grids."""

import json

import numpy as np
import pytest

from aetia.benchmark import (
    SensorData,
    SensorExperiment,
    label_free_pick,
    run_sensor_experiment,
)
from aetia.benchmark.sensor_experiment import recordings_of
from aetia.cli.main import main
from aetia.discovery import RCGNN, RCGNNConfig
from aetia.errors import InputError

DATA = {"n_sensors": 4, "n_series": 12, "n_steps": 40, "preset": "mild", "nonlinear": False}
NEURAL = {"n_steps": 40, "log_every": 10, "n_hidden": 4, "encoder_width": 8, "n_searches": 1}
MODEL = {"backend": "neural", "n_refits": 1, "validation_share": 0.2, "neural": NEURAL}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = SensorExperiment(
        data=SensorData(**DATA), model=RCGNNConfig(**MODEL), progress=False, device="cpu"
    )
    return folder, config, run_sensor_experiment(config, folder)


def test_the_folder_tells_how_training_went(experiment):
    folder, _, results = experiment
    rows = [json.loads(line) for line in (folder / "health.jsonl").read_text().splitlines()]
    logged = [r for r in rows if "loss" in r]
    assert [r["step"] for r in logged] == [10, 20, 30, 40]
    assert {"gradient_norm/structure", "objective_gradient/structure", "edge_count"} <= set(
        logged[-1]
    )
    assert logged[-1]["objective_gradient/structure"] > 0
    summary = json.loads((folder / "training_summary.json").read_text())
    assert summary["data_stats"]["n_features"] == 4
    assert len(summary["data_stats"]["X_mean"]) == 4
    assert (folder / "health.html").is_file()
    assert json.loads((folder / "metrics.json").read_text())["edge_count"] == results["edge_count"]
    assert np.isfinite(results["held_out"])


def test_an_outside_evaluator_changes_no_bit(experiment):
    _, config, _ = experiment
    recordings, _ = recordings_of(config.data)
    seen = []

    def evaluator(graph, probabilities):
        seen.append((graph.sum(), probabilities.sum()))
        return {"f1": 0.5}

    options = {"random_state": 3, "progress": False, "device": "cpu"}
    plain = RCGNN(**vars(config.model), **options).fit(recordings)
    watched = RCGNN(**vars(config.model), **options).fit(recordings, evaluator=evaluator)
    assert seen
    np.testing.assert_array_equal(plain.summary_probability_, watched.summary_probability_)
    np.testing.assert_array_equal(plain.imputed_, watched.imputed_)


def test_the_pick_of_a_grid_reads_held_out_losses_and_edges_only():
    runs = [
        {"held_out": 1.0, "edge_count": 3, "external": {"f1": 1.0}},
        {"held_out": 0.505, "edge_count": 5, "external": {"f1": 0.1}},
        {"held_out": 0.5, "edge_count": 9, "external": {"f1": 0.9}},
        {"held_out": None, "edge_count": 0},
    ]
    assert label_free_pick(runs) == 1
    assert label_free_pick([{"held_out": None, "edge_count": 0}]) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": {"preset": "storm"}}, "data.preset='storm' is not one of clean"),
        ({"data": {"n_sensor": 3}}, "no option 'n_sensor'. Did you mean 'n_sensors'"),
        ({"model": {"n_lag": 2}}, "no option 'n_lag'. Did you mean 'n_lags'"),
        ({"trainer": {}}, "SensorExperiment has no option 'trainer'"),
    ],
)
def test_unknown_keys_are_named(values, message):
    with pytest.raises(InputError, match=message):
        SensorExperiment.read(values)


def test_a_grid_from_the_command_line_prints_every_run_and_a_pick(tmp_path, monkeypatch, capsys):
    words = ["--config-name", "train_stable", "--multirun", "model.neural.lambda_sparse=0.5,4"]
    words += [f"data.{k}={str(v).lower()}" for k, v in DATA.items()]
    words += [f"model.neural.{k}={v}" for k, v in NEURAL.items()]
    monkeypatch.setenv("AETIA_RUNS", str(tmp_path))
    assert main(["experiment", *words]) == 0
    said = capsys.readouterr().out
    grid = json.loads((tmp_path / "train_stable-multirun" / "grid.json").read_text())
    assert len(grid["runs"]) == 2
    assert "the pick, by held-out loss alone" in said
    assert "oracle F1 (needs the truth)" in said
    assert grid["runs"][0]["edge_count"] >= grid["runs"][1]["edge_count"]
