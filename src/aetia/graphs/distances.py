"""How far an estimated graph, or a posterior over graphs, is from the truth."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError
from aetia.graphs.equivalence import cpdag, skeleton

__all__ = [
    "adjustment_distance",
    "area_under_precision_recall",
    "auroc",
    "average_precision",
    "edge_scores",
    "expected",
    "expected_cpdag_shd",
    "shd",
    "sid",
]


def shd(
    first: Bool[Tensor, "*#batch d d"],
    second: Bool[Tensor, "*#batch d d"],
    *,
    reversal_cost: int = 1,
) -> Float[Tensor, ...]:
    """Compute the structural Hamming distance: pairs of variables that are related differently.

    Works on DAGs and on CPDAGs (an undirected edge has both entries True).

    Args:
        first: Adjacency matrices.
        second: Adjacency matrices; batch dimensions broadcast.
        reversal_cost: 1 counts a reversed edge once, 2 as a missing and an extra edge.

    Returns:
        The distance, in edges.

    Raises:
        InputError: If ``reversal_cost`` is not 1 or 2.
    """
    if reversal_cost not in (1, 2):
        raise InputError(f"reversal_cost must be 1 or 2, got {reversal_cost}.")
    differs = first ^ second
    if reversal_cost == 2:
        return differs.sum((-2, -1)).double()
    return (differs | differs.mT).sum((-2, -1)).double() / 2


def sid(truth: Bool[Tensor, "d d"], estimate: Bool[Tensor, "d d"]) -> int:
    """Compute the structural intervention distance (Peters & Bühlmann, 2015).

    Args:
        truth: The true DAG.
        estimate: The estimated DAG.

    Returns:
        Number of ordered pairs whose intervention distribution the estimate gets wrong.
    """
    return adjustment_distance(truth, estimate, kind="sid")


def adjustment_distance(
    truth: Bool[Tensor, "d d"], estimate: Bool[Tensor, "d d"], *, kind: str = "parent"
) -> int:
    """Compute an adjustment identification distance (Henckel, Würtzen & Weichwald, 2024).

    Args:
        truth: The true DAG or CPDAG.
        estimate: The estimated DAG or CPDAG.
        kind: ``"parent"``, ``"ancestor"``, ``"oset"`` (optimal adjustment), or ``"sid"``,
            which is defined for DAGs only.

    Returns:
        Number of ordered pairs for which the estimate's adjustment set is wrong in the truth.

    Raises:
        InputError: If ``kind`` is unknown, or SID is asked of graphs with undirected edges.
    """
    if len(truth) < 2:
        return 0
    import gadjid  # a compiled module without type information

    functions = {
        "parent": gadjid.parent_aid,  # pyright: ignore[reportAttributeAccessIssue]
        "ancestor": gadjid.ancestor_aid,  # pyright: ignore[reportAttributeAccessIssue]
        "oset": gadjid.oset_aid,  # pyright: ignore[reportAttributeAccessIssue]
        "sid": gadjid.sid,  # pyright: ignore[reportAttributeAccessIssue]
    }
    if kind not in functions:
        raise InputError(f"adjustment distance {kind!r} is not one of {list(functions)}.")
    if kind == "sid" and bool((truth & truth.mT).any() or (estimate & estimate.mT).any()):
        raise InputError("SID is defined for DAGs only, but an edge is undirected; use 'parent'.")
    try:
        _, mistakes = functions[kind](
            _gadjid_codes(truth), _gadjid_codes(estimate), edge_direction="from row to column"
        )
    except (ValueError, RuntimeError) as error:
        raise InputError(f"adjustment distance {kind!r}: {error}") from error
    return int(mistakes)


def _gadjid_codes(graph: Tensor) -> np.ndarray:
    """Write 1 for i -> j and 2, once for each pair, for i - j."""
    directed = graph & ~graph.mT
    undirected = (graph & graph.mT).triu()
    return (directed.to(torch.int8) + 2 * undirected.to(torch.int8)).cpu().numpy()


def edge_scores(
    truth: Bool[Tensor, "*#batch d d"], estimate: Bool[Tensor, "*#batch d d"]
) -> dict[str, Float[Tensor, ...]]:
    """Compare edges as sets: directed, without directions, and in orientation only.

    Args:
        truth: True adjacency matrices of DAGs.
        estimate: Estimated adjacency matrices of DAGs; batch dimensions broadcast.

    Returns:
        ``precision``, ``recall``, ``f1`` of directed edges; the same with prefix ``skeleton_``;
        ``orientation_accuracy``, the share of the true skeleton edges found that point the right
        way (NaN when none was found). A ratio 0/0 counts as 1 (nothing to find, nothing claimed).
    """
    out = _precision_recall(truth, estimate, "")
    undirected = _precision_recall(skeleton(truth).triu(), skeleton(estimate).triu(), "skeleton_")
    both = (skeleton(truth) & skeleton(estimate)).triu().sum((-2, -1)).double()
    right = (truth & estimate).sum((-2, -1)).double()
    return out | undirected | {"orientation_accuracy": right / both}


def _precision_recall(truth: Tensor, estimate: Tensor, prefix: str) -> dict[str, Tensor]:
    hits = (truth & estimate).sum((-2, -1)).double()
    claimed = estimate.sum((-2, -1)).double().expand_as(hits)
    existing = truth.sum((-2, -1)).double().expand_as(hits)
    one = torch.ones_like(hits)
    return {
        f"{prefix}precision": torch.where(claimed > 0, hits / claimed, one),
        f"{prefix}recall": torch.where(existing > 0, hits / existing, one),
        f"{prefix}f1": torch.where(claimed + existing > 0, 2 * hits / (claimed + existing), one),
    }


def auroc(
    truth: Bool[Tensor, "d d"],
    probabilities: Float[Tensor, "d d"],
    *,
    include_diagonal: bool = False,
) -> float:
    """Compute the area under the ROC curve of edge probabilities.

    Args:
        truth: The true adjacency.
        probabilities: Scores of the directed edges.
        include_diagonal: Count the d zero diagonal entries as easy negatives, as the original
            DiBS code does; only for parity with published figures.

    Returns:
        The area, NaN when the truth has no edge, or every edge.
    """
    from sklearn.metrics import roc_auc_score

    labels, scores = _flat(truth, probabilities, include_diagonal)
    return float(roc_auc_score(labels, scores)) if 0 < labels.sum() < len(labels) else float("nan")


def average_precision(
    truth: Bool[Tensor, "d d"],
    probabilities: Float[Tensor, "d d"],
    *,
    include_diagonal: bool = False,
) -> float:
    """Compute the average precision of edge probabilities.

    Args:
        truth: The true adjacency.
        probabilities: Scores of the directed edges.
        include_diagonal: Count the d zero diagonal entries as easy negatives, as :func:`auroc` can.

    Returns:
        The average precision, NaN when the truth has no edge.
    """
    from sklearn.metrics import average_precision_score

    labels, scores = _flat(truth, probabilities, include_diagonal)
    return float(average_precision_score(labels, scores)) if labels.any() else float("nan")


def area_under_precision_recall(
    truth: Bool[Tensor, "d d"], probabilities: Float[Tensor, "d d"]
) -> float:
    """Compute the area under the precision-recall curve by the trapezoidal rule.

    Optimistic between thresholds, and here for comparison with published tables; prefer
    :func:`average_precision`.

    Args:
        truth: The true adjacency.
        probabilities: Scores of the directed edges.

    Returns:
        The area over off-diagonal pairs, NaN when the truth has no edge.
    """
    from sklearn.metrics import auc, precision_recall_curve

    labels, scores = _flat(truth, probabilities, include_diagonal=False)
    if not labels.any():
        return float("nan")
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(auc(recall, precision))


def _flat(truth: Tensor, scores: Tensor, include_diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    keep = torch.ones_like(truth) if include_diagonal else ~torch.eye(len(truth)).bool()
    return truth[keep].cpu().numpy(), scores[keep].double().cpu().numpy()


def expected(values: Float[Tensor, " s"], log_weights: Float[Tensor, " s"]) -> float:
    """Average a per-draw metric over weighted draws.

    Args:
        values: The metric of each draw; NaN draws are left out and the weights renormalised.
        log_weights: Log-weights, normalised or not.

    Returns:
        The weighted mean; NaN when every draw is NaN.
    """
    keep = ~values.isnan()
    if not keep.any():
        return float("nan")
    return float((log_weights[keep].double().softmax(0) * values[keep].double()).sum())


def expected_cpdag_shd(
    truth: Bool[Tensor, "d d"], graphs: Bool[Tensor, "s d d"], log_weights: Float[Tensor, " s"]
) -> float:
    """Average the SHD between equivalence classes over weighted draws.

    Args:
        truth: The true DAG.
        graphs: DAGs.
        log_weights: Log-weights of the draws.

    Returns:
        Expected SHD between CPDAGs.
    """
    return expected(shd(cpdag(graphs), cpdag(truth)), log_weights)
