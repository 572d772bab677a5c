"""Time of the score tables of discrete and mixed tables, one thread, CPU seconds of the process.

    python benchmarks/discrete_scores.py

Random tables with independent columns: the time depends on the numbers of rows, columns,
candidates and levels, not on what the rows say. Each row is the smallest of three runs, binding
included; the first line of each score warms up what a process computes once.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time

import numpy as np
import torch

from aetia.data import Dataset
from aetia.likelihoods.block_bge import BlockBGe
from aetia.likelihoods.conditional_gaussian import ConditionalGaussian
from aetia.likelihoods.discrete import QNML, BDeu

BINARY = [(20, 14, 500), (20, 14, 2000), (20, 19, 2000), (37, 14, 500), (37, 14, 2000)]
"""Columns, candidates of each, rows."""
CODED = [(20, 12, 500, 3), (20, 12, 2000, 3), (20, 12, 2000, 10)]
"""The same, and the number of levels."""
MIXED = [(10, 9, 500), (10, 9, 2000), (20, 19, 2000)]
MAX_PARENTS = 5


def table(kinds: list[str], n: int, n_levels: int) -> Dataset:
    rng = np.random.default_rng(0)
    columns = {
        "continuous": lambda: rng.standard_normal(n),
        "binary": lambda: rng.integers(0, 2, n).astype(float),
        "categorical": lambda: rng.integers(0, n_levels, n).astype(float),
    }
    values = np.stack([columns[kind]() for kind in kinds], axis=1)
    names = tuple(f"v{j}" for j in range(len(kinds)))
    labels = tuple(map(str, range(n_levels)))
    return Dataset(
        values=values,
        names=names,
        observed=np.ones(values.shape, dtype=bool),
        kinds=tuple(kinds),
        levels={v: labels for v, kind in zip(names, kinds, strict=True) if kind == "categorical"},
    )


def measure(likelihood, data: Dataset, k: int) -> float:
    rng = np.random.default_rng(1)
    candidates = torch.tensor(
        np.array([rng.permutation(np.delete(np.arange(data.d), j))[:k] for j in range(data.d)])
    )
    seconds = []
    for _ in range(3):
        start = time.process_time()
        likelihood.local_scores(data).tables(candidates, MAX_PARENTS)
        seconds.append(time.process_time() - start)
    return min(seconds)


def show(label: str, likelihood, data: Dataset, k: int) -> None:
    seconds = measure(likelihood, data, k)
    print(f"{label:12s} {likelihood.name:22s} {data.d:4d} {k:4d} {data.n:6d} {seconds:8.2f}")


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'columns':12s} {'score':22s} {'d':>4s} {'K':>4s} {'n':>6s} {'seconds':>8s}")
    for d, k, n in BINARY:
        for likelihood in (BDeu(), QNML()):
            show("binary", likelihood, table(["binary"] * d, n, 2), k)
    for d, k, n, n_levels in CODED:
        for likelihood in (BDeu(), QNML()):
            show(f"{n_levels} levels", likelihood, table(["categorical"] * d, n, n_levels), k)
    for d, k, n in MIXED:
        kinds = ["continuous", "binary", "continuous", "categorical"] * (d // 4 + 1)
        for likelihood in (BlockBGe(), BlockBGe(n_columns=3)):
            name = f"mixed b={likelihood.n_columns}"
            show(name, likelihood, table(kinds[:d], n, 4), k)
        if d <= 10:
            show("mixed", ConditionalGaussian(), table(kinds[:d], n, 4), k)


if __name__ == "__main__":
    main()
