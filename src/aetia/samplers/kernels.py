r"""Kernels between particles, summed over named blocks.

.. math:: k(a, b) = \sum_\text{block} c \exp(-\|x_a - x_b\|^2 / h)

with the squared distance over all coordinates of the block and *no* factor 2 (Lorch et al.,
2021, section 5; their code). The gradient in a block comes from that block's own term.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from aetia.errors import InputError
from aetia.options import check_positive

__all__ = ["KERNELS", "FixedBandwidth", "Kernel", "KernelMatrix", "MedianBandwidth"]


class KernelMatrix(NamedTuple):
    """The kernel at one set of particles."""

    values: Float[Tensor, "p p"]
    repulsion: dict[str, Tensor]
    """``sum_b grad_{x_b} k(x_b, x_a)`` for each particle a: pushes a away from the others."""
    bandwidths: dict[str, float]


@runtime_checkable
class Kernel(Protocol):
    """Similarity of particles, with its gradient."""

    def __call__(self, position: dict[str, Tensor]) -> KernelMatrix:
        """Compare all particles with each other."""
        ...


@dataclass(frozen=True, kw_only=True)
class FixedBandwidth:
    """The original kernel: squared bandwidths fixed in advance.

    Attributes:
        bandwidths: h by block name; ``"*"`` holds for all other blocks *together*, whose squared
            distances are summed first (all the parameters of a model).
    """

    bandwidths: Mapping[str, float] = field(default_factory=lambda: {"z": 5.0, "*": 500.0})

    def __post_init__(self) -> None:
        for name, h in self.bandwidths.items():
            check_positive(_Named(name, h), "bandwidth")

    def __call__(self, position: dict[str, Tensor]) -> KernelMatrix:
        """Compare all particles with each other.

        Args:
            position: Named blocks, particles first.

        Returns:
            Kernel values, repulsion and the bandwidths used.
        """
        groups = _groups(position, self.bandwidths)
        return _sum_over_groups(position, groups, lambda name, _: self.bandwidths[name])


@dataclass(frozen=True, kw_only=True)
class MedianBandwidth:
    """The median heuristic: h = factor * median squared distance / log(p + 1), at every step.

    Attributes:
        factor: Multiplies the bandwidth of every block.
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self, "factor")

    def __call__(self, position: dict[str, Tensor]) -> KernelMatrix:
        """Compare all particles with each other.

        Args:
            position: Named blocks, particles first.

        Returns:
            Kernel values, repulsion and the bandwidths used.
        """

        def bandwidth(_: str, squared: Tensor) -> float:
            p = len(squared)
            if p < 2:
                return self.factor
            apart = squared[torch.triu_indices(p, p, 1).unbind()]
            return max(self.factor * float(apart.median()) / math.log(p + 1), 1e-12)

        return _sum_over_groups(position, _groups(position, {"z": 1.0, "*": 1.0}), bandwidth)


class _Named(NamedTuple):
    block: str
    bandwidth: float


def _groups(position: dict[str, Tensor], named: Mapping[str, float]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for block in position:
        if block not in named and "*" not in named:
            raise InputError(
                f"FixedBandwidth has no bandwidth for {block!r}; name it, or give '*' for the rest."
            )
        groups.setdefault(block if block in named else "*", []).append(block)
    return groups


def _sum_over_groups(
    position: dict[str, Tensor],
    groups: dict[str, list[str]],
    bandwidth: Callable[[str, Tensor], float],
) -> KernelMatrix:
    values: Tensor | None = None
    repulsion: dict[str, Tensor] = {}
    bandwidths: dict[str, float] = {}
    for name, blocks in groups.items():
        flat = torch.cat([position[b].flatten(1) for b in blocks], dim=1)
        # Differences of the centred points keep float32 accurate.
        centred = flat - flat.mean(0)
        norms = centred.square().sum(1)
        squared = (norms[:, None] + norms[None, :] - 2 * centred @ centred.mT).clamp_min(0.0)
        squared.fill_diagonal_(0.0)
        h = bandwidths[name] = float(bandwidth(name, squared))
        k = (-squared / h).exp()
        values = k if values is None else values + k
        push = (2.0 / h) * (k.sum(1, keepdim=True) * centred - k @ centred)
        for b, part in zip(
            blocks, push.split([position[b][0].numel() for b in blocks], 1), strict=True
        ):
            repulsion[b] = part.view_as(position[b])
    assert values is not None
    return KernelMatrix(values, repulsion, bandwidths)


KERNELS: dict[str, type[FixedBandwidth] | type[MedianBandwidth]] = {
    "fixed": FixedBandwidth,
    "median": MedianBandwidth,
}
"""Name, as in the option ``kernel=``, to kernel with its defaults."""
