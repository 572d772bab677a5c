"""How far a test family is from the training family, for the horizontal axis of shift plots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from aetia.scm.stream import TaskFamily, TaskStream

__all__ = ["family_distance"]

_N_ROWS = 256


def family_distance(
    first: TaskFamily, second: TaskFamily, *, n_tasks: int = 50, seed: int = 0
) -> dict[str, float]:
    """Compare graphs and mechanisms of two families.

    Args:
        first: A family.
        second: Another.
        n_tasks: Tasks of each.
        seed: Seed of the tasks that are simulated.

    Returns:
        ``spectral``: gap of the mean spectral radius of (A + A') / 2; ``degree``: Kullback-Leibler
        divergence of the degree distributions; ``mechanism``: gap of the mean share of variance
        that a linear regression on the true causes leaves.
    """
    one, two = (_profile(f, n_tasks, seed) for f in (first, second))
    n_degrees = max(len(one[1]), len(two[1]))
    p, q = (np.pad(x[1], (0, n_degrees - len(x[1]))) + 1.0 for x in (one, two))
    p, q = p / p.sum(), q / q.sum()
    return {
        "spectral": abs(one[0] - two[0]),
        "degree": float((p * np.log(p / q)).sum()),
        "mechanism": abs(one[2] - two[2]),
    }


def _profile(family: TaskFamily, n_tasks: int, seed: int) -> tuple[float, np.ndarray, float]:
    stream = TaskStream(family=family, seed=seed, split="test", batch_size=1)
    radii, left = [], []
    degrees: list[int] = []
    for k in range(n_tasks):
        (task,) = stream.block(k)
        graph = task.graphs[0]
        both = (graph | graph.T).double() / 2
        radii.append(float(torch.linalg.eigvalsh(both)[-1]))
        degrees += (graph.sum(0) + graph.sum(1)).tolist()
        left += _unexplained(task.standardised()[0, :_N_ROWS].double(), graph)
    counts = np.bincount(degrees).astype(float)
    return float(np.mean(radii)), counts, float(np.mean(left)) if left else float("nan")


def _unexplained(x: torch.Tensor, graph: torch.Tensor) -> Sequence[float]:
    out = []
    for j in range(x.shape[1]):
        if graph[:, j].any():
            causes = x[:, graph[:, j]]
            fit = causes @ torch.linalg.lstsq(causes, x[:, j : j + 1]).solution
            out.append(float(((x[:, j] - fit[:, 0]) ** 2).mean() / x[:, j].var().clamp_min(1e-9)))
    return out
