"""How far the scale of the columns, or their predictability, already sorts the variables.

Simulated data on their raw scale tend to have variances that grow along the causal order, so
that sorting by variance beats structure learners (Reisach et al., 2021). R2-sortability is the
same for the share of variance that the other columns explain (Reisach et al., 2023); it
survives standardisation.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["r2_from_covariance", "r2_sortability", "sortability", "varsortability"]


def sortability(
    graph: Bool[Tensor, "d d"], score: Float[Tensor, " d"], *, tolerance: float = 1e-9
) -> float:
    """Compute the share of directed paths along which ``score`` increases.

    Paths are counted by length as in Reisach et al. (2021, eq. 3): every ordered pair that is
    connected by a path of length k counts once for each such k; ties count one half.

    Args:
        graph: A DAG.
        score: One number for each variable.
        tolerance: Relative difference below which two scores tie.

    Returns:
        A number in [0, 1], one half where scores are uninformative; NaN for a graph without edges.
    """
    higher = score.unsqueeze(0) / score.unsqueeze(1)  # [i, j]: j over i
    up = (higher > 1 + tolerance).double() + 0.5 * ((higher - 1).abs() <= tolerance).double()
    edges = graph.double()
    walks, correct, total = edges, 0.0, 0.0
    for _ in range(graph.shape[-1] - 1):
        connected = (walks > 0).double()
        total += float(connected.sum())
        correct += float((connected * up).sum())
        walks = (walks @ edges).clamp_max(1.0)
    return correct / total if total else float("nan")


def varsortability(graph: Bool[Tensor, "d d"], covariance: Float[Tensor, "d d"]) -> float:
    """Compute how well the marginal variances sort the variables causally.

    Args:
        graph: A DAG, the truth or a hypothesis.
        covariance: Covariance of the columns.

    Returns:
        1 when variances increase along every path, 0.5 for none, 0 when they decrease.
    """
    return sortability(graph, covariance.diagonal())


def r2_sortability(graph: Bool[Tensor, "d d"], covariance: Float[Tensor, "d d"]) -> float:
    """Compute how well the predictability of each column sorts the variables causally.

    Args:
        graph: A DAG, the truth or a hypothesis.
        covariance: Covariance of the columns.

    Returns:
        A number in [0, 1], as for :func:`varsortability`.
    """
    return sortability(graph, r2_from_covariance(covariance))


def r2_from_covariance(covariance: Float[Tensor, "d d"]) -> Float[Tensor, " d"]:
    """Compute the share of each column's variance that all the others explain linearly.

    Args:
        covariance: Covariance of the columns.

    Returns:
        ``1 - 1 / (variance * precision)`` for each column.
    """
    precision = torch.linalg.pinv(covariance, hermitian=True).diagonal()
    r2 = 1.0 - 1.0 / (covariance.diagonal() * precision)
    return r2.clamp(1e-12, 1.0)
