"""How well a directed graph, which may have cycles, was found: counts of edges and of pairs."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.graphs.distances import auroc, average_precision

__all__ = ["oracle_f1", "retrieval_scores"]


def retrieval_scores(
    truth: Bool[Tensor, "d d"],
    graph: Bool[Tensor, "d d"],
    probabilities: Float[Tensor, "d d"],
) -> dict[str, float]:
    """Score a graph and the ranking of its edges; diagonals do not count.

    Args:
        truth: The true graph, such as the summary graph of a time series.
        graph: The one that was found.
        probabilities: Probability of every edge, or any score that ranks edges.

    Returns:
        ``f1``, ``precision`` and ``recall`` of directed edges, ``shd`` (one for each wrong pair),
        ``fp_fn`` (wrong edges), ``skeleton_f1``, ``orientation`` (share of correctly found
        adjacencies with exactly the right direction), ``auroc``, ``average_precision``,
        ``prevalence``, ``brier``, ``oracle_f1`` (best F1 of any threshold, chosen on the truth:
        never a method's own figure) and ``n_edges``.
    """
    off = ~torch.eye(len(truth), dtype=torch.bool)
    t, g, p = truth & off, graph & off, probabilities.double()
    wrong = (t != g).triu(1) | (t != g).mT.triu(1)
    both, found = _pairs(t), _pairs(g)
    shared = both & found
    same = (t == g) & (t == g).mT
    return {
        "f1": _f1(t, g),
        "precision": float((t & g).sum()) / max(float(g.sum()), 1.0),
        "recall": float((t & g).sum()) / max(float(t.sum()), 1.0),
        "shd": float(wrong.sum()),
        "fp_fn": float((t != g).sum()),
        "skeleton_f1": _f1(both, found),
        "orientation": float((shared & same).sum()) / float(shared.sum())
        if shared.any()
        else math.nan,
        "auroc": auroc(t, p),
        "average_precision": average_precision(t, p),
        "prevalence": float(t[off].double().mean()),
        "brier": float((p.clamp(0, 1) - t.double())[off].square().mean()),
        "oracle_f1": oracle_f1(t, p),
        "n_edges": float(g.sum()),
    }


def oracle_f1(truth: Bool[Tensor, "d d"], probabilities: Float[Tensor, "d d"]) -> float:
    """Find the best F1 that any threshold on the probabilities gives.

    Args:
        truth: The true graph.
        probabilities: Scores of the edges.

    Returns:
        A figure that needs the truth, for comparison only.
    """
    off = ~torch.eye(len(truth), dtype=torch.bool)
    cuts = probabilities[off].unique()
    return max((_f1(truth & off, (probabilities >= c) & off) for c in cuts if c > 0), default=0.0)


def _pairs(graph: Tensor) -> Tensor:
    return (graph | graph.mT).triu(1)


def _f1(truth: Tensor, found: Tensor) -> float:
    total = float(truth.sum() + found.sum())
    return 2 * float((truth & found).sum()) / total if total else 1.0
