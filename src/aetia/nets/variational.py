r"""Perceptrons with a normal distribution for every weight (Blundell et al., 2015).

Training never draws the weights: given rows x, the sum :math:`\sum_i x_i w_{ij}` is normal, and
noise is drawn for it (Kingma, Salimans & Welling, 2015, the local reparameterisation). It is the
same for each row as Flipout with independent signs, with less variance. A *posterior draw* is one
set of weights, used for every row and every question.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

from aetia.nets.perceptron import SLOPE, Dense, Layers, affine, listed

__all__ = ["VariationalPerceptron"]


class VariationalPerceptron(nn.Module):
    """A perceptron whose weights are independent normals; biases are plain numbers.

    Args:
        sizes: Widths, inputs first, outputs last.
        prior_std: Standard deviation of the weights' prior; ``"fan-in"`` for one over the root of
            a layer's inputs, under which outputs have the same scale at any width.
        initial_std: Initial standard deviation of every weight.
        n_members: Size of an ensemble of such networks, the leading dimension of everything; None
            for one network without that dimension.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        prior_std: float | str = "fan-in",
        initial_std: float = 0.05,
        n_members: int | None = None,
    ) -> None:
        super().__init__()
        self.means = nn.ParameterList()
        self.raw_stds = nn.ParameterList()
        self.biases = nn.ParameterList()
        self.prior_stds: list[float] = []
        lead = () if n_members is None else (n_members,)
        raw = math.log(math.expm1(initial_std))
        for inputs, outputs in pairwise(sizes):
            bound = math.sqrt(6 / (inputs + outputs))
            self.means.append(torch.empty(*lead, inputs, outputs).uniform_(-bound, bound))
            self.raw_stds.append(torch.full((*lead, inputs, outputs), raw))
            self.biases.append(torch.zeros(*lead, outputs))
            prior = 1 / math.sqrt(inputs) if prior_std == "fan-in" else float(prior_std)
            self.prior_stds.append(prior)

    def forward(
        self, x: Float[Tensor, "*batch inputs"], generator: torch.Generator
    ) -> Float[Tensor, "*out outputs"]:
        """Apply weights drawn anew for each row.

        Args:
            x: Rows ``[n, inputs]``, or ``[members, n, inputs]``.
            generator: Source of randomness.

        Returns:
            Outputs, each row with its own weights.
        """
        variances = self._by_layer(F.softplus(_flat(listed(self.raw_stds))).square())
        for k, (mean, squares, bias) in enumerate(
            zip(listed(self.means), variances, listed(self.biases), strict=True)
        ):
            centre = affine(x, mean, bias)
            spread = (x.square() @ squares + 1e-12).sqrt()
            noise = torch.empty_like(centre).normal_(generator=generator)
            x = torch.addcmul(centre, spread, noise)
            if k < len(self.means) - 1:
                x = F.leaky_relu(x, SLOPE)
        return x

    def kl(self) -> Float[Tensor, "*members"]:
        r"""Compute the divergence from the prior, summed over the weights of each network.

        Returns:
            :math:`\sum \log(s_0 / s) + (s^2 + m^2) / (2 s_0^2) - 1/2`.
        """
        mean, std = _flat(listed(self.means)), F.softplus(_flat(listed(self.raw_stds)))
        sizes = [math.prod(m.shape[-2:]) for m in listed(self.means)]
        # A number for each weight: all layers are one vector.
        precision = torch.cat(
            [
                mean.new_full((k,), prior**-2)
                for k, prior in zip(sizes, self.prior_stds, strict=True)
            ]
        )
        constant = sum(
            k * (math.log(prior) - 0.5) for k, prior in zip(sizes, self.prior_stds, strict=True)
        )
        squares = torch.addcmul(std * std, mean, mean)
        return constant + torch.addcmul(-std.log(), squares, precision, value=0.5).sum(-1)

    def draw(self, n_draws: int, generator: torch.Generator) -> Layers:
        """Draw sets of weights.

        Args:
            n_draws: How many.
            generator: Source of randomness.

        Returns:
            Layers ``[draws, *members, ...]``.
        """
        layers = []
        for mean, raw, bias in zip(self.means, self.raw_stds, self.biases, strict=True):
            shape = (n_draws, *mean.shape)
            noise = torch.empty(shape, device=mean.device).normal_(generator=generator)
            weight = mean + F.softplus(raw) * noise
            layers.append(Dense(weight, bias.expand(n_draws, *bias.shape)))
        return layers

    @property
    def layers(self) -> Layers:
        """The means of the weights."""
        return [Dense(w, b) for w, b in zip(listed(self.means), listed(self.biases), strict=True)]

    def _by_layer(self, flat: Float[Tensor, "*members dim"]) -> list[Tensor]:
        """Cut what :func:`_flat` laid out into matrices."""
        shapes = [m.shape[-2:] for m in listed(self.means)]
        parts = flat.split([math.prod(s) for s in shapes], -1)
        return [part.unflatten(-1, s) for part, s in zip(parts, shapes, strict=True)]


def _flat(matrices: Iterable[Tensor]) -> Float[Tensor, "*members dim"]:
    return torch.cat([m.flatten(-2) for m in matrices], -1)
