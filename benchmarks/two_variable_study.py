"""Two variables, where the posterior is known: what does a network learn?

    python benchmarks/two_variable_study.py [--steps 3000]

Tasks: no edge with probability 1/2, else one edge, either way; y = w x + s e with x standardised,
w ~ N(0, 1), s ~ Gamma(2, rate 2), Gaussian noise, 100 rows. After standardisation all that is left
of a table is its sample correlation r. The cause was standardised within the table, so
t = r sqrt(n - 2) / sqrt(1 - r^2) is noncentral t with n - 2 degrees of freedom and noncentrality
sqrt(n) w / s, central without an edge; the posterior of an edge follows, half for each direction.
AVICI and BCNP (Plackett-Luce, both objectives) are trained on fresh tasks and compared with it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch
from scipy.stats import norm
from scipy.stats import t as student

from aetia.discovery import AVICI, BCNP, AVICIConfig, BCNPConfig
from aetia.discovery.amortised.scores import predict
from aetia.scm import Family, TaskStream
from aetia.training import TrainingConfig

N = 100
FAMILY = Family(name="two variables", d=2, n=N, graphs={"name": "erdos-renyi", "probability": 0.5})


def exact_edge_probability(r: np.ndarray, n_draws: int = 200_000) -> np.ndarray:
    """Average the density of t over the prior of w and s, and of the noise's chi-square."""
    rng = np.random.default_rng(0)
    w, s = rng.normal(size=n_draws), np.maximum(rng.gamma(2.0, 0.5, n_draws), 1e-3)
    shift = np.sqrt(N) * w / s
    root = np.sqrt(rng.chisquare(N - 2, n_draws) / (N - 2))
    t = r * np.sqrt(N - 2) / np.sqrt(1 - r**2)
    edge = np.array([(root * norm.pdf(x * root - shift)).mean() for x in t])
    return edge / (edge + student.pdf(t, N - 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--tasks", type=int, default=1000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    training = TrainingConfig(
        n_steps=arguments.steps,
        learning_rate=1e-3,
        ema_decay=0.995,
        validate_every=0,
        progress=False,
    )
    small = {"dim": 32, "n_heads": 2}
    bcnp = BCNPConfig(
        **small, ff_dim=64, n_layers=4, n_layers_decoder=2, permutation="plackett-luce"
    )
    methods = {
        "AVICI": (AVICI, AVICIConfig(**small, head_dim=16, n_layers=2, dual_step=0.0)),
        "BCNP, marginal": (BCNP, bcnp),
        "BCNP, joint": (BCNP, replace(bcnp, objective="joint")),
    }
    tasks = TaskStream(family=FAMILY, split="test", batch_size=arguments.tasks).block(0)[0]
    x = tasks.standardised().numpy()
    r = (x[:, :, 0] * x[:, :, 1]).mean(1)
    exact = exact_edge_probability(r)
    truth = tasks.graphs.any((1, 2)).numpy()
    clipped = np.clip(exact, 1e-12, 1 - 1e-12)
    entropy = -np.mean(np.where(truth, np.log(clipped), np.log1p(-clipped)))
    print(f"exact posterior on {len(r)} tables: log score of `edge` {entropy:.4f} nats")
    for name, (cls, config) in methods.items():
        fitted = cls.pretrain(FAMILY, network=config, training=training, batch_size=64)
        network = cls.network_of(fitted.weights)
        with torch.inference_mode():
            p = network.distribution(predict(network, tasks)).marginals().numpy()
        forward, backward = p[:, 0, 1], p[:, 1, 0]
        error = np.abs(np.stack([forward, backward]) - exact / 2)
        stated = forward + backward
        score = -np.mean(np.where(truth, np.log(stated), np.log1p(-np.clip(stated, 0, 1 - 1e-9))))
        print(
            f"{name:16} {arguments.steps * 64:,} tasks: mean error of a direction's probability "
            f"{error.mean():.4f}, 95 % quantile {np.quantile(error, 0.95):.4f}; log score of "
            f"`edge` {score:.4f}; directions differ by {np.abs(forward - backward).mean():.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
