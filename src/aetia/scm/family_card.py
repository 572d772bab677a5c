"""What tasks of a family look like: numbers of edges, and how much scales leak the order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from aetia.data import standardise_rows
from aetia.errors import InputError
from aetia.graphs import r2_sortability, varsortability
from aetia.scm.tasks import Tasks

if TYPE_CHECKING:
    from aetia.scm.family import Family

__all__ = ["family_card"]


def family_card(family: Family, n_tasks: int, seed: int) -> dict[str, float]:
    """Measure simulated tasks.

    Args:
        family: The family.
        n_tasks: How many tasks to simulate.
        seed: Seed of the tasks that are simulated.

    Returns:
        Mean and standard deviation of the number of edges, its expectation where it is known, mean
        varsortability and R2-sortability of the raw observational rows and of the standardised
        ones, and the share of rejected draws.
    """
    children = np.random.SeedSequence(seed).spawn(n_tasks)
    tasks = [family.simulate([s], family.size(s)) for s in children]
    n_rejected = sum(t.n_rejected for t in tasks)
    edges = np.array([float(t.graphs.sum()) for t in tasks])
    scores = np.array([_sortabilities(t) for t in tasks])
    try:
        expected = np.mean([family.graphs.expected_edges(d) for d in family.sizes])
    except InputError:  # a family whose expectation has no closed form
        expected = math.nan
    means = np.nanmean(scores, 0) if np.isfinite(scores).any() else np.full(3, np.nan)
    return {
        "edges_mean": float(edges.mean()),
        "edges_std": float(edges.std()),
        "edges_expected": float(expected),
        "varsortability": float(means[0]),
        "varsortability_standardised": float(means[1]),
        "r2_sortability": float(means[2]),
        "rejected_share": n_rejected / (n_tasks + n_rejected),
    }


def _sortabilities(tasks: Tasks) -> tuple[float, float, float]:
    rows = tasks.values[0][~tasks.intervened[0].any(1)].double()
    graph = tasks.graphs[0]
    raw = torch.atleast_2d(torch.cov(rows.T))
    scaled = torch.atleast_2d(torch.cov(standardise_rows(rows, largest=torch.inf).T))
    return (
        varsortability(graph, raw),
        varsortability(graph, scaled),
        r2_sortability(graph, raw),
    )
