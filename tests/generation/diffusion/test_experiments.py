"""The two experiments: options, files, resumption, trackers, and what they compute."""

import json
import os
import sys
import types
from dataclasses import fields
from importlib import resources

import numpy as np
import pytest
import torch
import yaml

from aetia.errors import CheckpointError, InputError, MissingDependencyError
from aetia.generation.diffusion.experiments.data import read_experiment_images
from aetia.generation.diffusion.experiments.files import History, read_weights
from aetia.generation.diffusion.experiments.images import load_images_model, run_image_experiment
from aetia.generation.diffusion.experiments.options import (
    ImageExperiment,
    ToyExperiment,
    image_experiment,
    toy_experiment,
)
from aetia.generation.diffusion.experiments.toy import load_toy, run_toy_experiment
from aetia.generation.diffusion.experiments.toy_model import sample_toy

SMALL = {
    "image_size": 8,
    "patch_size": 4,
    "embed_dim": 16,
    "depth": 2,
    "heads": 2,
    "time_embed": 8,
    "batch": 8,
    "m": 2,
    "epochs": 3,
    "fake_data": 24,
    "sample_batch": 5,
    "sample_steps": 2,
    "workers": 1,
}
HISTORY = ["step", "loss", "confidence", "interaction", "weight"]


# -- options ------------------------------------------------------------------------------


def test_flags_beat_the_file_which_beats_the_preset_which_beats_the_default(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("beta: 0.5\nbatch: 64\nlr: 1e-3\n")
    plain = ToyExperiment()
    assert (plain.beta, plain.batch, plain.epochs) == (0.1, 512, 10_000)
    ours = toy_experiment({"preset": "default"})
    assert (ours.beta, ours.batch, ours.w_bias) == (1.0, 512, None)
    filed = toy_experiment({"preset": "default"}, str(file))
    assert (filed.beta, filed.batch, filed.lr) == (0.5, 64, 1e-3)
    # A flag that says what the default says was still said.
    flagged = toy_experiment({"beta": 0.1, "batch": 512}, str(file))
    assert (flagged.beta, flagged.batch, flagged.lr) == (0.1, 512, 1e-3)


def test_unknown_options_in_files_are_errors(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("bta: 0.5\n")
    with pytest.raises(InputError, match=r"unknown option 'bta'\. Did you mean 'beta'"):
        toy_experiment({}, str(file))
    file.write_text("- 1\n")
    with pytest.raises(InputError, match="must hold"):
        image_experiment({}, str(file))
    file.write_text("epochs: many\n")
    with pytest.raises(InputError, match="epochs must be an integer, got 'many'"):
        image_experiment({}, str(file))
    with pytest.raises(InputError, match="Shipped ones: cifar10_dit, toy_gmm"):
        toy_experiment({}, "toy_gm")


def test_the_original_names_are_understood(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("use_wandb: true\nw-bias: -2\n")
    options = toy_experiment({}, str(file))
    assert options.wandb is True
    assert options.w_bias == -2.0


def test_shipped_files_hold_the_original_values_and_nothing_unknown():
    folder = resources.files("aetia.configs") / "diffusion"
    for name, cls in (("toy_gmm", ToyExperiment), ("cifar10_dit", ImageExperiment)):
        values = yaml.safe_load((folder / f"{name}.yaml").read_text())
        assert set(values) <= {f.name for f in fields(cls)}
    toy = toy_experiment({}, "toy_gmm")
    assert (toy.epochs, toy.batch, toy.beta, toy.lam, toy.m) == (5000, 512, 0.1, 1.0, 8)
    assert (toy.w_bias, toy.lr, toy.steps, toy.seed, toy.out) == (0.0, 2e-3, 20, 42, "./out")
    cifar = image_experiment({}, "cifar10_dit")
    assert (cifar.epochs, cifar.batch, cifar.lr, cifar.weight_decay) == (400, 256, 1e-4, 0.01)
    assert (cifar.eps_churn, cifar.eval_every, cifar.eval_samples) == (0.0, 400, 50_000)
    assert (cifar.fid_samples, cifar.mmd_samples, cifar.ckpt_every) == (50_000, 10_000, 50)
    config = cifar.model_config(3, 195)
    assert config.value("network") == "plain"
    assert (config.patch_size, config.width, config.depth, config.n_heads) == (4, 384, 8, 6)
    assert (config.flip, config.crop) == (True, 4)


def test_defaults_are_those_of_the_original_scripts():
    toy, images = ToyExperiment(), ImageExperiment()
    assert (toy.steps, toy.seed, toy.lr, toy.out) == (20, 0, 2e-3, "./out")
    assert (images.epochs, images.batch, images.eps_churn, images.eval_every) == (10, 128, 1.0, 0)
    assert (images.eval_samples, images.fid_samples, images.mmd_samples) == (1024, 10_000, 2048)


def test_digits_have_sizes_of_their_own_below_the_file(tmp_path):
    digits = image_experiment({"data": "digits"})
    assert (digits.image_size, digits.patch_size, digits.no_augment) == (8, 2, True)
    assert image_experiment({"data": "digits", "embed_dim": 32}).embed_dim == 32
    assert digits.lr == 1e-4  # the original's
    ours = image_experiment({"data": "digits", "preset": "default", "epochs": 3})
    assert (ours.lr, ours.epochs, ours.image_size) == (2e-3, 3, 8)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"m": 1}, "m=1 draws have no pairs"),
        ({"lam": 1.5}, r"lam must lie in \[0, 1\]"),
        ({"beta": 3.0}, "0 < beta <= 2"),
        ({"eval_every": 1, "eval_samples": 0}, "eval_samples must be at least 2"),
        ({"eval_batch": 0}, "eval_batch must be larger than 0"),
        ({"preset": "ours"}, "preset='ours' is not one of paper, default"),
        ({"seed": -1}, "seed must be 0 or larger"),
    ],
)
def test_options_that_cannot_work_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        image_experiment(values)


