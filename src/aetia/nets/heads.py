"""The last outputs of a network, read as the mean and the variance of a normal distribution."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "NormalHead",
    "normal_log_prob",
    "scalar_head",
]

_FLOOR = 1e-6
"""Added to every variance."""


class NormalHead(NamedTuple):
    """A normal distribution for every row."""

    mean: Float[Tensor, "*rows p"]
    variance: Float[Tensor, "*rows q"]
    """One for each column, or one for all (q = 1)."""


def scalar_head(raw: Float[Tensor, "*rows outputs"]) -> NormalHead:
    """Read p + 1 outputs: means, and one variance for all columns.

    Args:
        raw: Outputs of a network.

    Returns:
        Means and softplus of the last output.
    """
    mean, last = raw.split([raw.shape[-1] - 1, 1], -1)
    return NormalHead(mean, F.softplus(last) + _FLOOR)


def normal_log_prob(
    x: Float[Tensor, "*rows p"],
    head: NormalHead,
    observed: Tensor | None = None,
) -> Float[Tensor, "*out"]:
    r"""Sum :math:`-(x - m)^2 / (2 s^2) - \frac12 \log 2 \pi s^2` over the columns that were seen.

    Args:
        x: Values; anything where not observed; shared by leading dimensions of the distribution.
        head: The distribution of every row.
        observed: True where a value was seen; None for everywhere.

    Returns:
        Log density of the seen values of each row.
    """
    variance = head.variance
    terms = -0.5 * ((x - head.mean).square() / variance + (2 * torch.pi * variance).log())
    if observed is not None:
        terms = terms.masked_fill(~observed, 0.0)
    return terms.sum(-1)
