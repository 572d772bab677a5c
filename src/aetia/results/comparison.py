"""Every metric of a graph posterior against a known graph."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.diagnostics import brier_score, expected_calibration_error
from aetia.graphs import (
    auroc,
    average_precision,
    edge_scores,
    expected,
    expected_cpdag_shd,
    shd,
    sid,
)

__all__ = ["compare_graphs"]


def compare_graphs(
    truth: Bool[Tensor, "d d"],
    graphs: Bool[Tensor, "s d d"],
    log_weights: Float[Tensor, " s"],
    marginals: Float[Tensor, "d d"],
    consensus: Bool[Tensor, "d d"],
) -> dict[str, float]:
    """Compute all metrics; expectations are over the weighted draws.

    Args:
        truth: The true DAG.
        graphs: DAGs, the distinct draws.
        log_weights: Their log-weights.
        marginals: Edge probabilities.
        consensus: One summary DAG.

    Returns:
        Metrics by name. SHD counts a reversal once unless the name says otherwise; AUROC and
        average precision are over off-diagonal pairs; ``graph_nll`` is minus the log posterior
        probability of the true graph, infinite when no draw is it.
    """
    scores = edge_scores(truth, graphs)
    distances = shd(graphs, truth)
    hit = distances == 0
    mass = float(log_weights.double().softmax(0)[hit].sum())
    off = ~torch.eye(len(truth)).bool()
    p, y = marginals[off].double().numpy(), truth[off].numpy()
    out = {
        "expected_shd": expected(distances, log_weights),
        "expected_shd_reversal_2": expected(shd(graphs, truth, reversal_cost=2), log_weights),
        "expected_cpdag_shd": expected_cpdag_shd(truth, graphs, log_weights),
        "expected_f1": expected(scores["f1"], log_weights),
        "expected_precision": expected(scores["precision"], log_weights),
        "expected_recall": expected(scores["recall"], log_weights),
        "expected_skeleton_f1": expected(scores["skeleton_f1"], log_weights),
        "expected_orientation_accuracy": expected(scores["orientation_accuracy"], log_weights),
        "expected_sid": expected(torch.tensor([float(sid(truth, g)) for g in graphs]), log_weights),
        "auroc": auroc(truth, marginals),
        "average_precision": average_precision(truth, marginals),
        "ece": expected_calibration_error(p, y),
        "brier": brier_score(p, y),
        "graph_nll": float(-np.log(mass)) if mass > 0 else float("inf"),
        "n_edges": float(marginals.sum()),
        "n_edges_true": float(truth.sum()),
        "consensus_shd": float(shd(consensus, truth)),
    }
    return out
