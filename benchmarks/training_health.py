"""The stability curve of the prototype on a badly scaled table, and what each of its fixes does.

    python benchmarks/training_health.py [--epochs 8] [--figure FILE.png] [--out FILE.json]

The prototype's network and losses (``backend="as-published"``) on windows of 24 steps of 13 sensors
whose units span 1 to 2,775, by the health engine. ``all fixes`` standardises, weighs the losses by
10, 1e-4, 1e-5 and 1e-4, halves the rate on plateaus and clips at 1; other rows undo one fix each
(raw units; weights 1, 1e-2, 1e-3, 1e-2; a constant rate of 1e-3; clipping at 10), the last all of
them. An epoch is a pass over the training windows. None of this makes the prototype learn a graph:
the gradient of its reconstruction on the graph is 0, and the last column says so.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aetia.data import SensorScaling, as_windows, split_windows
from aetia.discovery.rcgnn.neural.as_published import PublishedOptions, PublishedRCGNN
from aetia.nets import seeded
from aetia.scm import random_structural_var
from aetia.training import ParameterGroup, Phase, TrainingConfig, minibatches, train

FIXED = {"standardise": True, "rebalance": True, "schedule": True, "clip_norm": 1.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "all fixes": {},
    "raw units": {"standardise": False},
    "old loss weights": {"rebalance": False},
    "no schedule, rate 1e-3": {"schedule": False},
    "clipping at 10": {"clip_norm": 10.0},
    "none of them": {
        "standardise": False,
        "rebalance": False,
        "schedule": False,
        "clip_norm": 10.0,
    },
}


def table(seed: int) -> np.ndarray:
    """A recording in units that span 1 to 2,775, all readings above 0."""
    process = random_structural_var(13, 13, random_state=seed)
    x = process.sample(1, 4000, random_state=seed + 1).data.values[0]
    unit = np.exp(np.linspace(0, np.log(2775 / 8), 13))
    return (x - x.min(0)) * unit


def run(x: np.ndarray, options: dict[str, Any], n_epochs: int, seed: int) -> dict[str, Any]:
    windows = as_windows(x, length=24, stride=1)
    split = split_windows(windows)
    if options["standardise"]:
        windows = SensorScaling.fit(windows, split.train).apply(windows)
    values = torch.from_numpy(windows.values).float()
    observed = torch.from_numpy(windows.observed)
    new = options["rebalance"]
    weights = {
        "lambda_recon": 10.0 if new else 1.0,
        "lambda_sparse": 1e-4 if new else 1e-2,
        "lambda_acyclic": 1e-5 if new else 1e-3,
        "lambda_disentangle": 1e-4 if new else 1e-2,
    }
    with seeded(torch.Generator().manual_seed(seed)):
        module = PublishedRCGNN(13, 1, PublishedOptions(**weights))
    rows = torch.from_numpy(split.train)
    held = torch.from_numpy(split.validation)
    deal = minibatches(len(rows), 8, seed)
    per_epoch = len(rows) // 8
    scheduled = options["schedule"]

    def validate(net: torch.nn.Module, step: int) -> list[dict[str, Any]]:
        return [{"task": 0, "loss": float(net(values[held], observed[held])[0])}]

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            module,
            [
                Phase(
                    parameters=lambda m: list(m.parameters()),
                    loss=lambda m, batch, step, generator: m(*batch),
                    groups=lambda m: {"structure": ParameterGroup([m.logits, m.deltas])},
                    objective="reconstruction",
                )
            ],
            lambda first: ((values[rows[at]], observed[rows[at]]) for at in deal(first)),
            config=TrainingConfig(
                n_steps=n_epochs * per_epoch,
                learning_rate=5e-4 if scheduled else 1e-3,
                weight_decay=1e-4 if scheduled else 1e-5,
                schedule="plateau" if scheduled else "constant",
                decay=0.5,
                plateau_patience=3,
                plateau_cooldown=1,
                warmup=0.0,
                clip_norm=options["clip_norm"],
                log_every=per_epoch,
                validate_every=per_epoch,
                checkpoint_every=n_epochs * per_epoch,
                progress=False,
            ),
            seed=seed,
            folder=Path(folder),
            validate=validate,
        )
    epochs = [r for r in trained.rows if "gradient_norm" in r]
    return {
        "loss": [r["loss"] for r in epochs],
        "gradient_norm": [r["gradient_norm"] for r in epochs],
        "gradient_norm_max": [r["gradient_norm_max"] for r in epochs],
        "clipped_share": [r["clipped_share"] for r in epochs],
        "learning_rate": [r["learning_rate"] for r in epochs],
        "objective_gradient": epochs[-1].get("objective_gradient/structure", float("nan")),
        "n_skipped": trained.n_skipped,
        "steps_per_epoch": per_epoch,
        "epoch_time": (time.perf_counter() - started) / n_epochs,
        "findings": [f.code for f in trained.findings if f.severity != "good"],
    }


def print_table(results: dict[str, dict[str, Any]]) -> None:
    print(
        f"{'':<24}{'loss, first':>12}{'last':>10}{'norm, first':>12}{'last':>9}"
        f"{'clipped, first':>15}{'mean':>7}{'last':>7}{'rate':>9}{'s/epoch':>8}{'graph':>7}"
        "  findings"
    )
    for name, r in results.items():
        print(
            f"{name:<24}{r['loss'][0]:12.4g}{r['loss'][-1]:10.4g}{r['gradient_norm'][0]:12.4g}"
            f"{r['gradient_norm'][-1]:9.3g}{r['clipped_share'][0]:15.1%}"
            f"{np.mean(r['clipped_share']):7.1%}{r['clipped_share'][-1]:7.1%}"
            f"{r['learning_rate'][-1]:9.1e}{r['epoch_time']:8.1f}{r['objective_gradient']:7.2g}"
            f"  {' '.join(r['findings'])}"
        )


def draw(results: dict[str, dict[str, Any]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    for name, r in results.items():
        epochs = np.arange(1, len(r["loss"]) + 1)
        left.semilogy(epochs, r["gradient_norm"], marker="o", markersize=3, label=name)
        right.plot(epochs, 100 * np.array(r["clipped_share"]), marker="o", markersize=3)
    left.set_ylabel("gradient norm before clipping")
    right.set_ylabel("batches clipped (%)")
    for ax in (left, right):
        ax.set_xlabel("epoch")
        ax.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    x = table(args.seed)
    results = {
        name: run(x, FIXED | changed, args.epochs, args.seed) for name, changed in VARIANTS.items()
    }
    print_table(results)
    if args.figure is not None:
        draw(results, args.figure)
    if args.out is not None:
        args.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
