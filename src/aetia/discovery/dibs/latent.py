r"""The latent graph model of DiBS: from Z to edge probabilities and graphs.

With :math:`Z = (U, V)`, ``z[..., 0]`` and ``z[..., 1]``, the edge scores are
:math:`s_{ij} = u_i^\top v_j` and :math:`p_{ij} = \sigma(\alpha s_{ij})` (Lorch et al., 2021,
eqs. 6 and 7). Without the embedding Z is the matrix of scores itself. Edges that knowledge
decides have probability 0 or 1, the diagonal 0, after the sigmoid.

The graphs of a batch are stored with the target as the slower of the last two axes, so that all
the parents of a variable lie side by side in memory; indexing is ``[..., i, j]`` as everywhere.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.graphs import Constraints

__all__ = [
    "edge_probabilities",
    "edge_scores",
    "latent_gradient",
    "latent_log_prior",
    "limit_graphs",
    "soft_graphs",
    "uniform_noise",
]

_LARGE = 1e30


def edge_scores(z: Float[Tensor, "s ..."]) -> Float[Tensor, "s d d"]:
    """Compute the edge scores of every particle.

    Args:
        z: ``[s, d, k, 2]`` with the embedding, ``[s, d, d]`` without.

    Returns:
        ``s_ij``, before the annealing.
    """
    return z[..., 0] @ z[..., 1].mT if z.dim() == 4 else z


def latent_gradient(
    by_score: Float[Tensor, "s d d"], z: Float[Tensor, "s ..."]
) -> Float[Tensor, "s ..."]:
    """Carry a gradient in the edge scores back to Z: dU = D V, dV = D^T U.

    Args:
        by_score: D, the gradient with respect to ``s_ij``.
        z: The latent variables.

    Returns:
        The gradient in the shape of z.
    """
    if z.dim() == 3:
        return by_score
    return torch.stack([by_score @ z[..., 1], by_score.mT @ z[..., 0]], dim=-1)


def latent_log_prior(z: Float[Tensor, "s ..."], std: float) -> Float[Tensor, " s"]:
    """Compute log N(Z; 0, std^2 I) for every particle.

    Args:
        z: The latent variables.
        std: Prior standard deviation.

    Returns:
        Log densities.
    """
    flat = z.flatten(1)
    log_unit = flat.shape[1] * 0.5 * math.log(2 * math.pi * std**2)
    return -0.5 * (flat / std).square().sum(1) - log_unit


def edge_probabilities(
    scores: Float[Tensor, "s d d"], alpha: float, constraints: Constraints
) -> Float[Tensor, "s d d"]:
    """Compute the edge probabilities given Z.

    Args:
        scores: Edge scores.
        alpha: Inverse temperature.
        constraints: Edges that are decided; ``forbidden`` includes the diagonal.

    Returns:
        Probabilities, exactly 0 or 1 where decided.
    """
    p = torch.sigmoid(alpha * scores)
    return p.masked_fill(constraints.forbidden, 0.0).masked_fill(constraints.required, 1.0)


def limit_graphs(scores: Float[Tensor, "s d d"], constraints: Constraints) -> Tensor:
    """Take the limit of infinite alpha: one graph for each particle.

    Args:
        scores: Edge scores.
        constraints: Edges that are decided.

    Returns:
        Hard graphs, ``s_ij > 0`` where undecided; not necessarily acyclic.
    """
    return (scores > 0) & ~constraints.forbidden | constraints.required


def uniform_noise(
    shape: tuple[int, int, int], like: Tensor, generator: torch.Generator
) -> Float[Tensor, "s m d d"]:
    """Draw the noise of Monte Carlo graphs: uniform on the open unit interval.

    Args:
        shape: Particles, graphs for each, variables.
        like: Gives dtype and device.
        generator: Source of randomness.

    Returns:
        Noise; ``logit(noise)`` is logistic.
    """
    s, m, d = shape
    u = torch.empty(s, m, d, d, dtype=like.dtype, device=like.device)
    u.uniform_(generator=generator)
    # uniform_ can return 0, never 1; keep the logit finite.
    return u.clamp_(min=torch.finfo(like.dtype).eps / 4).mT


def soft_graphs(
    noise: Float[Tensor, "s m d d"],
    scores: Float[Tensor, "s d d"],
    alpha: float,
    temperature: float,
    constraints: Constraints,
) -> Float[Tensor, "s m d d"]:
    r"""Draw concrete graphs, ``sigmoid(temperature * (logit(u) + alpha * s))``.

    The temperature multiplies, as in the original. Thresholded at one half these are exact
    draws of the hard graphs, for any temperature. At temperature 1 the value is
    :math:`u / (u + (1 - u) e^{-\alpha s})`, without a logarithm for each entry.

    Args:
        noise: Uniform noise.
        scores: Edge scores.
        alpha: Inverse temperature of the probabilities.
        temperature: Inverse temperature of the relaxation (tau).
        constraints: Edges that are decided.

    Returns:
        Soft graphs, exactly 0 or 1 where decided.
    """
    exponent = (-alpha * scores).mT.contiguous().mT.unsqueeze(1)
    if temperature == 1.0:
        odds = exponent.exp().clamp_max(_LARGE)
        soft = noise / torch.addcmul(odds, noise, 1.0 - odds)
    else:
        soft = torch.sigmoid(temperature * (torch.logit(noise) - exponent))
    soft = soft.masked_fill_(constraints.forbidden, 0.0)
    if constraints.required.any():
        soft = soft.masked_fill_(constraints.required, 1.0)
    return soft
