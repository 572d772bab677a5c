"""The verb ``diffusion``: its flags, its folder, its report."""

import json

import pytest

from aetia.cli.main import main

TOY = [
    "--config",
    "--epochs",
    "--batch",
    "--beta",
    "--lam",
    "--m",
    "--w-bias",
    "--lr",
    "--steps",
    "--device",
    "--seed",
    "--out",
    "--wandb",
    "--wandb-project",
    "--wandb-name",
]
IMAGES = [
    "--config",
    "--data-dir",
    "--out",
    "--epochs",
    "--batch",
    "--lr",
    "--weight-decay",
    "--beta",
    "--lam",
    "--m",
    "--w-bias",
    "--grad-clip",
    "--ckpt-every",
    "--device",
    "--seed",
    "--image-size",
    "--patch-size",
    "--embed-dim",
    "--depth",
    "--heads",
    "--time-embed",
    "--mlp-ratio",
    "--workers",
    "--sample-batch",
    "--sample-steps",
    "--eps-churn",
    "--no-augment",
    "--eval-every",
    "--eval-batch",
    "--eval-samples",
    "--fid-samples",
    "--mmd-samples",
    "--mmd-sigma",
    "--wandb",
    "--wandb-project",
    "--wandb-name",
    "--data",
    "--fake-data",
    "--inception-weights",
]


def run(*words) -> int:
    return main([str(w) for w in words])


@pytest.mark.parametrize(("name", "flags"), [("toy", TOY), ("images", IMAGES)])
def test_every_flag_of_the_original_is_there(name, flags, capsys):
    assert run("diffusion", name, "--help") == 0
    words = capsys.readouterr().out.replace(",", " ").replace("/", " ").split()
    assert [f for f in flags if f not in words] == []


def test_the_toy_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "run"
    words = [
        "--config",
        "toy_gmm",
        "--epochs",
        5,
        "--batch",
        32,
        "--m",
        2,
        "--steps",
        2,
        "--eval-samples",
        200,
    ]
    assert run("diffusion", "toy", *words, "--out", out, "--no-progress", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["mmd2_by_steps"]) == {"1", "2", "5", "10"}
    config = json.loads((out / "config.json").read_text())
    assert (config["epochs"], config["m"], config["seed"]) == (5, 2, 42)
    before = (out / "report.html").read_bytes()
    assert b"data:image/png" in before
    assert run("report", out) == 0
    assert (out / "report.html").read_bytes() == before


def test_the_toy_writes_to_out_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--epochs", 1, "--batch", 4, "--m", 2, "--eval-samples", 20, "--quiet"]
    assert run("diffusion", "toy", *words) == 0
    assert (tmp_path / "out" / "metrics.json").is_file()


def test_images_from_the_command_line(tmp_path, capsys):
    file = tmp_path / "small.yaml"
    file.write_text(
        "image_size: 8\npatch_size: 4\nembed_dim: 16\ndepth: 1\nheads: 2\ntime_embed: 8\n"
        "epochs: 5\nno_augment: true\nsample_batch: 3\nsample_steps: 1\nm: 3\n"
    )
    out = tmp_path / "run"
    words = ["--config", file, "--fake-data", 16, "--epochs", 1, "--batch", 8, "--augment"]
    assert run("diffusion", "images", *words, "--out", out, "--no-progress") == 0
    said = capsys.readouterr()
    assert "epoch 1/1: loss" in said.err
    assert "--eval-every" in said.out
    config = json.loads((out / "config.json").read_text())
    assert (config["epochs"], config["m"], config["no_augment"]) == (1, 3, False)
    (out / "report.html").unlink()
    assert run("report", out) == 0
    assert "samples" in (out / "report.html").read_text().lower()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["toy", "--m", "1"], "m=1 draws have no pairs"),
        (["toy", "--config", "nowhere.yaml"], "no such configuration file"),
        (["images", "--data-dir", "nowhere"], "CIFAR-10 was not found"),
        (["images", "--data", "mnist"], "data='mnist' is not one of"),
        (["images", "--fake-data", "8", "--inception-weights", "no.pt"], "no such file: 'no.pt'"),
        (["images", "--eval-every", "1", "--eval-samples", "0"], "eval_samples must be"),
    ],
)
def test_mistakes_are_explained_in_one_message(words, message, capsys, tmp_path):
    assert run("diffusion", *words, "--out", tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
