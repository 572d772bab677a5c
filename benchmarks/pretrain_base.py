"""Train the weights that ship: `python benchmarks/pretrain_base.py avici --folder FOLDER`.

Resumable: run it again with the same folder. `--export` writes the files of the package.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from aetia.discovery.amortised import (
    Familiarity,
    Pretrained,
    PretrainingData,
    build_network,
    pretrain_network,
)
from aetia.discovery.amortised.scores import validation_rows
from aetia.discovery.avici.config import AVICIConfig
from aetia.discovery.avici.network import AVICINetwork
from aetia.discovery.bcnp.config import BCNPConfig
from aetia.discovery.bcnp.network import BCNPNetwork
from aetia.options import options_dict
from aetia.scm import Family, FixedTasks, GraphMixture, MechanismMixture
from aetia.training import TrainingConfig, average_rows, load_checkpoint
from aetia.version import __version__

GRAPHS = GraphMixture(
    of=(
        {"name": "erdos-renyi", "edges_per_node": 1.0},
        {"name": "erdos-renyi", "edges_per_node": 1.4},
        {"name": "scale-free", "edges_per_node": 1, "direction": "in-hub"},
        {"name": "scale-free", "edges_per_node": 2, "direction": "random-order"},
    ),
    weights=(0.3, 0.3, 0.2, 0.2),
)
PARTS = {
    "strong linear": {"name": "linear", "weights": "uniform", "low": 0.5, "high": 2.0},
    "normal linear": {"name": "linear", "scale": 1.0},
    "mlp": {"name": "mlp"},
}
MECHANISMS = MechanismMixture(of=tuple(PARTS.values()), weights=(0.5, 0.2, 0.3))
FAMILY = Family(
    name="base",
    d=(4, 6, 8, 10, 10),
    n=(50, 150),
    graphs=GRAPHS,
    mechanisms=MECHANISMS,
    noise=("gaussian", "laplace", "uniform"),
    interventions={"share": 0.25, "p_observational": 0.6},
)
AT_TEN = Family(
    name="d=10, n=150",
    d=10,
    n=150,
    graphs=GRAPHS,
    mechanisms=MECHANISMS,
    noise=("gaussian", "laplace", "uniform"),
)
NETWORKS = {
    "avici": (AVICINetwork, AVICIConfig(dim=48, n_layers=2, n_heads=4, head_dim=12, ff_dim=96)),
    "bcnp": (
        BCNPNetwork,
        BCNPConfig(
            dim=32,
            n_heads=4,
            ff_dim=128,
            n_layers=4,
            n_layers_decoder=4,
            permutation="plackett-luce",
        ),
    ),
}
BATCH_SIZE, DATA_SEED = 8, 42
TRAINING = TrainingConfig(
    n_steps=32_000,
    learning_rate=1.5e-3,
    weight_decay=1e-4,
    ema_decay=0.999,
    log_every=100,
    validate_every=2000,
    checkpoint_every=1000,
    metric="loss",
    progress=False,
)


REMARKS = {
    "avici": "The learning rate of the first 3,000 steps followed the schedule of a longer run.",
}
"""What the command does not tell; for the card."""

OUTSIDE = {
    "periodic": {"mechanisms": "periodic"},
    "gp": {"mechanisms": "gp"},
    "post-nonlinear tanh": {"mechanisms": "post-nonlinear"},
    "blocks": {"graphs": {"name": "blocks", "n_blocks": 3, "edges_per_node": 1.4}},
    "gumbel noise": {"noise": "gumbel"},
}
"""Shifts of the family at 10 variables and 150 rows, for the card."""


def export(method: str, folder: Path) -> None:
    """Write the best weights of a run into the package, with a card."""
    cls, config = NETWORKS[method]
    best = load_checkpoint(folder / "checkpoints" / "best.ckpt")
    network = build_network(cls, config, seed=0)
    network.load_state_dict(best["weights"])
    network.eval()
    metrics = {"validation": best["metrics"]}
    families = {"in distribution, d=10, n=150": AT_TEN, "in distribution": FAMILY}
    families |= {f"{k}, d=10, n=150": replace(AT_TEN, mechanisms=v) for k, v in PARTS.items()}
    families["shift: d=20, n=150"] = replace(AT_TEN, d=20)
    families["shift: d=10, n=1000"] = replace(AT_TEN, n=1000)
    families |= {f"shift: {k}": replace(AT_TEN, **v) for k, v in OUTSIDE.items()}
    for name, family in families.items():
        tasks = FixedTasks(family=family, numbers=range(200)).tasks()
        rows = validation_rows(network, tasks, family=name, n_draws=16, seed=0)
        metrics[name] = average_rows(rows)
        print(name, {k: round(metrics[name][k], 3) for k in ("auroc", "average_precision", "ece")})
    ece = metrics["in distribution"]["ece"]
    steps = int(best["step"])
    card = {
        "family": options_dict(FAMILY),
        "family_key": FAMILY.key,
        "training": options_dict(TRAINING),
        "batch_size": BATCH_SIZE,
        "n_tasks": steps * BATCH_SIZE,
        "best_step": steps,
        "seed": 0,
        "data_seed": DATA_SEED,
        "command": f"python benchmarks/pretrain_base.py {method} --folder FOLDER",
        "metrics": metrics,
        "familiarity": Familiarity.of(FAMILY).to_dict(),
        "calibration_badge": (
            "Measured calibration of these weights: on 200 simulated tables of the training family "
            f"the edge probabilities have an expected calibration error of {ece:.3f} per table. On "
            "other data they may be far off."
        ),
        "version": __version__,
    }
    if method in REMARKS:
        card["remark"] = REMARKS[method]
    weights = {k: v.to(torch.float32) for k, v in network.state_dict().items()}
    name = f"{method}-base"
    made = Pretrained(
        method=method, network=options_dict(config), weights=weights, card=card, name=name
    )
    print(made.save(Path("src/aetia/discovery/weights") / name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=NETWORKS)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--force", action="store_true", help="resume although options changed")
    parser.add_argument("--export", action="store_true", help="write weights into the package")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.export:
        export(arguments.method, arguments.folder)
        return
    cls, config = NETWORKS[arguments.method]
    network = build_network(cls, config, seed=0)
    data = PretrainingData(
        family=FAMILY,
        batch_size=BATCH_SIZE,
        seed=DATA_SEED,
        validation={"base": FAMILY, "d10": AT_TEN},
        validation_numbers=range(1000, 1064),
    )
    trained = pretrain_network(
        network, data, TRAINING, seed=0, folder=arguments.folder, force=arguments.force
    )
    print(trained.step, trained.best_step, trained.best_metrics)


if __name__ == "__main__":
    main()
