"""Make the files of this folder again; only with the version they are of (see README.md).

git worktree add /tmp/old 2e92e1f
OMP_NUM_THREADS=1 PYTHONPATH=/tmp/old/src python tests/saved/make.py
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from aetia.cli.main import main
from aetia.data import load_digits
from aetia.discovery import AVICI, DiBS, OrderMCMC
from aetia.effects import FullMCMCCausalBGM, IdentifiableCausalBGM
from aetia.generation import ImageBGM, ImageDDDM
from aetia.scm import FixedTasks
from aetia.training import TrainingConfig

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from saved.reading import FAMILY, NUMBERS, chain, holes, recordings, trial  # noqa: E402

QUIET = {"random_state": 0, "progress": False}
NARROW = {
    "latent_dims": (1, 1, 1, 1),
    "encoder_units": (4,),
    "rest_encoder_units": (4,),
    "covariate_units": (4,),
    "treatment_units": (4,),
    "outcome_units": (4,),
    "critic_units": (4,),
    "n_egm_steps": 20,
    "n_draws": 30,
    "n_warm_up": 5,
    "n_kept": 5,
}
TABLE_MODEL = {
    "generator_units": (4,),
    "encoder_units": (4,),
    "critic_units": (4,),
    "n_latents": 1,
    "n_steps": 40,
    "n_warmup": 10,
    "n_starts": 20,
    "n_evidence": 50,
}


def graphs() -> None:
    """Save posteriors over graphs; the command line saves those of the other methods."""
    table = chain()
    order = OrderMCMC(n_draws=40, n_chains=2, n_temperatures=1, tolerance=0.05, **QUIET)
    order.fit(table).posterior_.save(HERE / "graph-order-mcmc")
    dibs = DiBS(
        n_particles=4, n_steps=30, n_likelihood_graphs=8, n_acyclicity_graphs=4, beta=1e5, **QUIET
    )
    dibs.fit(table).posterior_.save(HERE / "graph-dibs")
    network = {"dim": 8, "n_layers": 1, "n_heads": 1, "head_dim": None, "ff_dim": 8}
    training = TrainingConfig(n_steps=4, learning_rate=3e-3, validate_every=2, progress=False)
    options = {"batch_size": 4, "validation_numbers": range(2), "device": "cpu"}
    made = AVICI.pretrain(FAMILY, network=network, training=training, **options)
    avici = AVICI(weights=made.weights, n_draws=40, random_state=0, device="cpu")
    avici.fit(table).posterior_.save(HERE / "graph-avici")
    FixedTasks(family=FAMILY, numbers=[1, 2], cache=HERE / "task-cache").tasks()


def effects() -> None:
    """Save the estimators of effects; the command line saves CausalBGM."""
    table = trial()
    v = table.drop(columns=["drug", "health", "region"])
    IdentifiableCausalBGM(**NARROW, n_folds=2, n_epochs=1, prior_units=(4,), **QUIET).fit(
        table["drug"], table["health"], v, table["region"]
    ).save(HERE / "identifiable")
    FullMCMCCausalBGM(**NARROW, n_replicates=2, n_epochs=1, n_sweeps=10, n_leapfrog=3, **QUIET).fit(
        table["drug"], table["health"], v.assign(region=table["region"])
    ).save(HERE / "full-mcmc")


def generation() -> None:
    """Save the models of images; the command line saves those of tables."""
    images = load_digits().pixels[:40].reshape(40, 4, 2, 4, 2, 1).mean((2, 4))
    ImageBGM(
        image_shape=(4, 4, 1),
        n_latents=2,
        width=2,
        n_steps=10,
        n_warmup=3,
        n_starts=10,
        n_evidence=20,
        **QUIET,
    ).fit(images).save(HERE / "image-bgm")
    ImageDDDM(
        image_shape=(4, 4, 1),
        width=8,
        depth=1,
        n_heads=2,
        n_shared=0,
        n_time_features=8,
        n_training_steps=10,
        batch_size=16,
        **QUIET,
    ).fit(images, np.where(np.arange(40) % 2, "odd", "even")).save(HERE / "image-dddm")


def settings(**options: object) -> list[str]:
    """Spell options for the command line."""
    return [word for k, v in options.items() for word in ("--set", f"{k}={json.dumps(v)}")]


def runs() -> None:
    """Write a run folder with every verb, in a folder of its own so that no path is kept."""
    narrow = settings(**{k: list(v) if isinstance(v, tuple) else v for k, v in NARROW.items()})
    table_model = settings(
        **{k: list(v) if isinstance(v, tuple) else v for k, v in TABLE_MODEL.items()}
    )
    exact = settings(min_ess=50, max_draws=60)
    trained = settings(n_training_steps=15, hidden_units=[8, 8])
    roles = ["--time", "when", "--series", "batch", "--regime", "site"]
    neural = settings(
        backend="neural",
        n_refits=2,
        neural={
            "n_steps": 20, "n_hidden": 4, "encoder_width": 4, "encoder_layers": 1,
            "log_every": 5, "n_batch": 8, "n_searches": 1, "n_draws": 2,
        },
    )  # fmt: skip
    experiment = [
        "data.train_family.n_nodes=4",
        "data.samples_per_task=20", "data.seeds_val=[1,2]", "data.seeds_test=[5,6]",
        "model.num_nodes=4", "model.d_model=8", "model.nhead=1", "model.num_layers=1",
        "model.dim_feedforward=8", "trainer.max_steps=4", "trainer.tasks_per_step=4",
        "trainer.log_every_n_steps=2", "trainer.val_check_interval=2",
        "trainer.checkpoint_every_n_steps=2", "inference.n_samples=12",
    ]  # fmt: skip
    commands = {
        "run-discover": [
            "discover", "plant.csv", "--method", "exact", *exact, "--effect", "heat -> valve",
            "--truth", "truth.csv", "--quiet",
        ],
        "run-series": [
            "discover", "log.csv", "--method", "rcgnn", *roles, "--truth", "lags.csv",
            *settings(n_resamples=6), "--quiet",
        ],
        "run-series-neural": ["discover", "log.csv", "--method", "rcgnn", *roles, *neural,
                              "--quiet"],
        "run-effect": [
            "effect", "trial.csv", "--treatment", "drug", "--outcome", "health", *narrow,
            *settings(n_folds=2), "--no-progress",
        ],
        "run-impute": [
            "impute", "holes.csv", "--exclude", "site,visits", "--n-draws", "10", *table_model,
            "--no-progress",
        ],
        "run-generate-bgm": [
            "generate", "holes.csv", "--exclude", "site", "--rows", "50", *table_model,
            "--no-progress",
        ],
        "run-generate-dddm": [
            "generate", "holes.csv", "--method", "dddm", "--rows", "50", *trained, "--no-progress",
        ],
        "run-diffusion": [
            "diffusion", "toy", "--epochs", "5", "--batch", "16", "--m", "2", "--steps", "2",
            "--eval-samples", "100", "--no-progress",
        ],
        "run-experiment": ["experiment", "--config-name", "smoke", *experiment],
    }  # fmt: skip
    for name, words in commands.items():
        if name == "run-experiment":
            where = [f"hydra.run.dir={name}"]
        else:
            where = ["--seed", "0", "--out", name]
        assert main([*words, *where]) == 0, name
        thin(Path(name))
        shutil.copytree(name, HERE / name)
    (HERE / "commands.json").write_text(json.dumps(commands, indent=1) + "\n")


def thin(run: Path) -> None:
    """Leave out what is large and made from the rest, or not read again."""
    for page in run.glob("*.html"):
        page.unlink()
    for picture in run.glob("*.png"):
        Image.open(picture).convert("RGB").quantize(8).save(picture, optimize=True)
    if run.name == "run-diffusion":
        (run / "model.pt").unlink()
        shutil.rmtree(run / "checkpoints")
    if run.name == "run-generate-bgm":
        shutil.rmtree(run / "model")
    (run / "checkpoints" / "best.ckpt").unlink(missing_ok=True)
    for older in sorted(run.glob("checkpoints/step-*.ckpt"))[:-1]:
        older.unlink()


def tables() -> None:
    """Write the tables that the commands read."""
    chain().to_csv("plant.csv", index=False, float_format="%.4f")
    Path("truth.csv").write_text("source,target\nheat,flow\nflow,valve\n")
    recordings().to_csv("log.csv", index=False, float_format="%.4f")
    Path("lags.csv").write_text("source,target,lag\nheat,flow,1\nflow,valve,0\n")
    trial().to_csv("trial.csv", index=False, float_format="%.4f")
    holes().to_csv("holes.csv", index=False, float_format="%.4f")


def make() -> None:
    """Make everything, and note the numbers that the tests compare with."""
    torch.set_num_threads(1)
    for old in HERE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    graphs()
    effects()
    generation()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        tables()
        runs()
    expected = {name: read(HERE / name) for name, read in NUMBERS.items()}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    make()
