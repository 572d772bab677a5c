r"""The prior of the latents: standard normal, or given a label of the unit (iVAE).

.. math:: z \mid u \sim N(m(u), s^2(u) I)

With labels that modulate the latents, and enough of them, the latents are identified up to simple
transformations (Khemakhem et al., 2020, Theorem 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float, Int
from torch import Tensor, nn

from aetia.nets import Perceptron, normal_log_prob, scalar_head

__all__ = ["LatentPrior"]


class LatentPrior(nn.Module):
    """Prior of the latents, one for each member of an ensemble.

    Args:
        n_latents: Width.
        n_members: Size of the ensemble.
        n_segments: Number of labels; 0 for the standard normal.
        hidden: Widths of the network from labels to means and a variance.
    """

    def __init__(
        self, n_latents: int, n_members: int, n_segments: int = 0, hidden: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.n_segments = n_segments
        self.network = (
            Perceptron([n_segments, *hidden, n_latents + 1], n_members) if n_segments else None
        )
        if self.network is not None:  # begins as the standard normal
            with torch.no_grad():
                self.network.weights[-1].mul_(0.1)
                self.network.biases[-1][..., -1] = 0.5413  # softplus gives 1

    @property
    def is_conditional(self) -> bool:
        """Whether there are labels."""
        return self.network is not None

    def log_prob(
        self,
        z: Float[Tensor, "*members n latents"],
        segments: Int[Tensor, "*some n"] | None = None,
    ) -> Float[Tensor, "*members n"]:
        """Evaluate the log density of the prior.

        Args:
            z: Latents.
            segments: Label of every unit; None for the standard normal.

        Returns:
            Log densities.
        """
        if self.network is None or segments is None:
            return -0.5 * (z.square() + torch.log(torch.tensor(2 * torch.pi))).sum(-1)
        labels = F.one_hot(segments, self.n_segments).to(z)
        return normal_log_prob(z, scalar_head(self.network(labels)))
