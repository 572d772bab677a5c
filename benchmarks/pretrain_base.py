"""Train the weights that ship: `python benchmarks/pretrain_base.py avici --folder FOLDER`.

Resumable: run it again with the same folder. `--export` writes the files of the package.
"""

import argparse
from pathlib import Path

import torch

from aetia.discovery.amortised.pretraining import PretrainingData, build_network, pretrain_network
from aetia.discovery.avici.config import AVICIConfig
from aetia.discovery.avici.network import AVICINetwork
from aetia.discovery.bcnp.config import BCNPConfig
from aetia.discovery.bcnp.network import BCNPNetwork
from aetia.scm import Family, GraphMixture, MechanismMixture
from aetia.training import TrainingConfig

GRAPHS = GraphMixture(
    of=(
        {"name": "erdos-renyi", "edges_per_node": 1.0},
        {"name": "erdos-renyi", "edges_per_node": 1.4},
        {"name": "scale-free", "edges_per_node": 1, "direction": "in-hub"},
        {"name": "scale-free", "edges_per_node": 2, "direction": "random-order"},
    ),
    weights=(0.3, 0.3, 0.2, 0.2),
)
MECHANISMS = MechanismMixture(
    of=(
        {"name": "linear", "scale": 1.0},
        {"name": "linear", "weights": "uniform", "low": 0.5, "high": 2.0},
        {"name": "mlp"},
        {"name": "gp"},
    ),
    weights=(0.2, 0.2, 0.3, 0.3),
)
FAMILY = Family(
    name="base",
    d=(4, 6, 8, 10, 10, 12, 14, 20),
    n=(60, 150),
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
    "avici": (AVICINetwork, AVICIConfig(dim=32, n_layers=2, n_heads=2, head_dim=16)),
    "bcnp": (
        BCNPNetwork,
        BCNPConfig(
            dim=32,
            n_heads=2,
            ff_dim=128,
            n_layers=4,
            n_layers_decoder=4,
            permutation="plackett-luce",
        ),
    ),
}
TRAINING = TrainingConfig(
    n_steps=9_000,
    learning_rate=1e-3,
    weight_decay=1e-4,
    ema_decay=0.999,
    log_every=100,
    validate_every=500,
    checkpoint_every=500,
    metric="loss",
    progress=False,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=NETWORKS)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--force", action="store_true", help="resume although options changed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cls, config = NETWORKS[arguments.method]
    network = build_network(cls, config, seed=0)
    data = PretrainingData(
        family=FAMILY,
        batch_size=16,
        seed=42,
        validation={"base": FAMILY, "d10": AT_TEN},
        validation_numbers=range(1000, 1064),
    )
    trained = pretrain_network(
        network, data, TRAINING, seed=0, folder=arguments.folder, force=arguments.force
    )
    print(trained.step, trained.best_step, trained.best_metrics)


if __name__ == "__main__":
    main()
