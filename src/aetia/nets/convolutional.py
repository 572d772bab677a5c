"""Convolutional networks for small images: latents to pixels, pixels to latents, a critic.

Sizes follow the original MNIST networks (28 x 28: 14 and 7 after two halvings) and work for any
height and width: the halved sizes are rounded up, and the generator crops what is too much.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["ImageDiscriminator", "ImageEncoder", "ImageGenerator"]

_SLOPE = 0.2


class ImageGenerator(nn.Module):
    """Latents to the mean and the variance of the logit of every pixel.

    Args:
        n_latents: Width of the latents.
        shape: Channels, height, width.
        width: Channels of the last hidden layer.
    """

    def __init__(self, n_latents: int, shape: tuple[int, int, int], width: int = 32) -> None:
        super().__init__()
        self.shape = shape
        channels, height, breadth = shape
        self.small = (4 * width, -(-height // 4), -(-breadth // 4))
        self.start = nn.Linear(n_latents, self.small[0] * self.small[1] * self.small[2])
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(
                    4 * width, 2 * width, 3, 2, padding=1, output_padding=1, bias=False
                ),
                nn.ConvTranspose2d(2 * width, width, 3, 2, padding=1, output_padding=1, bias=False),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
            ]
        )
        self.mean, self.raw_variance = nn.Conv2d(width, channels, 1), nn.Conv2d(width, channels, 1)

    def forward(
        self, z: Float[Tensor, "n latents"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Decode.

        Args:
            z: Latents.

        Returns:
            Mean and variance of the logits.
        """
        x = F.leaky_relu(self.start(z), _SLOPE).unflatten(-1, self.small)
        for layer in self.up:
            x = F.leaky_relu(layer(x), _SLOPE)
        x = x[..., : self.shape[1], : self.shape[2]]
        return self.mean(x), F.softplus(self.raw_variance(x)) + 1e-6


class ImageEncoder(nn.Module):
    """Pixels to latents.

    Args:
        n_latents: Width of the latents.
        shape: Channels, height, width.
        width: Channels of the first hidden layer.
    """

    def __init__(self, n_latents: int, shape: tuple[int, int, int], width: int = 32) -> None:
        super().__init__()
        channels, height, breadth = shape
        self.down = nn.ModuleList(
            [
                nn.Conv2d(channels, width, 3, 2, padding=1, bias=False),
                nn.Conv2d(width, 2 * width, 3, 2, padding=1, bias=False),
                nn.Conv2d(2 * width, 4 * width, 3, padding=1, bias=False),
            ]
        )
        size = 4 * width * -(-height // 4) * -(-breadth // 4)
        self.hidden, self.last = nn.Linear(size, 256), nn.Linear(256, n_latents)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n latents"]:
        """Encode.

        Args:
            x: Pixels in [0, 1].

        Returns:
            Latents.
        """
        for layer in self.down:
            x = F.leaky_relu(layer(x), _SLOPE)
        return self.last(F.leaky_relu(self.hidden(x.flatten(1)), _SLOPE))


class ImageDiscriminator(nn.Module):
    """A critic of images.

    Args:
        shape: Channels, height, width.
        width: Channels of the first hidden layer.
        dropout: Probability that a unit is dropped.
    """

    def __init__(self, shape: tuple[int, int, int], width: int = 64, dropout: float = 0.3) -> None:
        super().__init__()
        channels, height, breadth = shape
        self.down = nn.ModuleList(
            [
                nn.Conv2d(channels, width, 5, 2, padding=2),
                nn.Conv2d(width, 2 * width, 5, 2, padding=2),
                nn.Conv2d(2 * width, 4 * width, 3, 2, padding=1),
            ]
        )
        self.dropout = nn.Dropout(dropout)
        size = 4 * width * -(-height // 8) * -(-breadth // 8)
        self.hidden, self.last = nn.Linear(size, 128), nn.Linear(128, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Score images.

        Args:
            x: Pixels.

        Returns:
            One score for each.
        """
        for layer in self.down:
            x = self.dropout(F.leaky_relu(layer(x), _SLOPE))
        return self.last(F.leaky_relu(self.hidden(x.flatten(1)), _SLOPE))[:, 0]
