"""Images mirrored and shifted at random, in plain torch."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Float
from torch import Tensor

__all__ = ["mirrored", "shifted"]


def mirrored(images: Float[Tensor, " n c h w"], g: torch.Generator) -> Float[Tensor, " n c h w"]:
    """Mirror about half of the images, left to right.

    Args:
        images: Images as they are.
        g: Source of randomness.

    Returns:
        Images.
    """
    heads = torch.rand(len(images), generator=g) < 0.5
    return torch.where(heads.view(-1, 1, 1, 1), images.flip(-1), images)


def shifted(
    images: Float[Tensor, " n c h w"], most: int, g: torch.Generator
) -> Float[Tensor, " n c h w"]:
    """Extend images by reflection, then cut a window of the old size at random.

    Args:
        images: Images as they are.
        most: Pixels on each side.
        g: Source of randomness.

    Returns:
        Images moved by at most so many pixels along each axis.
    """
    n, _, height, width = images.shape
    padded = F.pad(images, (most,) * 4, mode="reflect")
    corner = torch.randint(2 * most + 1, (2, n, 1), generator=g)
    rows, columns = corner[0] + torch.arange(height), corner[1] + torch.arange(width)
    window = padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return window.permute(0, 3, 1, 2)
