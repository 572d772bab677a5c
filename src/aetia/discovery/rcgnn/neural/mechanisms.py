r"""One gated network for each sensor.

.. math:: \hat s_t^j = \sum_c z_{cj} (w_{cj} + \delta_{e,cj})\, v_t^c
    + \sum_h a_{hj} \tanh\Big(\sum_c z_{cj} u_{chj} v_t^c + b_{hj}\Big) + m_{e,j}

over candidates :math:`v_t = (s_t, s_{t-1}, \ldots, s_{t-L})`. Gates z multiply every input before
the first layer, those of a sensor's own present value are 0: it reaches its prediction by no route.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

__all__ = ["NeuralMechanisms", "beside_past", "masked_least_squares"]


def beside_past(states: Float[Tensor, "n time d"], n_lags: int) -> Float[Tensor, "n steps p"]:
    """Lay (s_t, s_{t-1}, ..., s_{t-L}) side by side.

    Args:
        states: States of each block.
        n_lags: Longest lag L.

    Returns:
        Candidates of each step that has its past.
    """
    time = states.shape[1]
    return torch.cat([states[:, n_lags - k : time - k] for k in range(n_lags + 1)], -1)


def masked_least_squares(
    moments: Float[Tensor, "p p"], allowed: Bool[Tensor, "p d"]
) -> tuple[Float[Tensor, "p d"], Float[Tensor, " d"]]:
    """Regress each of the first d candidates on those it may depend on.

    Args:
        moments: Second moments of the candidates.
        allowed: Candidate, target.

    Returns:
        Slopes, 0 where not allowed, and variances of the residuals.
    """
    d = allowed.shape[1]
    mask = allowed.mT.to(moments)
    ridge = 1e-3 * moments.diagonal().mean() * torch.eye(len(moments)).to(moments)
    system = (moments + ridge) * mask.unsqueeze(-1) * mask.unsqueeze(-2)
    system = system + torch.diag_embed(1 - mask)
    right = moments[:, :d].mT * mask
    slopes = torch.linalg.solve(system, right.unsqueeze(-1)).squeeze(-1)
    left = moments.diagonal()[:d] - (slopes * right).sum(-1)
    return slopes.mT, left.clamp_min(1e-4)


class NeuralMechanisms(nn.Module):
    """Networks of all sensors, computed together.

    Args:
        d: Sensors.
        n_lags: Longest lag.
        n_regimes: Regimes, which shift slopes, level and scale.
        n_hidden: Hidden units of each sensor.
    """

    def __init__(self, d: int, n_lags: int, n_regimes: int, n_hidden: int) -> None:
        super().__init__()
        p = d * (n_lags + 1)
        self.n_lags = n_lags
        self.slopes = nn.Parameter(torch.zeros(p, d))
        self.deltas = nn.Parameter(torch.zeros(n_regimes, p, d))
        self.inner = nn.Parameter(torch.randn(p, d, n_hidden) / math.sqrt(3.0))
        self.shift = nn.Parameter(torch.randn(d, n_hidden))
        self.outer = nn.Parameter(torch.zeros(d, n_hidden))
        self.level = nn.Parameter(torch.zeros(n_regimes, d))
        self.log_scale = nn.Parameter(torch.zeros(n_regimes, d))
        self.first_level = nn.Parameter(torch.zeros(n_regimes, d))
        self.first_log_scale = nn.Parameter(torch.zeros(n_regimes, d))

    def forward(
        self,
        states: Float[Tensor, "n time d"],
        gates: Float[Tensor, "g m d d"],
        regime: Int[Tensor, " n"],
    ) -> Float[Tensor, "n steps d"]:
        """Predict every state from its causes, the level of its regime left out.

        Args:
            states: States of each block.
            gates: Gates for each block, or one set for all.
            regime: Code of the regime of each block.

        Returns:
            Predictions for the steps that have their past.
        """
        candidates = beside_past(states, self.n_lags)
        open_ = gates.flatten(1, 2)
        slopes = open_ * (self.slopes + self.deltas[regime])
        first = (open_.unsqueeze(-1) * self.inner).flatten(2)
        hidden = (candidates @ first).unflatten(-1, self.shift.shape) + self.shift
        return candidates @ slopes + (hidden.tanh() * self.outer).sum(-1)

    def change(self) -> Float[Tensor, "k d"]:
        """Norm of what each regime changes in each mechanism."""
        return (self.deltas.square().sum(1) + 1e-8).sqrt() - 1e-4

    @torch.no_grad()
    def initialise_linear(
        self, states: Float[Tensor, "k p"], allowed: Bool[Tensor, "p d"], *, scale: bool
    ) -> None:
        """Set slopes to least squares.

        Args:
            states: Candidates of many steps.
            allowed: Which each target may depend on.
            scale: Whether to set the scales too.
        """
        centred = states - states.mean(0)
        moments = centred.mT @ centred / len(centred)
        slopes, variance = masked_least_squares(moments, allowed)
        self.slopes.copy_(slopes)
        if scale:
            self.log_scale.copy_(0.5 * variance.log().expand_as(self.log_scale))
            d = allowed.shape[1]
            spread = centred[:, :d].std(0).clamp_min(1e-2).log()
            self.first_log_scale.copy_(spread.expand_as(self.first_log_scale))
