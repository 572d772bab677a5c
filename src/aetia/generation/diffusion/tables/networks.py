r"""The stochastic denoiser for vectors: x_0 given (t, x_t, context) by way of noise.

.. math:: \hat x_\theta(t, x_t, c, \xi) = c_{skip}(t) x_t + c_{out}(t) F_\theta(t, x_t, c, \xi)

with :math:`c_{skip} = \alpha / (\alpha^2 + \sigma^2)` and
:math:`c_{out} = \sigma / \sqrt{\alpha^2 + \sigma^2}`: for whitened data the first is the best
linear guess and the second the spread around it, so that draws are exact as t falls to 0. Where the
context says more than :math:`x_t`, a gate g, computed from both, closes the skip connection:
:math:`c_{skip} (1 + g)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

from aetia.generation.diffusion.process.preconditioning import skip_weights
from aetia.generation.diffusion.process.schedule import NoiseSchedule

__all__ = ["PlainDenoiser", "ResidualDenoiser", "VectorDenoiser", "time_features"]


def time_features(t: Float[Tensor, "*times"], n_frequencies: int) -> Float[Tensor, "*times k"]:
    """Compute sines and cosines of a time in [0, 1].

    Args:
        t: Times.
        n_frequencies: Half of k; the slowest sine has half a period.

    Returns:
        Features of order 1.
    """
    angles = t[..., None] * torch.arange(1, n_frequencies + 1, device=t.device) * math.pi
    return torch.cat([angles.sin(), angles.cos()], -1)


class _Block(nn.Module):
    """h + W2 silu(W1 norm(h))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.outer(F.silu(self.inner(self.norm(h))))


class ResidualDenoiser(nn.Module):
    """A residual network; what does not depend on the noise is computed once for a population.

    Args:
        schedule: alpha and sigma.
        n_columns: Columns of x.
        n_context: Numbers of the context; 0 for none.
        n_noise: Width of xi.
        width: Width of the hidden layers.
        n_shared: Residual blocks before the noise enters.
        n_blocks: Residual blocks after it.
        n_frequencies: Number of frequencies of the time.
    """

    def __init__(
        self,
        schedule: NoiseSchedule,
        n_columns: int,
        n_context: int,
        n_noise: int,
        *,
        width: int = 128,
        n_shared: int = 1,
        n_blocks: int = 2,
        n_frequencies: int = 8,
    ) -> None:
        super().__init__()
        self.schedule, self.n_noise, self.n_frequencies = schedule, n_noise, n_frequencies
        self.enter = nn.Linear(n_columns + n_context + 2 * n_frequencies, width)
        self.shared = nn.Sequential(*(_Block(width) for _ in range(n_shared)))
        self.noise = nn.Linear(n_noise, width, bias=False)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(n_blocks)))
        self.leave = nn.Linear(width, n_columns)
        self.gate = nn.Linear(width, n_columns)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(
        self,
        x_t: Float[Tensor, " n d"],
        t: Float[Tensor, " n"],
        xi: Float[Tensor, " n m k"],
        context: Float[Tensor, " n c"] | None = None,
    ) -> Float[Tensor, " n m d"]:
        """Draw m times.

        Args:
            x_t: Noised rows.
            t: Their times.
            xi: Noise of each draw.
            context: What is known besides.

        Returns:
            Draws of x_0.
        """
        parts = [x_t, time_features(t, self.n_frequencies)]
        if context is not None:
            parts.append(context)
        h = self.shared(self.enter(torch.cat(parts, -1)))
        skip, out = skip_weights(self.schedule, t)
        kept = skip[:, None] * (1 + self.gate(h)) * x_t
        h = self.blocks(h[:, None] + self.noise(xi))
        return kept[:, None] + out[:, None, None] * self.leave(h)


class PlainDenoiser(nn.Module):
    """The perceptron of the paper's experiment in the plane: all inputs side by side, x_0 out.

    Args:
        n_columns: Columns of x.
        n_context: Numbers of the context; 0 for none.
        n_noise: Width of xi.
        widths: Widths of the hidden layers.
        n_frequencies: Number of frequencies of the time; sines and cosines of whole periods.
    """

    def __init__(
        self,
        n_columns: int,
        n_context: int,
        n_noise: int,
        widths: Sequence[int],
        n_frequencies: int = 16,
    ) -> None:
        super().__init__()
        self.n_noise, self.n_frequencies = n_noise, n_frequencies
        sizes = [n_columns + n_noise + 2 * n_frequencies + n_context, *widths]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], n_columns))

    def forward(
        self,
        x_t: Float[Tensor, " n d"],
        t: Float[Tensor, " n"],
        xi: Float[Tensor, " n m k"],
        context: Float[Tensor, " n c"] | None = None,
    ) -> Float[Tensor, " n m d"]:
        """Draw m times.

        Args:
            x_t: Noised rows.
            t: Their times.
            xi: Noise of each draw.
            context: What is known besides.

        Returns:
            Draws of x_0.
        """
        parts = [x_t, time_features(2 * t, self.n_frequencies)]
        if context is not None:
            parts.append(context)
        same = torch.cat(parts, -1)[:, None].expand(-1, xi.shape[1], -1)
        return self.layers(torch.cat([xi, same], -1))


VectorDenoiser = ResidualDenoiser | PlainDenoiser
