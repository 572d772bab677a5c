"""Standard deviations that the user fixes: ``sigma_v``, ``sigma_x``, ``sigma_y``.

A network's last output gives its variance. With weights zero and a constant bias it is constant,
and without gradient it stays so; nothing else needs to know.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from aetia.nets import Perceptron, VariationalPerceptron

__all__ = ["fix_noise"]

_FLOOR = 1e-6
_NEVER_RANDOM = -30.0
"""Raw standard deviation of a weight: its softplus is 1e-13."""


@torch.no_grad()
def fix_noise(network: nn.Module, std: float) -> None:
    """Make the noise of a network constant.

    Args:
        network: A mechanism, before training.
        std: Standard deviation of the noise, in the network's units.
    """
    assert isinstance(network, (Perceptron, VariationalPerceptron))
    if isinstance(network, VariationalPerceptron):
        weight = network.means[-1]
        network.raw_stds[-1][..., -1] = _NEVER_RANDOM
        _freeze_last(network.raw_stds[-1])
    else:
        weight = network.weights[-1]
    bias = network.biases[-1]
    weight[..., -1] = 0.0
    variance = max(std**2 - _FLOOR, 1e-12)
    # The inverse of softplus; the second form does not overflow.
    bias[..., -1] = (
        math.log(math.expm1(variance))
        if variance < 20
        else variance + math.log1p(-math.exp(-variance))
    )
    _freeze_last(weight)
    _freeze_last(bias)


def _freeze_last(parameter: Tensor) -> None:
    mask = torch.ones_like(parameter)
    mask[..., -1] = 0.0
    parameter.register_hook(lambda gradient: gradient * mask.to(gradient))
