"""Critics for adversarial training, and the penalty on their slope."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aetia.nets.perceptron import Dense, Layers, affine, listed

__all__ = ["Discriminator", "gradient_penalty", "tanh_score"]


class Discriminator(nn.Module):
    """Linear layers, each with a scale and a shift for every unit, and tanh between them.

    The scale and shift stand where the original has batch normalisation, which never left its
    initial statistics there; a normalisation that works would couple the rows of a batch.

    Args:
        n_inputs: Width of the rows.
        hidden: Widths of the hidden layers.
        n_members: Size of an ensemble of critics; None for one without that dimension.
    """

    def __init__(self, n_inputs: int, hidden: Sequence[int], n_members: int | None = None) -> None:
        super().__init__()
        lead = () if n_members is None else (n_members,)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        self.scales, self.shifts = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise([n_inputs, *hidden, 1]):
            bound = math.sqrt(6 / (inputs + outputs))
            self.weights.append(torch.empty(*lead, inputs, outputs).uniform_(-bound, bound))
            self.biases.append(torch.zeros(*lead, outputs))
        for width in hidden:
            self.scales.append(torch.ones(*lead, width))
            self.shifts.append(torch.zeros(*lead, width))

    @property
    def layers(self) -> Layers:
        """Weights and biases with the scales and shifts multiplied in."""
        *weights, last_weight = listed(self.weights)
        *biases, last_bias = listed(self.biases)
        folded = [
            Dense(weight * scale[..., None, :], torch.addcmul(shift, bias, scale))
            for weight, bias, scale, shift in zip(
                weights, biases, listed(self.scales), listed(self.shifts), strict=True
            )
        ]
        return [*folded, Dense(last_weight, last_bias)]

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*out"]:
        """Score rows.

        Args:
            x: Rows ``[n, inputs]``, or ``[members, n, inputs]``.

        Returns:
            One score for each.
        """
        return tanh_score(self.layers, x)

    def slope(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch inputs"]:
        """Differentiate every row's score with respect to the row.

        Written out, so that a loss of it needs one backward pass and not two.

        Args:
            x: Rows.

        Returns:
            Gradients.
        """
        layers, gains = self.layers, []
        for weight, bias in layers[:-1]:
            x = torch.tanh(affine(x, weight, bias))
            gains.append(1 - x.square())
        gradient = layers[-1].weight.mT.expand(*x.shape[:-1], -1)
        for gain, (weight, _) in zip(reversed(gains), reversed(layers[:-1]), strict=True):
            gradient = (gradient * gain) @ weight.mT
        return gradient


def tanh_score(layers: Layers, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*out"]:
    """Apply layers with tanh between them, the last with one output.

    Args:
        layers: Weights and biases of a critic's layers.
        x: Rows.

    Returns:
        One score for each.
    """
    for k, (weight, bias) in enumerate(layers):
        x = affine(x, weight, bias)
        if k < len(layers) - 1:
            x = torch.tanh(x)
    return x[..., 0]


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real: Float[Tensor, "*batch"],
    fake: Float[Tensor, "*batch"],
    generator: torch.Generator,
    *,
    event_dims: int = 1,
) -> Float[Tensor, "*rows"]:
    r"""Penalise slopes other than 1 between real and generated rows (Gulrajani et al., 2017).

    .. math:: \left(\|\nabla D(u a + (1 - u) b)\|_2 - 1\right)^2, \quad u \sim U(0, 1)

    Args:
        discriminator: The critic.
        real: Rows a.
        fake: Rows b.
        generator: Source of u, one number for each row.
        event_dims: Dimensions of a row: 1 for tables, 3 for images.

    Returns:
        The penalty of each row, differentiable in the critic's weights.
    """
    rows = real.shape[: real.ndim - event_dims]
    shape = (*rows, *[1] * event_dims)
    u = torch.rand(shape, generator=generator, device=real.device, dtype=real.dtype)
    between = (u * real + (1 - u) * fake).detach().requires_grad_()
    if isinstance(discriminator, Discriminator):
        slope = discriminator.slope(between.detach())
    else:
        (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    return (slope.flatten(-event_dims).norm(dim=-1) - 1).square()
