r"""How far columns are from Gaussian: the Kullback-Leibler divergence from a normal distribution.

Scores on normal scores and on the columns themselves are relative to different empty models. The
divergence J of a column from the Gaussian of its mean and variance puts them on one density: a
table of n rows is :math:`n \sum_j J_j` nats more probable under the empty model of normal scores.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.likelihoods.column_bases import normal_scores

__all__ = ["negentropy"]


def negentropy(values: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Estimate the divergence of each column from a normal distribution, by m-spacings.

    Vasicek's estimate of the entropy with m = sqrt(n), less its value on normal scores, which
    removes its bias. Equal values are spread evenly between the midpoints to their neighbours, so
    that coded columns have a density too.

    Args:
        values: Columns without missing values.

    Returns:
        Nats per row, at least 0; 0 for a constant column.
    """
    n = len(values)
    if n < 3:
        return torch.zeros(values.shape[1], dtype=torch.float64)
    reference = normal_scores(torch.arange(n, dtype=torch.float64).unsqueeze(1)).squeeze(1)
    best = _spacing_entropy(reference)
    out = []
    for column in values.double().unbind(1):
        spread = _without_ties(column)
        scale = spread.std(correction=0)
        if not scale > 0:
            out.append(torch.zeros((), dtype=torch.float64))
            continue
        out.append((best - _spacing_entropy((spread - spread.mean()) / scale)).clamp_min(0.0))
    return torch.stack(out)


def _spacing_entropy(values: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Entropy of the density whose mass between values m ranks apart is their share of rows."""
    n, m = len(values), math.isqrt(len(values))
    ordered = values.sort().values
    rank = torch.arange(n)
    low, high = (rank - m).clamp_min(0), (rank + m).clamp_max(n - 1)
    gap = (ordered[high] - ordered[low]).clamp_min(1e-9)
    return (gap * n / (high - low)).log().mean()


def _without_ties(values: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Spread equal values evenly over the cell between the midpoints to their neighbours."""
    distinct, counts = values.unique(return_counts=True)
    if len(distinct) < 2 or len(distinct) == len(values):
        return values.sort().values
    middle = 0.5 * (distinct[1:] + distinct[:-1])
    lower = torch.cat([2 * distinct[:1] - middle[:1], middle])
    upper = torch.cat([middle, 2 * distinct[-1:] - middle[-1:]])
    within = torch.arange(len(values)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    share = (within + 0.5) / counts.repeat_interleave(counts)
    lower, upper = lower.repeat_interleave(counts), upper.repeat_interleave(counts)
    spread = lower + share * (upper - lower)
    alone = (counts == 1).repeat_interleave(counts)
    return torch.where(alone, distinct.repeat_interleave(counts), spread)
