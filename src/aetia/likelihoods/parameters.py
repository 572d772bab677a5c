"""The posterior of a linear Gaussian model's weights when the graph is known, in closed form."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["WeightPosterior", "regress_on_parents"]


class WeightPosterior(NamedTuple):
    """Independent (Student or Gaussian) posteriors of the weights into each variable.

    Given the noise variance ``v_j``, the weights into j are Gaussian with mean
    ``mean[s, :, j]`` and covariance ``v_j * factor[s, j]``; ``v_j`` is inverse gamma with
    ``shape`` and ``rate``, or fixed where ``shape`` is infinite (then ``rate`` is its value).
    """

    mean: Float[Tensor, "s d d"]
    factor: Float[Tensor, "s d d d"]
    shape: Float[Tensor, "s d"]
    rate: Float[Tensor, "s d"]

    def noise_mean(self) -> Float[Tensor, "s d"]:
        """Compute the posterior mean of the noise variances.

        Returns:
            ``rate / (shape - 1)``, infinite where it does not exist (shape at most 1).
        """
        finite = torch.where(self.shape > 1, self.rate / (self.shape - 1), torch.inf)
        return torch.where(self.shape.isinf(), self.rate, finite)

    def covariance(self) -> Float[Tensor, "s d d d"]:
        """Compute the covariance of the weights into each variable.

        Returns:
            ``covariance[s, j]`` over the causes of j.
        """
        return self.noise_mean()[..., None, None] * self.factor

    def sample(self, generator: torch.Generator) -> Float[Tensor, "s d d"]:
        """Draw one weight matrix for each graph.

        Args:
            generator: Source of randomness.

        Returns:
            Weights, zero off the graph.
        """
        n, d = self.shape.shape
        seed = int(torch.randint(2**62, (1,), generator=generator))
        shape = torch.where(self.shape.isinf(), 1.0, self.shape).numpy()
        gamma = torch.from_numpy(np.random.Generator(np.random.PCG64(seed)).standard_gamma(shape))
        variance = torch.where(self.shape.isinf(), self.rate, self.rate / gamma)
        normal = torch.randn(n, d, d, dtype=self.mean.dtype, generator=generator)
        # The factor is singular off the parents; a unit diagonal there keeps Cholesky happy.
        idle = self.factor.diagonal(dim1=-2, dim2=-1) == 0
        root = torch.linalg.cholesky(self.factor + torch.diag_embed(idle.to(self.factor.dtype)))
        noise = (root @ normal.unsqueeze(-1)).squeeze(-1).masked_fill(idle, 0.0)
        return self.mean + (variance.sqrt().unsqueeze(-1) * noise).mT


def regress_on_parents(
    graphs: Bool[Tensor, "s d d"], gram: Float[Tensor, "k d d"], ridge: float
) -> tuple[Float[Tensor, "s d d"], Float[Tensor, "s d d d"], Float[Tensor, "s d"]]:
    """Regress every variable on its parents, for every graph at once.

    Args:
        graphs: Hard adjacency matrices.
        gram: Second-moment matrices, one for all variables (k = 1) or one for each.
        ridge: Added to the diagonal of the parents' block.

    Returns:
        Weights ``[s, i, j]``; the inverse of the parents' block for each j, zero off the
        parents, ``[s, j, i, i']``; residual sums of squares (with the ridge term) ``[s, j]``.
    """
    d = graphs.shape[-1]
    parents = graphs.mT.to(gram.dtype)  # [s, j, i]
    block = parents.unsqueeze(-1) * parents.unsqueeze(-2)
    eye = torch.eye(d, dtype=gram.dtype)
    inverse = torch.linalg.inv(block * (gram + ridge * eye) + torch.diag_embed(1 - parents))
    inverse = inverse * block
    nodes = torch.arange(d)
    own = nodes if len(gram) > 1 else torch.zeros_like(nodes)
    cross = gram[own, nodes]  # [j, i], in j's own rows
    target = cross.diagonal()
    cross = parents * cross
    weights = (inverse @ cross.unsqueeze(-1)).squeeze(-1)  # [s, j, i]
    residual = target - (weights * cross).sum(-1)
    return weights.mT, inverse, residual