def test_one_draw_is_enough_without_repulsion():
    assert image_experiment({"m": 1, "lam": 0.0, "beta": 2.0}).m == 1


# -- files --------------------------------------------------------------------------------


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_weights_that_would_run_something_are_not_loaded(tmp_path):
    torch.save({"model": {}, "config": Trap(tmp_path / "owned")}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="something else than tensors"):
        read_weights(tmp_path / "model.pt")
    assert not (tmp_path / "owned").exists()
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(CheckpointError):
        load_toy(tmp_path / "model.pt")


def test_a_history_that_is_made_again_replaces_its_end(tmp_path):
    history = History(tmp_path / "h.json", "step")
    for step in (1, 2, 3):
        history.add({"step": step, "loss": 1.0 * step})
    history.write()
    again = History(tmp_path / "h.json", "step", resume=True)
    again.add({"step": 2, "loss": 20.0, "late": 5.0})
    assert again.lists == {"step": [1, 2], "loss": [1.0, 20.0], "late": [None, 5.0]}
    assert again.last(2) == {"step": 2, "loss": 10.5, "late": 5.0}
    (tmp_path / "h.json").write_text('{"step": [1], "loss": []}')
    with pytest.raises(CheckpointError, match="no history by step"):
        History(tmp_path / "h.json", "step", resume=True)


# -- the plane ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    out = tmp_path_factory.mktemp("toy")
    options = toy_experiment(
        {"epochs": 200, "batch": 256, "m": 4, "out": str(out), "steps": 20, "eval_samples": 1000}
    )  # fmt: skip
    return out, run_toy_experiment(options, progress=False)


def test_the_toy_leaves_what_the_original_left(toy):
    out, found = toy
    names = {p.name for p in out.iterdir()}
    pictures = {"training_dynamics.png", "gen.png", "ref.png"}
    assert pictures | {"model.pt", "training_metrics.json", "metrics.json"} <= names
    history = json.loads((out / "training_metrics.json").read_text())
    assert list(history) == HISTORY
    assert history["step"] == list(range(1, 201))
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["mmd2_rbf_sigma1"] == found["mmd2_rbf_sigma1"]
    assert abs(metrics["mmd2_rbf_sigma1_floor"]) < 1e-2
    last = np.mean(history["loss"][-100:])
    assert metrics["training"]["loss"] == pytest.approx(last)


def test_the_toy_learns_both_modes(toy):
    out, found = toy
    assert found["mmd2_rbf_sigma1"] < 0.1  # pure noise: 0.6
    points = sample_toy(load_toy(out / "model.pt"), 1000, torch.Generator().manual_seed(0), 20)
    right = points[:, 0] > 0
    assert abs(right.mean() - 0.5) < 0.15
    assert (abs(points[:, 0]) > 1.5).mean() > 0.7
    assert abs(np.median(points[right], 0) - [3, 3]).max() < 0.8


@pytest.mark.parametrize(("preset", "centre"), [("paper", [0, 0]), ("default", [0, 3])])
def test_variants_work_in_units_of_their_own(tmp_path, preset, centre):
    options = toy_experiment(
        {"preset": preset, "epochs": 3, "batch": 16, "m": 2, "out": str(tmp_path), "steps": 1,
         "eval_samples": 20}
    )  # fmt: skip
    run_toy_experiment(options, progress=False)
    weights, config = read_weights(tmp_path / "model.pt")
    if preset == "paper":  # the original's perceptron
        assert sum(w.numel() for w in weights.values()) == 54_530
    assert config["beta"] == (0.1 if preset == "paper" else 1.0)
    model = load_toy(tmp_path / "model.pt")
    assert model.units(torch.device("cpu"))[0].tolist() == centre


# -- images -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    out = tmp_path_factory.mktemp("images")
    said = []
    options = image_experiment(
        {**SMALL, "out": str(out), "eval_every": 2, "eval_samples": 30, "ckpt_every": 2}
    )
    with pytest.warns(UserWarning, match="30 new images"):
        found = run_image_experiment(options, progress=False, say=said.append)
    return out, found, said


