"""Seconds and memory of 10,000 exact weighted DAGs, and of `aetia.discover` on a real table.

    python benchmarks/graph_posterior_speed.py [--columns 11 20] [--csv sachs_pooled.csv]

One thread; CPU seconds of the process after one small warm-up, and its peak memory with all
imports. Each number of columns is measured in a process of its own.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

import aetia
from aetia.scm import Simulation, simulate

N_DRAWS = 10_000


def warm_up() -> None:
    aetia.discover(np.random.default_rng(0).normal(size=(60, 6)), random_state=0)


def clocked(work):
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    return answer, time.perf_counter() - wall, time.process_time() - cpu


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def exact_draws(d: int, n: int, seed: int) -> None:
    drawn = simulate(Simulation(d=d, n=n, edges_per_node=1.0, noise_variance=(0.25, 1.0)), seed)
    x = drawn.data.data.values
    warm_up()
    before = peak_mb()
    estimator = aetia.ExactPosterior(
        likelihood="bge", sensitivity=False, min_ess=1e9, max_draws=N_DRAWS, random_state=seed
    )
    fitted, wall, cpu = clocked(lambda: estimator.fit(x))
    facts = fitted.posterior_.diagnostics
    print(
        f"d {d} n {n}: {facts['n_draws']} DAGs, {facts['ess']:.0f} effective, "
        f"{cpu:.2f} s CPU ({wall:.2f} s wall), peak {peak_mb():.0f} MB ({before:.0f} before)"
    )


def real_table(path: str) -> None:
    warm_up()
    before = peak_mb()
    posterior, wall, cpu = clocked(lambda: aetia.discover(path, random_state=0))
    facts = posterior.diagnostics
    mass = float(posterior.distinct()[1].max())
    print(
        f"{path}: {facts['n_rows']} rows, {len(posterior.names)} columns, {facts['likelihood']}: "
        f"{cpu:.2f} s CPU ({wall:.2f} s wall), draws worth {facts.get('ess', float('nan')):.0f} "
        f"independent ones, largest mass of one DAG {mass:.3f}, "
        f"peak {peak_mb():.0f} MB ({before:.0f} before)"
    )
    print(facts["likelihood_reason"], dict(facts.get("likelihood_numbers", {})))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--columns", type=int, nargs="*", default=[11, 20])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=60_000)
    parser.add_argument("--csv", help="a table of your own")
    options = parser.parse_args()
    alone = len(options.columns) + bool(options.csv) == 1
    if not alone:
        rest = ["--rows", str(options.rows), "--seed", str(options.seed)]
        parts = [["--columns", str(d)] for d in options.columns]
        parts += [["--columns", "--csv", options.csv]] if options.csv else []
        for part in parts:
            subprocess.run([sys.executable, __file__, *part, *rest], check=True)
    elif options.csv:
        real_table(options.csv)
    else:
        exact_draws(options.columns[0], options.rows, options.seed)


if __name__ == "__main__":
    main()
