r"""A convolutional generator with random weights: independent normals (Blundell et al., 2015).

In training every image has weights of its own by Flipout (Wen et al., 2018): one draw
:math:`\Delta` of the deviations serves all images, turned by random signs of the inputs r and
outputs s of a layer,

.. math:: y_i = W * x_i + s_i \odot (\Delta * (r_i \odot x_i))

which leaves the distribution of every image's weights as it is and makes those of two images
uncorrelated.
A *posterior draw* is one set of weights for all images and pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from aetia.generation.bgm.networks import Decode, ImageDecoder, flat_logits

__all__ = ["RandomImageDecoder"]

_INITIAL_STD = 0.05
_SLOPE = 0.2


class RandomImageDecoder(ImageDecoder):
    """The generator of images with random weights; biases are plain numbers.

    The prior of a weight is normal with variance one over the inputs of its layer.

    Args:
        n_latents: Width of the latents.
        shape: Height, width, channels.
        width: Channels of the last hidden layer.
    """

    def __init__(self, n_latents: int, shape: tuple[int, int, int], width: int) -> None:
        super().__init__(n_latents, shape, width)
        self.names = [name for name, p in self.net.named_parameters() if p.ndim > 1]
        raw = math.log(math.expm1(_INITIAL_STD))
        self.raw_stds = nn.ParameterList(
            torch.full_like(self.net.get_parameter(name), raw) for name in self.names
        )
        self.prior_stds = [_fan_in(self.net, name) ** -0.5 for name in self.names]

    def forward(
        self, z: Float[Tensor, "*draws n k"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*draws n p"]:
        """Decode.

        Args:
            z: Latents.
            generator: Source of randomness of the weights, drawn for each row; None takes their
                means.

        Returns:
            Logits of the pixels.
        """
        if generator is None:
            return super().forward(z)
        raw = self._flipped(z.flatten(0, -2), generator)
        return flat_logits(*raw).unflatten(0, z.shape[:-1])

    def kl(self) -> Tensor | None:
        """Compute the divergence of the weights from their prior.

        Returns:
            A number.
        """
        total = torch.zeros((), device=self.raw_stds[0].device)
        for name, raw, prior in zip(self.names, self.raw_stds, self.prior_stds, strict=True):
            mean, std = self.net.get_parameter(name), F.softplus(raw)
            quadratic = (std.square() + mean.square()) / (2 * prior**2)
            total = total + (math.log(prior) - std.log() + quadratic - 0.5).sum()
        return total

    def drawn(self, n_draws: int, generator: torch.Generator) -> Decode:
        """Draw sets of weights.

        Args:
            n_draws: How many.
            generator: Source of randomness.

        Returns:
            A function of latents ``[draws, n, k]``.
        """
        weights = {
            name: self.net.get_parameter(name) + self._deviations(k, generator, n_draws)
            for k, name in enumerate(self.names)
        }

        def one(some: Mapping[str, Tensor], z: Tensor) -> Tensor:
            return flat_logits(*functional_call(self.net, dict(some), (z,)))

        every: Callable[..., Tensor] = vmap(one)
        return lambda z: every(weights, z)

    def _deviations(self, k: int, generator: torch.Generator, *draws: int) -> Tensor:
        raw = self.raw_stds[k]
        noise = torch.empty(*draws, *raw.shape, device=raw.device).normal_(generator=generator)
        return F.softplus(raw) * noise

    def _flipped(self, z: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Apply all layers, with random signs."""
        deviations = {name: self._deviations(k, generator) for k, name in enumerate(self.names)}

        def layer(name: str, x: Tensor) -> Tensor:
            module = self.net.get_submodule(name)
            centre = module(x)
            shape = (len(x), x.shape[1], *[1] * (x.ndim - 2))
            parts = {"weight": deviations[f"{name}.weight"]}
            if isinstance(module.bias, Tensor):
                parts["bias"] = torch.zeros_like(module.bias)
            moved = functional_call(module, parts, (x * _signs(x, shape, generator),))
            return centre + _signs(x, (len(x), centre.shape[1], *shape[2:]), generator) * moved

        net = self.net
        x = F.leaky_relu(layer("start", z), _SLOPE).unflatten(-1, net.small)
        for k in range(len(net.up)):
            x = F.leaky_relu(layer(f"up.{k}", x), _SLOPE)
        x = x[..., : net.shape[1], : net.shape[2]]
        return layer("mean", x), F.softplus(layer("raw_variance", x)) + 1e-6


def _signs(like: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    coin = torch.empty(shape, dtype=like.dtype, device=like.device).uniform_(generator=generator)
    return torch.where(coin < 0.5, -1.0, 1.0)


def _fan_in(net: nn.Module, name: str) -> int:
    """Count the inputs of one output of a layer."""
    layer = net.get_submodule(name.removesuffix(".weight"))
    weight = net.get_parameter(name)
    if isinstance(layer, nn.ConvTranspose2d):  # weights [inputs, outputs, height, width]
        return weight[:, 0].numel() // math.prod(layer.stride)
    return weight[0].numel()