def test_the_images_leave_what_the_original_left(images):
    out, found, said = images
    names = {p.name for p in out.iterdir()}
    histories = {f"{k}_{end}" for k in ("train", "epoch", "eval")
                 for end in ("metrics.json", "dynamics.png")}  # fmt: skip
    models = {"model_epoch002.pt", "model_epoch003.pt", "model_final.pt"}
    assert histories | models | {"config.json", "samples.png", "health.jsonl"} <= names
    assert "model_epoch001.pt" not in names
    steps = json.loads((out / "train_metrics.json").read_text())
    assert steps["step"] == list(range(1, 10))  # 3 epochs of 24 images in batches of 8
    assert steps["epoch"] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert set(HISTORY) <= set(steps)
    epochs = json.loads((out / "epoch_metrics.json").read_text())
    assert epochs["loss"][1] == pytest.approx(np.mean(steps["loss"][3:6]))
    evaluations = json.loads((out / "eval_metrics.json").read_text())
    assert evaluations["epoch"] == [2]
    assert evaluations["fid"] == [None]
    assert isinstance(evaluations["mmd"][0], float)
    assert "--inception-weights" in found["evaluation"]["fid_note"]
    assert len(said) == 3
    assert "FID none" in said[1]
    assert "FID" not in said[0]


def test_weights_of_the_last_epoch_are_the_final_ones_and_can_be_used(images):
    out, _, _ = images
    last, final = (read_weights(out / n)[0] for n in ("model_epoch003.pt", "model_final.pt"))
    assert all(torch.equal(last[k], final[k]) for k in last)
    earlier = read_weights(out / "model_epoch002.pt")[0]
    assert any((earlier[k] != final[k]).any() for k in final)
    model = load_images_model(out / "model_final.pt")
    assert model.sample(2, n_steps=1).shape == (1, 2, 8, 8, 3)
    with pytest.raises(CheckpointError, match="no model of the experiment in the plane"):
        load_toy(out / "model_final.pt")


@pytest.mark.parametrize("preset", ["paper", "default"])
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, preset):
    def options(name, **more):
        folder = str(tmp_path / name)
        return image_experiment({**SMALL, "preset": preset, "out": folder, **more})

    def stop(line):
        if line.startswith("epoch 2/"):
            raise KeyboardInterrupt

    run_image_experiment(options("whole"), progress=False)
    with pytest.raises(KeyboardInterrupt):
        run_image_experiment(options("parts"), progress=False, say=stop)
    assert not (tmp_path / "parts" / "model_final.pt").exists()
    run_image_experiment(options("parts", resume=True, workers=3), progress=False)
    whole, parts = (read_weights(tmp_path / n / "model_final.pt")[0] for n in ("whole", "parts"))
    assert all(torch.equal(whole[k], parts[k]) for k in whole)
    for name in ("train_metrics.json", "epoch_metrics.json", "samples.png"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    with pytest.raises(InputError, match="another options"):
        run_image_experiment(options("parts", resume=True, lr=5e-4), progress=False)


def test_other_sizes_are_resized_and_fakes_differ_by_seed():
    digits = read_experiment_images(image_experiment({"data": "digits", "image_size": 16}))
    assert digits.train.shape == (1198, 16, 16, 1)
    assert 0 <= digits.train.min() < digits.train.max() <= 1
    one, other = (
        read_experiment_images(image_experiment({**SMALL, "seed": s})).train for s in (0, 1)
    )
    assert one.shape == (24, 8, 8, 3)
    assert (one != other).any()


# -- trackers -----------------------------------------------------------------------------


class FakeRun:
    def __init__(self):
        self.rows, self.metrics, self.finished = [], {}, False

    def define_metric(self, name, step_metric=None):
        self.metrics[name] = step_metric

    def log(self, row, step=None):
        assert step is None  # rows of an epoch would be rejected behind later steps
        self.rows.append(row)

    def finish(self):
        self.finished = True


def test_weights_and_biases_gets_steps_epochs_and_pictures(tmp_path, monkeypatch):
    run, given = FakeRun(), {}
    fake = types.SimpleNamespace(
        init=lambda **options: given.update(options) or run, Image=lambda file: ("image", file)
    )
    monkeypatch.setitem(sys.modules, "wandb", fake)
    options = image_experiment(
        {**SMALL, "out": str(tmp_path), "wandb": True, "wandb_name": "mine", "epochs": 2}
    )
    run_image_experiment(options, progress=False)
    assert (given["project"], given["name"], given["config"]["m"]) == ("dddm", "mine", 2)
    assert run.metrics == {"train/*": "step", "epoch/*": "epoch", "eval/*": "epoch"}
    names = {k for row in run.rows for k in row}
    assert {"train/loss", "train/epoch", "train/lr", "epoch/loss", "plots/train_dynamics"} <= names
    assert {"plots/samples", "plots/epoch_dynamics"} <= names
    assert [r["epoch"] for r in run.rows if "epoch/loss" in r] == [1, 2]
    assert run.finished


def test_a_missing_tracker_is_named_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    options = toy_experiment({"out": str(tmp_path), "wandb": True, "epochs": 10**9})
    with pytest.raises(MissingDependencyError, match=r"aetia\[tracking\]"):
        run_toy_experiment(options, progress=False)
