"""Seconds of RC-GNN's back ends, and how they grow with the steps.

    python benchmarks/sensor_speed.py [--threads 1] [--neural]

Linear back end: one recording of 5,000, 10,000 and 20,000 steps of 50 noiseless sensors with 50
edges, whole fit with 50 half-samples; then with noise and with 10 % of the cells missing. Neural
back end: 20, 40 and 80 windows of 50 steps of 13 sensors, one fit.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import torch

from aetia.discovery import RCGNN
from aetia.scm import random_structural_var


def timed(x: np.ndarray, truth: np.ndarray, label: str, **options) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    fit = RCGNN(random_state=0, progress=False, **options).fit(x)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    both = (fit.summary_graph_ & truth).sum()
    f1 = 2 * both / max(fit.summary_graph_.sum() + truth.sum(), 1)
    print(f"{label:<44}{wall:8.1f} s wall{cpu:8.1f} s of CPU   F1 {f1:.2f}", flush=True)
    if fit.history_:
        steps = fit.facts_.n_steps
        print(f"{'':<44}{1000 * wall / steps:8.1f} ms per step (all blocks are one batch of 64)")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--neural", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    if args.neural:
        process = random_structural_var(13, 13, nonlinear=True, random_state=0)
        for n in (20, 40, 80):
            recordings, truth = process.sample(n, 50, random_state=1)
            label = f"neural, d = 13, {50 * n:,} steps"
            timed(recordings.values, truth.summary_graph, label, backend="neural", n_refits=1)
        return
    process = random_structural_var(50, 50, random_state=0)
    recordings, truth = process.sample(1, 20_000, random_state=1)
    x, graph = recordings.values[0], truth.summary_graph
    for n in (5_000, 10_000, 20_000):
        timed(x[:n], graph, f"linear, d = 50, {n:,} steps")
    noisy = x + 0.3 * x.std(0) * rng.standard_normal(x.shape)
    timed(noisy, graph, "linear, d = 50, 20,000 steps, noise .3")
    gaps = np.where(rng.random(x.shape) < 0.1, np.nan, x)
    timed(gaps[:5_000], graph, "linear, d = 50, 5,000 steps, 10 % missing")


if __name__ == "__main__":
    main()
