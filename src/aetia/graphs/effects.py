r"""Total effects along directed paths of a linear causal model.

With ``weights[i, j]`` the direct effect of variable ``i`` on variable ``j``, the total
effects are the sum over all directed paths,

.. math:: T = \sum_{k \ge 0} W^k = (I - W)^{-1},

a finite sum exactly when the graph is acyclic (Wright, 1934).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError
from aetia.graphs.orders import on_cycle, topological_order

__all__ = ["total_effect_moments", "total_effects"]


def total_effects(
    weights: Float[Tensor, "*batch d d"], *, names: Sequence[str] | None = None
) -> Float[Tensor, "*batch d d"]:
    r"""Sum the effects of every directed path, :math:`(I - W)^{-1}`.

    Args:
        weights: Direct effects, in units of j per unit of i; zero where there is no edge.
        names: Variable names, used only to make the error message readable.

    Returns:
        Total effects, in the shape and units of ``weights``; the diagonal is 1.

    Raises:
        InputError: If any graph of the batch has a directed cycle.

    Example:
        >>> w = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, -1.5], [0.0, 0.0, 0.0]])
        >>> float(total_effects(w)[0, 2])  # one path, 0 -> 1 -> 2: 2.0 * -1.5
        -3.0
    """
    d = weights.shape[-1]
    cyclic = on_cycle(weights != 0).reshape(-1, d).any(0)
    if cyclic.any():
        where = cyclic.nonzero().flatten().tolist()
        labels = where if names is None else [names[i] for i in where]
        raise InputError(
            f"total_effects needs acyclic graphs, but {labels} lie on a directed cycle. "
            "Threshold the weights, or keep only `posterior.dags()`."
        )
    eye = torch.eye(d, dtype=weights.dtype, device=weights.device)
    # Up to relabelling, I - W is unit triangular: det = 1, so the solve is safe.
    return torch.linalg.solve(eye - weights, eye.expand_as(weights))


def total_effect_moments(
    graphs: Bool[Tensor, "s d d"],
    mean: Float[Tensor, "s d d"],
    covariance: Float[Tensor, "s d d d"],
    source: int,
) -> tuple[Float[Tensor, "s d"], Float[Tensor, "s d"]]:
    r"""Compute mean and variance of the total effects of one variable under random weights.

    The weights into different variables are independent. With :math:`t_j = \sum_i W_{ij} t_i`
    the total effect of the source on j, and the columns taken in topological order, the first
    two moments follow exactly: :math:`E t_j = m_j^\top E t`,
    :math:`E t_j t_k = m_j^\top E[t\, t_k]`, :math:`E t_j^2 = \sum_{ii'} (m_j m_j^\top +
    C_j)_{ii'} E[t_i t_{i'}]`.

    Args:
        graphs: DAGs.
        mean: ``mean[s, i, j]``, expected weight of i -> j.
        covariance: ``covariance[s, j]``, covariance of the weights into j, zero off parents.
        source: Index of the variable that is set by intervention; what points into it is cut.

    Returns:
        Mean and variance, ``[s, d]`` each; 1 and 0 at the source.
    """
    n, d = graphs.shape[0], graphs.shape[-1]
    order = topological_order(graphs)
    rows = torch.arange(n, device=graphs.device)
    first = mean.new_zeros(n, d)
    second = mean.new_zeros(n, d, d)
    first[:, source] = 1.0
    second[:, source, source] = 1.0
    for step in range(d):
        j = order[:, step]
        weight = mean[rows, :, j] * (j != source).unsqueeze(-1)
        spread = covariance[rows, j]
        cross = (weight.unsqueeze(-2) @ second).squeeze(-2)  # E[t_j t_k] for earlier k
        square = (weight * cross).sum(-1) + (spread * second).sum((-2, -1))
        value = (weight * first).sum(-1)
        update = j != source
        keep = rows[update]
        first[keep, j[update]] = value[update]
        second[keep, j[update], :] = cross[update]
        second[keep, :, j[update]] = cross[update]
        second[keep, j[update], j[update]] = square[update]
    moment = second.diagonal(dim1=-2, dim2=-1)
    return first, (moment - first.square()).clamp_min(0.0)
