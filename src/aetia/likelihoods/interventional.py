"""How well draws of graphs predict what interventions do, with linear Gaussian mechanisms."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError

__all__ = ["interventional_nll"]


def interventional_nll(
    graphs: Bool[Tensor, "s d d"],
    log_weights: Float[Tensor, " s"],
    observational: Float[Tensor, "n d"],
    interventional: Float[Tensor, "m d"],
    intervened: Bool[Tensor, "m d"],
) -> float:
    r"""Compute I-NIL, :math:`-\log \sum_s w_s\, p(x^{do} \mid G_s, \hat\theta_s)`.

    A linear Gaussian model is fitted to the observational rows by least squares for each graph; the
    score is over the cells that were not set. A heuristic for data that are not linear.

    Args:
        graphs: DAGs.
        log_weights: Log posterior weight of each draw.
        observational: Rows that the models are fitted to.
        interventional: Held-out rows.
        intervened: True where a variable was set; every row sets at least one.

    Returns:
        Nats per interventional row.

    Raises:
        InputError: If there are no interventional rows.
    """
    if not len(interventional):
        raise InputError("interventional_nll needs rows with interventions.")
    x, z = observational.double(), interventional.double()
    mean = x.mean(0)
    std = x.std(0, correction=0)
    std = torch.where(std > 0, std, 1.0)  # units must not matter to the ridge and the floor
    x, z = (x - mean) / std, (z - mean) / std
    g = graphs.double()
    d = g.shape[-1]
    scatter = x.T @ x
    # Regression of each j on its causes: others are cut out by a unit diagonal.
    mask = g.mT.unsqueeze(-1) * g.mT.unsqueeze(-2)  # [s, j, a, b]
    gram = mask * scatter + torch.diag_embed(1 - g.mT)
    gram = gram + 1e-9 * scatter.diagonal().mean() * torch.eye(d, dtype=x.dtype)
    moment = (g * scatter).mT.unsqueeze(-1)  # [s, j, a]: scatter of cause a with j
    weights = torch.linalg.solve(gram, moment)[..., 0].mT * g
    variance = ((x - torch.einsum("na,saj->snj", x, weights)) ** 2).mean(1).clamp_min(1e-12)
    gap = z - torch.einsum("na,saj->snj", z, weights)
    log_p = -0.5 * (gap**2 / variance[:, None] + variance[:, None].log() + math.log(2 * math.pi))
    log_p = log_p - std.log()
    total = (log_p * ~intervened).sum((-2, -1))
    normalised = log_weights.double() - log_weights.double().logsumexp(0)
    return -float((normalised + total).logsumexp(0)) / len(z)
