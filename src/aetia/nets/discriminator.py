"""Critics for adversarial training, and the penalty on their slope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Discriminator", "gradient_penalty"]


class Discriminator(nn.Module):
    """Linear layers, each with a scale and a shift for every unit, and tanh between them.

    The scale and shift stand where the original has batch normalisation, which never left its
    initial statistics there; a normalisation that works would couple the rows of a batch.

    Args:
        n_inputs: Width of the rows.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int]) -> None:
        super().__init__()
        sizes = [n_inputs, *hidden]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            linear = nn.Linear(inputs, outputs)
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
            layers += [linear, _ScaleShift(outputs), nn.Tanh()]
        last = nn.Linear(sizes[-1], 1)
        nn.init.xavier_uniform_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, " n"]:
        """Score rows.

        Args:
            x: Rows.

        Returns:
            One score for each.
        """
        return self.layers(x)[:, 0]


class _ScaleShift(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real: Float[Tensor, n * event],
    fake: Float[Tensor, n * event],
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    r"""Penalise slopes other than 1 between real and generated rows (Gulrajani et al., 2017).

    .. math:: E \left(\|\nabla D(u a + (1 - u) b)\|_2 - 1\right)^2, \quad u \sim U(0, 1)

    Args:
        discriminator: The critic.
        real: Rows a.
        fake: Rows b.
        generator: Of u, one number for each row.

    Returns:
        The penalty, differentiable in the critic's weights.
    """
    shape = (len(real), *[1] * (real.ndim - 1))
    u = torch.rand(shape, generator=generator, device=real.device, dtype=real.dtype)
    between = (u * real + (1 - u) * fake).detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()
