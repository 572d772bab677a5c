r"""Multilayer perceptrons as functions of their weights.

Weights may carry leading dimensions: members of an ensemble, draws of a posterior. One matrix
product then evaluates all of them, on shared rows or on rows of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

__all__ = [
    "Dense",
    "Layers",
    "Perceptron",
    "affine",
    "flatten_layers",
    "listed",
    "perceptron",
    "unflatten_layers",
]

SLOPE = 0.2


class Dense(NamedTuple):
    """One layer: ``x @ weight + bias``."""

    weight: Float[Tensor, "*draws inputs outputs"]
    bias: Float[Tensor, "*draws outputs"]


Layers: TypeAlias = list[Dense]


def perceptron(layers: Layers, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*out outputs"]:
    """Apply the layers, with leaky rectifiers (slope 0.2) between them.

    Args:
        layers: Weights; leading dimensions are draws.
        x: Rows ``[n, inputs]`` shared by all draws, or ``[*draws, n, inputs]``.

    Returns:
        Outputs ``[*draws, n, outputs]``.
    """
    for k, (weight, bias) in enumerate(layers):
        x = affine(x, weight, bias)
        if k < len(layers) - 1:
            x = F.leaky_relu(x, SLOPE)
    return x


def affine(
    x: Float[Tensor, "*batch inputs"],
    weight: Float[Tensor, "*draws inputs outputs"],
    bias: Float[Tensor, "*draws outputs"],
) -> Float[Tensor, "*out outputs"]:
    """Compute ``x @ weight + bias`` for every draw.

    Args:
        x: Rows ``[n, inputs]`` shared by all draws, or ``[*draws, n, inputs]``.
        weight: Matrices.
        bias: Shifts.

    Returns:
        Outputs ``[*draws, n, outputs]``.
    """
    if weight.ndim == 3 and x.ndim == 3 and len(x) == len(weight):
        # One kernel where the general form takes a product, a sum and several views.
        return torch.baddbmm(bias[:, None], x, weight)
    if weight.ndim == 2 and x.ndim == 2:
        return torch.addmm(bias, x, weight)
    return x @ weight + bias[..., None, :]


class Perceptron(nn.Module):
    """A perceptron with free weights, or an ensemble of them.

    Weights start uniform (Glorot & Bengio, 2010), biases at zero.

    Args:
        sizes: Widths, inputs first, outputs last.
        n_members: Size of the ensemble, the leading dimension of all weights; None for one
            network without that dimension.
    """

    def __init__(self, sizes: Sequence[int], n_members: int | None = None) -> None:
        super().__init__()
        lead = () if n_members is None else (n_members,)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            bound = math.sqrt(6 / (inputs + outputs))
            self.weights.append(torch.empty(*lead, inputs, outputs).uniform_(-bound, bound))
            self.biases.append(torch.zeros(*lead, outputs))

    @property
    def layers(self) -> Layers:
        """The weights."""
        return [Dense(w, b) for w, b in zip(listed(self.weights), listed(self.biases), strict=True)]

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*out outputs"]:
        """Apply the network.

        Args:
            x: Rows.

        Returns:
            Outputs.
        """
        return perceptron(self.layers, x)


def listed(parameters: nn.ParameterList) -> list[nn.Parameter]:
    """List the parameters of a list; its own iterator looks each up by a string.

    Args:
        parameters: The list.

    Returns:
        The same parameters in the same order.
    """
    return list(parameters._parameters.values())  # pyright: ignore[reportReturnType]


def flatten_layers(layers: Layers) -> Float[Tensor, "*draws dim"]:
    """Lay all weights out in one vector, for samplers.

    Args:
        layers: Weights.

    Returns:
        Weight and bias of the first layer, then of the second, and so on.
    """
    parts = [t for w, b in layers for t in (w.flatten(-2), b)]
    return torch.cat(parts, -1)


def unflatten_layers(flat: Float[Tensor, "*draws dim"], sizes: Sequence[int]) -> Layers:
    """Undo :func:`flatten_layers`.

    Args:
        flat: All weights.
        sizes: Widths of the network.

    Returns:
        Views of the vector.
    """
    layers, start = [], 0
    for inputs, outputs in pairwise(sizes):
        middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
        weight = flat[..., start:middle].unflatten(-1, (inputs, outputs))
        layers.append(Dense(weight, flat[..., middle:end]))
        start = end
    return layers
