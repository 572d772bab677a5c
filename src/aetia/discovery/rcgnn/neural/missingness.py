r"""Why cells are missing: :math:`P(M_t^j = 1) = \sigma(a_{e,j} + \sum_i w_{ij} s_t^i)`."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

__all__ = ["Missingness", "inverse_probability"]


class Missingness(nn.Module):
    """A logistic regression of each mask on the states of its step.

    Args:
        observed_share: Share of the cells of each sensor that were observed.
        n_regimes: Regimes, each with an intercept.
    """

    def __init__(self, observed_share: Float[Tensor, " d"], n_regimes: int) -> None:
        super().__init__()
        d = len(observed_share)
        share = observed_share.clamp(0.01, 0.99)
        self.intercept = nn.Parameter(torch.logit(share).expand(n_regimes, d).clone())
        self.weights = nn.Parameter(torch.zeros(d, d))

    def forward(
        self, states: Float[Tensor, "n time d"], regime: Int[Tensor, " n"]
    ) -> Float[Tensor, "n time d"]:
        """Log odds of being observed."""
        return states @ self.weights + self.intercept[regime].unsqueeze(1)


def inverse_probability(
    log_odds: Float[Tensor, "n time d"],
    observed: Bool[Tensor, "n time d"],
    quantile: float,
) -> Float[Tensor, "n time d"]:
    """Weight observed cells by the inverse of their probability, stabilised and clipped.

    Args:
        log_odds: Log odds of being observed.
        observed: True where it was.
        quantile: Weights above this quantile (of those of observed cells) are cut down to it.

    Returns:
        Weights with mean 1 over the observed cells of each sensor; 1 for the others.
    """
    counts = observed.sum((0, 1)).clamp_min(1)
    share = counts / (observed.shape[0] * observed.shape[1])
    weight = share / torch.sigmoid(log_odds).clamp_min(1e-3)
    if bool(observed.any()):
        weight = weight.clamp(max=float(torch.quantile(weight[observed], quantile)))
    mean = torch.where(observed, weight, 0.0).sum((0, 1)) / counts
    return torch.where(observed, weight / mean.clamp_min(1e-6), 1.0)
