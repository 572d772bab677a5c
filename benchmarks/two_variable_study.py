"""Two variables, where the posterior is known: what does a network learn?

    python benchmarks/two_variable_study.py [--steps 3000]

Tasks: no edge with probability 1/2, else one edge, either way; y = w x + s e with x standardised,
w ~ N(0, 1), s ~ Gamma(2, rate 2), Gaussian noise, 100 rows. After standardisation all that is left
of a table is its sample correlation r, so the posterior is

    p(edge | r) = E[f(r | rho)] / (E[f(r | rho)] + f(r | 0)),   rho = w / sqrt(w^2 + s^2),

with f the density of a sample correlation (Hotelling, 1953), and both directions have half of it.
AVICI and BCNP (Plackett-Luce, both objectives) are trained on fresh tasks and compared with it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch
from scipy.special import gammaln, hyp2f1

from aetia.discovery import AVICI, BCNP, AVICIConfig, BCNPConfig
from aetia.discovery.amortised.scores import predict
from aetia.scm import Family, TaskStream
from aetia.training import TrainingConfig

N = 100
FAMILY = Family(name="two variables", d=2, n=N, graphs={"name": "erdos-renyi", "probability": 0.5})


def log_density(r: np.ndarray, rho: np.ndarray, n: int) -> np.ndarray:
    """Density of the correlation of n Gaussian pairs."""
    m = n - 1
    constant = np.log(m - 1) + gammaln(m) - 0.5 * np.log(2 * np.pi) - gammaln(m + 0.5)
    body = 0.5 * m * np.log1p(-(rho**2)) + 0.5 * (m - 3) * np.log1p(-(r**2))
    tail = -(m - 0.5) * np.log1p(-rho * r) + np.log(hyp2f1(0.5, 0.5, m + 0.5, (1 + rho * r) / 2))
    return constant + body + tail


def exact_edge_probability(r: np.ndarray, n_draws: int = 20_000) -> np.ndarray:
    rng = np.random.default_rng(0)
    w, s = rng.normal(size=n_draws), np.maximum(rng.gamma(2.0, 0.5, n_draws), 1e-3)
    rho = np.clip(w / np.hypot(w, s), -0.999999, 0.999999)
    edge = np.array([np.exp(log_density(x, rho, N)).mean() for x in r])
    none = np.exp(log_density(r, np.zeros_like(r), N))
    return edge / (edge + none)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--tasks", type=int, default=1000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    grid = np.linspace(-0.999, 0.999, 20_001)
    step = grid[1] - grid[0]
    for rho in (0.0, 0.5, 0.9):
        total = np.exp(log_density(grid, np.full_like(grid, rho), N)).sum() * step
        assert abs(total - 1) < 1e-3, (rho, total)
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
            p = network.law(predict(network, tasks)).marginals().numpy()
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
