"""Independent exact draws of DAGs, weighted so that each DAG counts once."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.graphs import OrderProgramme, distinct_graphs, draw_dags, log_linear_extensions

__all__ = ["WeightedDraws", "draw_until"]

_BATCH, _BATCH_OF_MANY = 5_000, 10_000
"""Draws at a time; more where every batch repeats a long sum over parent sets."""
_MANY_COLUMNS = 16


class WeightedDraws(NamedTuple):
    """Distinct DAGs with the weight of all their draws."""

    graphs: Bool[Tensor, "u d d"]
    log_weights: Float[Tensor, " u"]
    """Normalised; the number of draws of the graph over its number of topological orders."""
    n_draws: int
    ess: float
    """Effective number of independent draws behind every average over the graphs."""
    log_total: float
    """Log of the sum over all DAGs of score times prior, each DAG once."""
    log_total_error: float
    """Standard error of ``log_total``."""


def draw_until(
    programme: OrderProgramme,
    *,
    min_ess: float,
    max_draws: int,
    generator: torch.Generator,
) -> WeightedDraws:
    r"""Draw DAGs until their weights are worth enough independent draws.

    A draw comes with probability proportional to score times L(G), its number of topological
    orders, so the weight 1 / L(G) makes it one of the posterior (He, Tian & Wu, 2016). The mean of
    the weights estimates :math:`Z / Z_{order}` without bias.

    Args:
        programme: The sums over orders.
        min_ess: Effective number of draws wanted.
        max_draws: Never more draws than this.
        generator: Source of randomness.

    Returns:
        The distinct graphs, the most probable first.
    """
    d = len(programme.candidates)
    graphs = torch.empty(0, d, d, dtype=torch.bool)
    counts, log_orders = torch.empty(0).double(), torch.empty(0).double()
    batch = _BATCH if d < _MANY_COLUMNS else _BATCH_OF_MANY
    n_draws, ess = 0, 0.0
    while n_draws < max_draws and ess < min_ess:
        wanted = batch if not n_draws else math.ceil(1.1 * n_draws * (min_ess / ess - 1.0))
        size = min(max(wanted, batch), max_draws - n_draws)
        new = draw_dags(programme, size, generator)
        n_known = len(graphs)
        graphs, which = distinct_graphs(torch.cat([graphs, new]))
        total = torch.zeros(len(graphs), dtype=torch.float64)
        counts = total.index_add(0, which, torch.cat([counts, torch.ones(size).double()]))
        known = torch.full_like(total, torch.nan)
        known[which[:n_known]] = log_orders
        unknown = known.isnan()
        known[unknown] = log_linear_extensions(graphs[unknown])
        log_orders = known
        n_draws += size
        ess = _effective_draws(counts, log_orders)
    log_weights = counts.log() - log_orders
    log_mean = float(log_weights.logsumexp(0)) - math.log(n_draws)
    order = log_weights.argsort(descending=True, stable=True)
    return WeightedDraws(
        graphs[order],
        (log_weights - log_weights.logsumexp(0))[order],
        n_draws,
        ess,
        programme.log_total + log_mean,
        math.sqrt(max(1.0 / ess - 1.0 / n_draws, 0.0)),
    )


def _effective_draws(counts: Tensor, log_orders: Tensor) -> float:
    """Effective sample size of the single draws, of which equal ones have equal weights."""
    weight = (log_orders.min() - log_orders).exp()
    return float((counts * weight).sum() ** 2 / (counts * weight**2).sum())
