"""Every metric of a graph posterior against a known graph."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.diagnostics import brier_score, expected_calibration_error
from aetia.graphs import (
    area_under_precision_recall,
    auroc,
    average_precision,
    edge_scores,
    expected,
    expected_cpdag_shd,
    is_acyclic,
    shd,
    sid,
    skeleton,
    transitive_closure,
)

__all__ = ["compare_graphs"]


def compare_graphs(
    truth: Bool[Tensor, "d d"],
    graphs: Bool[Tensor, "s d d"],
    log_weights: Float[Tensor, " s"],
    marginals: Float[Tensor, "d d"],
    consensus: Bool[Tensor, "d d"],
    *,
    n_draws: int | None = None,
) -> dict[str, float]:
    """Compute all metrics; expectations are over the weighted draws.

    Args:
        truth: The true DAG.
        graphs: Distinct draws; SID leaves out any that are cyclic.
        log_weights: Their log-weights.
        marginals: Edge probabilities.
        consensus: One summary DAG.
        n_draws: How many draws the marginals were counted from; None if they are exact. Counted
            ones are smoothed to (count + 1/2) / (draws + 1) before logarithms are taken.

    Returns:
        Metrics by name. SHD counts a reversal once unless the name says otherwise; AUROC and
        average precision are over off-diagonal pairs. ``graph_nll`` is minus the log posterior
        probability of the true graph, infinite when no draw is it; ``edge_nll`` is minus the
        log-probability of its edges as independent coins, ``edge_nll_per_pair`` the same per
        ordered pair. ``expected_reversed``, ``_missing``, ``_extra`` and ``_correct`` split the
        edges, so that SHD with reversals counted twice is extra + missing + 2 reversed.
    """
    scores = edge_scores(truth, graphs)
    distances = shd(graphs, truth)
    # Draws with no difference from the truth are the truth: their weight is its posterior
    # probability.
    hit = distances == 0
    mass = float(log_weights.double().softmax(0)[hit].sum())
    d = len(truth)
    pairs = max(d * (d - 1), 1)
    off = ~torch.eye(d).bool()
    p, y = marginals[off].double(), truth[off]
    acyclic = is_acyclic(graphs)
    sids = torch.full((len(graphs),), torch.nan, dtype=torch.float64)
    # SID is defined between DAGs only.
    for s in acyclic.nonzero().flatten().tolist():
        sids[s] = sid(truth, graphs[s])
    expected_sid = expected(sids, log_weights)
    far = expected(shd(graphs, truth, reversal_cost=2), log_weights)
    reversed_ = graphs.mT & ~graphs & truth
    extra = graphs & ~truth & ~reversed_.mT
    common = (skeleton(truth) & skeleton(graphs)).sum((-2, -1)).double() / 2
    logs = p.clamp(1e-6, 1 - 1e-6)
    # A counted probability of 0 means too rare to be among the draws, not impossible.
    if n_draws is not None:
        logs = (p * n_draws + 0.5) / (n_draws + 1)
    edge_nll = float(-torch.where(y, logs.log(), (-logs).log1p()).sum())
    entropy = -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p))
    ancestors = edge_scores(transitive_closure(truth), transitive_closure(graphs))["f1"]

    def average(values: Tensor) -> float:
        return expected(values.sum((-2, -1)).double(), log_weights)

    return {
        "expected_shd": expected(distances, log_weights),
        "expected_shd_per_pair": expected(distances, log_weights) / pairs,
        "expected_shd_reversal_2": far,
        "expected_shd_reversal_2_per_pair": far / pairs,
        "expected_cpdag_shd": expected_cpdag_shd(truth, graphs[acyclic], log_weights[acyclic])
        if acyclic.any()
        else float("nan"),
        "expected_f1": expected(scores["f1"], log_weights),
        "expected_precision": expected(scores["precision"], log_weights),
        "expected_recall": expected(scores["recall"], log_weights),
        "expected_skeleton_f1": expected(scores["skeleton_f1"], log_weights),
        "expected_orientation_accuracy": expected(scores["orientation_accuracy"], log_weights),
        "expected_common_skeleton_edges": expected(common, log_weights),
        "expected_ancestor_f1": expected(ancestors, log_weights),
        "expected_correct": average(graphs & truth),
        "expected_reversed": average(reversed_),
        "expected_missing": average(truth & ~graphs & ~reversed_),
        "expected_extra": average(extra),
        "expected_sid": expected_sid,
        "expected_sid_per_pair": expected_sid / pairs,
        "share_cyclic": float(log_weights.double().softmax(0)[~acyclic].sum()),
        "threshold_graph_is_dag": float(is_acyclic(marginals > 0.5)),
        "auroc": auroc(truth, marginals),
        "auroc_with_diagonal": auroc(truth, marginals, include_diagonal=True),
        "average_precision": average_precision(truth, marginals),
        "area_under_precision_recall": area_under_precision_recall(truth, marginals),
        "ece": expected_calibration_error(p.numpy(), y.numpy()),
        "brier": brier_score(p.numpy(), y.numpy()),
        "edge_entropy": float(entropy.mean()),
        "edge_nll": edge_nll,
        "edge_nll_per_pair": edge_nll / pairs,
        "graph_nll": float(-np.log(mass)) if mass > 0 else float("inf"),
        "n_edges": float(marginals.sum()),
        "n_edges_true": float(truth.sum()),
        "edge_ratio": float(marginals.sum() / truth.sum()) if truth.any() else float("nan"),
        "consensus_shd": float(shd(consensus, truth)),
    }
