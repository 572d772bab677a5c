r"""Gates on edges: hard-concrete variables (Louizos, Welling and Kingma, 2018).

.. math:: z = \min(1, \max(0, (\zeta - \gamma)\, \sigma((\mathrm{logit}\, u + a) / \beta) + \gamma))

is exactly 0 or exactly 1 with positive probability, and differentiable in between.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.discovery.rcgnn.search.constraints import LaggedConstraints

__all__ = ["Gates", "open_probability", "sample_gates", "stretched"]

_GAMMA, _ZETA = -0.1, 1.1


def stretched(share: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Stretch (0, 1) beyond its ends and cut off what sticks out.

    Args:
        share: Values of a sigmoid.

    Returns:
        Gates; many are exactly 0 or 1.
    """
    return (share * (_ZETA - _GAMMA) + _GAMMA).clamp(0.0, 1.0)


def sample_gates(
    logits: Float[Tensor, "*shape"], uniform: Float[Tensor, "*batch"], temperature: float
) -> Float[Tensor, "*batch"]:
    """Draw gates (eq. 10).

    Args:
        logits: Log odds a.
        uniform: Draws in (0, 1); its shape ends with that of the logits.
        temperature: Beta.

    Returns:
        One gate for each draw.
    """
    noise = uniform.log() - (-uniform).log1p()
    return stretched(torch.sigmoid((noise + logits) / temperature))


def open_probability(
    logits: Float[Tensor, "*shape"], temperature: float
) -> Float[Tensor, "*shape"]:
    """Compute the probability that a gate is not 0 (eq. 12): what sparsity pays for.

    Args:
        logits: Log odds a.
        temperature: Beta.

    Returns:
        Probabilities.
    """
    return torch.sigmoid(logits - temperature * math.log(-_GAMMA / _ZETA))


class Gates(nn.Module):
    """One gate for each edge within the step and at each lag; cause in rows.

    Args:
        constraints: Forbidden edges stay closed. A required one stays open at the lag where its
            logit is largest.
        n_lags: Longest lag.
    """

    allowed: Bool[Tensor, "m d d"]
    required: Bool[Tensor, "d d"]
    support: Bool[Tensor, "m d d"]

    def __init__(self, constraints: LaggedConstraints, n_lags: int) -> None:
        super().__init__()
        d = len(constraints.required)
        forbidden = constraints.forbidden.unflatten(-1, (n_lags + 1, d)).permute(1, 2, 0)
        self.shape = (n_lags + 1, d, d)
        self.flat = nn.Parameter(torch.zeros(self.shape).flatten())
        self.register_buffer("allowed", ~forbidden)
        self.register_buffer("required", constraints.required.mT.clone())
        self.register_buffer("support", ~forbidden)

    @property
    def logits(self) -> Float[Tensor, "m d d"]:
        """Log odds of each edge."""
        return self.flat.view(self.shape)

    def held(self) -> Bool[Tensor, "m d d"]:
        """Gates that knowledge holds open."""
        masked = self.logits.detach().masked_fill(~self.allowed, -torch.inf)
        first = torch.zeros_like(self.allowed).scatter(0, masked.argmax(0, keepdim=True), True)
        return first & self.required & self.allowed

    def obeying(self, gates: Float[Tensor, "*batch m d d"]) -> Float[Tensor, "*batch m d d"]:
        """Close what is forbidden, open what is required.

        Args:
            gates: Gates or probabilities.

        Returns:
            The same where nothing is known.
        """
        return torch.where(self.held(), 1.0, torch.where(self.allowed, gates, 0.0))

    def probability(self) -> Float[Tensor, "m d d"]:
        """Probability of each edge: one half where the gate without noise is half open."""
        return self.obeying(torch.sigmoid(self.logits))

    def without_noise(self) -> Float[Tensor, "m d d"]:
        """Gates where the noise is at its median."""
        return self.obeying(stretched(torch.sigmoid(self.logits)))
